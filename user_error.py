"""The one exception for what a user can mend, and how a command line ends on it."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """A mistake of the user's or of the machine's set-up: what is wrong, where, and how to mend it, in one line."""


def exit_with_status(main: Callable[[], int | None]) -> None:
    """Run a command line and leave the process: 0, its own status, 2 on a UserError, 130 on Ctrl-C."""
    try:
        status = main() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # `... | head` closed our output
        sys.stderr.close()
        status = 141
    sys.exit(status)
