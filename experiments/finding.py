"""What `doctor` finds: one line each, with its fix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line about this machine; a `problem` has to be fixed before the runs can start."""

    subject: str
    text: str
    problem: bool = False
