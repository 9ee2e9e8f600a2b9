"""What is said beside the rows, on standard error: each bad photo, and on a terminal how far the work is."""

import sys
import time

from deploy.rows import shown

FRAME = 0.2  # seconds between two states of the line that shows progress


class Monitor:
    """Counts the photos, and says what there is to say; `is_shown` is for the line that shows progress."""

    def __init__(self, is_shown: bool) -> None:
        self.is_shown = is_shown
        self.total: int | None = None  # photos, where it is known
        self.done = self.failed = 0
        self.started = self.last = time.monotonic()

    def fail(self, text: str) -> None:
        """Say of a photo why it is not scored."""
        self.failed += 1
        self.say(shown(text))

    def say(self, text: str) -> None:
        self.clear()
        print(text, file=sys.stderr, flush=True)

    def scored(self, photos: int) -> None:
        self.done += photos
        now = time.monotonic()
        if self.is_shown and now - self.last > FRAME:
            self.last = now
            total = "" if self.total is None else f" of {self.total:,}"
            speed = self.done / (now - self.started)
            text = f"{self.done:,}{total} photos, {speed:,.1f} photos/s, {self.failed:,} bad"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line that shows progress away."""
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
