"""Headless Chromium by its own protocol, over two pipes: what a page asks for, says and shows."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """A Chromium with one page; use it in a with statement."""

    def __init__(self) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="chromium_", ignore_cleanup_errors=True)
        ours, theirs = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            [
                "bash", "-c", f'exec "$0" "$@" 3<&{ours[0]} 4>&{theirs[1]}', CHROMIUM, "--headless", "--no-sandbox",
                "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={self.profile.name}", "about:blank",
            ],
            pass_fds=(ours[0], theirs[1]),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.out, self.answers = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        os.close(ours[0])
        os.close(theirs[1])
        self.events: list[dict] = []
        self.number, self.session, self.buffer = 0, None, b""
        self.watch = threading.Timer(60, self.process.kill)  # a browser that hangs ends the test, not the suite
        self.watch.start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.watch.cancel()
        self.process.kill()
        self.process.wait()
        self.out.close()
        self.answers.close()
        self.profile.cleanup()

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file in a window of that size, until all of it is there."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.absolute().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[str]:
        """What stands in the console."""
        names = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in names]

    def value(self, script: str):
        """What a script evaluates to in the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.7)["data"])

    def call(self, method: str, **parameters) -> dict:
        """Have the browser do something; its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> dict:
        while b"\0" not in self.buffer:
            read = os.read(self.answers.fileno(), 1 << 16)
            assert read, "Chromium ended"
            self.buffer += read
        text, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
