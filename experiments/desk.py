"""Where jobs are handed over to Slurm, or printed as a shell would do it; and the list of what became of each run."""

from user_error import UserError

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from experiments import slurm


@dataclass
class Desk:
    """One call of `submit`; in a dry run the id of the first job is $job1, as in the shell that it is pasted into."""

    dry_run: bool
    printed: int = 0
    rows: list[tuple[str, str, str]] = field(default_factory=list)  # run, job, state

    def note(self, run: str, job: str, state: str) -> None:
        self.rows.append((run, job, state))

    def hand_over(self, run: str, words: Sequence[str], log: Path) -> str:
        """The job's id, or what stands for it. Its log's folder has to be there, or the job fails without a word."""
        if self.dry_run:
            return self._print(words, log)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            job = slurm.submit(words)
        except UserError as error:
            if self.rows:
                print(self.table())
            raise UserError(f"{run}: {error} (once that is fixed, the same command submits what is left)") from None
        self.note(run, job, "submitted")
        return job

    def table(self) -> str:
        return tabulate(self.rows, ["run", "job", "state"], "simple", disable_numparse=True)

    def _print(self, words: Sequence[str], log: Path) -> str:
        line = shlex.join(words)
        for number in range(1, self.printed + 1):
            line = line.replace(_stand_in(number), f"${{job{number}%%;*}}")  # sbatch may say 12;cluster
        self.printed += 1
        print(f"mkdir -p {shlex.quote(str(log.parent))}; job{self.printed}=$(sbatch --parsable {line})")
        return _stand_in(self.printed)


def _stand_in(number: int) -> str:
    """What stands for the id of a job that was only printed; shlex leaves it as it is."""
    return f"@job{number}@"
