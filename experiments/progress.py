"""What a person sees while runs are at work: a bar for each run on a terminal, a line for each evaluation elsewhere."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiments.job import Job


class Display:
    """Listens to the children's messages; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tasks: dict[str, int] = {}
        self.accuracy: dict[str, str] = {}
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=120,
        )

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def listen(self, job: Job, message: dict[str, Any]) -> None:
        """Show one message of a child."""
        name = job.run.name
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=None, note="starting")
        task = self.tasks[name]
        match message:
            case {"phase": phase}:
                self.progress.update(task, note=self._note(name, phase))
            case {"transfer": {"copied": copied, "new": new, "ignored": ignored}}:
                self._print(
                    f"{name}: {len(copied)} layers from the pretrained model,"
                    f" new: {', '.join(new)}, ignored: {', '.join(ignored) or 'none'}"
                )
            case {"iteration": iteration, "max_iter": max_iter, "loss": loss}:
                note = self._note(name, "" if loss is None else f"loss {loss:.3f}")
                self.progress.update(task, completed=iteration, total=max_iter, note=note)
            case {"evaluation": row}:
                self.accuracy[name] = f"accuracy {row['test_accuracy']:.2%}"
                self.progress.update(task, completed=row["iteration"])
                if not self.console.is_terminal:
                    self._print(
                        f"{name}: iteration {row['iteration']:,}, {self.accuracy[name]},"
                        f" loss {row['test_loss']:.3f}, {row['seconds']:.0f} s"
                    )
            case {"warning": warning}:
                self._print(f"{name}: warning: {warning}")
            case {"end": "failed", "reason": reason}:
                self._remove(name)
                self._print(f"{name}: failed: {reason}")
            case {"end": end}:
                self._remove(name)
                self._print(f"{name}: {end}, {self.accuracy.get(name, 'not evaluated yet')}")

    def _note(self, name: str, text: str) -> str:
        return "  ".join(part for part in (self.accuracy.get(name), text) if part)

    def _remove(self, name: str) -> None:
        self.progress.remove_task(self.tasks.pop(name))

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
