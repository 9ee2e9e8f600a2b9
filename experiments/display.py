"""What a person sees while runs are at work: a bar for each run on a terminal, lines elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiments.job import Job

SECONDS_BETWEEN_LINES = 60  # of one run, where there is no terminal that can show a bar


class LoudConsole(Console):
    """A console that raises BrokenPipeError when its output is closed, where rich would end the process with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Display:
    """Listens to the children's messages; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.has_bars = console.is_terminal and not console.is_dumb_terminal
        self.tasks: dict[str, int] = {}
        self.accuracy: dict[str, str] = {}
        self.last_line: dict[str, float] = {}
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self.has_bars,
            speed_estimate_period=120,
        )

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def listen(self, job: Job, message: dict[str, Any]) -> None:
        """Show one message of a child."""
        name = job.run.name
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=None, note="starting")
            self.last_line[name] = time.monotonic()
        task = self.tasks[name]
        match message:
            case {"phase": phase}:
                self.progress.update(task, note=self._note(name, phase))
            case {"resume": iteration}:
                self._print(f"{name}: resuming at iteration {iteration:,}")
            case {"transfer": {"copied": [], "ignored": []}}:
                self._print(f"{name}: from scratch, every layer from its filler")
            case {"transfer": {"copied": copied, "new": new, "ignored": ignored}}:
                self._print(
                    f"{name}: {len(copied)} layers from the pretrained model,"
                    f" new: {', '.join(new) or 'none'}, ignored: {', '.join(ignored) or 'none'}"
                )
            case {"iteration": iteration, "max_iter": max_iter, "loss": loss}:
                text = "" if loss is None else f"training loss {loss:.3f}"
                self.progress.update(task, completed=iteration, total=max_iter, note=self._note(name, text))
                self._print_now_and_then(name, f"iteration {iteration:,} of {max_iter:,}, {text}".rstrip(", "))
            case {"evaluation": row}:
                self.accuracy[name] = f"accuracy {row['test_accuracy']:.2%}"
                self.progress.update(task, completed=row["iteration"])
                if not self.has_bars:
                    self._print(
                        f"{name}: iteration {row['iteration']:,}, {self.accuracy[name]},"
                        f" test loss {row['test_loss']:.3f}, {row['seconds']:.0f} s in all"
                    )
            case {"warning": warning}:
                self._print(f"{name}: warning: {warning}")
            case {"end": "failed", "reason": reason}:
                self._remove(name)
                self._print(f"{name}: failed: {reason}")
            case {"end": "stopped"}:
                self._remove(name)
                at = job.folder.newest_snapshot()
                self._print(f"{name}: stopped, {f'snapshot of iteration {at:,}' if at else 'no snapshot yet'}")
            case {"end": "done"}:
                self._remove(name)
                self._print(f"{name}: done, {self.accuracy.get(name, 'evaluated before')}")

    def _note(self, name: str, text: str) -> str:
        return "  ".join(part for part in (self.accuracy.get(name), text) if part)

    def _remove(self, name: str) -> None:
        self.progress.remove_task(self.tasks.pop(name))

    def _print_now_and_then(self, name: str, text: str) -> None:
        now = time.monotonic()
        if not self.has_bars and now - self.last_line[name] > SECONDS_BETWEEN_LINES:
            self.last_line[name] = now
            self._print(f"{name}: {text}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
