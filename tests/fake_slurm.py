"""sbatch and squeue as far as their manuals describe what we use of them: jobs wait in a file for what a test does."""

import json
import os
import stat
import sys
from pathlib import Path

PROGRAM = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"


class FakeSlurm:
    """The two programs in a folder for PATH, and the jobs that they know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("sbatch", "squeue"):
            path = folder / name
            path.write_text(f"{PROGRAM}import fake_slurm\nsys.exit(fake_slurm.{name}({str(folder)!r}))\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def jobs(self) -> list[dict[str, str]]:
        """All that were handed over, in that order."""
        return _jobs(self.folder)

    def change(self, number: int, **facts: str) -> None:
        """Have a job be in another state, `state=None`: no longer there."""
        jobs = self.jobs
        jobs[number] |= facts
        _write(self.folder, jobs)

    def refuse(self, words: str) -> None:
        """Have sbatch refuse what comes, and say so."""
        (self.folder / "refusal").write_text(words)


def sbatch(folder: str) -> int:
    words = sys.argv[1:]
    if (refusal := Path(folder, "refusal")).exists():
        print(f"sbatch: error: {refusal.read_text()}", file=sys.stderr)
        print(
            "sbatch: error: Batch job submission failed: Requested node configuration is not available", file=sys.stderr
        )
        return 1
    script = next(number for number, word in enumerate(words) if not word.startswith("-"))
    options = dict(word.lstrip("-").partition("=")[::2] for word in words[:script])
    jobs = _jobs(Path(folder))
    job = {"id": str(101 + len(jobs)), "state": "PENDING", "nodes": "", "left": "1:00:00", "reason": "Priority"}
    _write(Path(folder), [*jobs, job | {"options": options, "words": words[script:]}])
    print(f"{job['id']};cluster" if "parsable" in options else f"Submitted batch job {job['id']}")
    return 0


def squeue(folder: str) -> int:
    form = next(word for word in sys.argv if word.startswith("--format=")).removeprefix("--format=")
    for job in _jobs(Path(folder)):
        if job["state"]:
            facts = {"i": job["id"], "T": job["state"], "L": job["left"], "N": job["nodes"], "r": job["reason"]}
            facts |= {"j": job["options"]["job-name"], "k": job["options"].get("comment", "(null)")}
            line = form
            for letter, fact in facts.items():
                line = line.replace(f"%{letter}", fact, 1) if letter not in "jk" else line
            # names and comments may hold a %, so they come last
            print(line.replace("%j|%k", f"{facts['j']}|{facts['k']}"))
    return 0


def _jobs(folder: Path) -> list[dict]:
    path = folder / "jobs.json"
    return json.loads(path.read_text()) if path.exists() else []


def _write(folder: Path, jobs: list[dict]) -> None:
    path = folder / f"jobs.{os.getpid()}"
    path.write_text(json.dumps(jobs))
    path.replace(folder / "jobs.json")
