"""What `doctor` finds: one line each, with its fix."""

from user_error import UserError

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line about this machine; a `problem` has to be fixed before the runs can start."""

    subject: str
    text: str
    problem: bool = False


def require(findings: Iterable[Finding]) -> None:
    """Raise UserError for the problems among the findings, a line each."""
    problems = [f"{finding.subject}: {finding.text}" for finding in findings if finding.problem]
    if problems:
        raise UserError("\nerror: ".join(problems))
