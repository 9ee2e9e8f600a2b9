"""A download is resumed, goes from address to address, and ends with the right file or none."""

from user_error import UserError

import hashlib
import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from experiments import download as module
from experiments.download import download
from experiments.download_progress import progress

CONTENT = random.Random(0).randbytes(100_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
UNREACHABLE = "http://127.0.0.1:9/file"


class Handler(BaseHTTPRequestHandler):
    """Sends CONTENT in the manner that the path names."""

    def do_GET(self):
        manner, asked = urlsplit(self.path).path.strip("/"), self.headers["Range"]
        self.server.asked.append((self.path, asked))
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        match manner:
            case "whole":
                self.send(CONTENT, start)
            case "breaks-off":  # after 30,000 bytes, each time
                self.send(CONTENT, start, 30_000)
            case "no-ranges":
                self.send(CONTENT)
            case "no-ranges-breaks-off":
                self.send(CONTENT, most=30_000)
            case "other":
                self.send(CONTENT[::-1], start)
            case "shorter":
                self.send(CONTENT[:-1], start)
            case "page":
                self.send(b"<p>not here", kind="text/html; charset=utf-8")
            case "stuck":
                self.send(CONTENT, start, 10_000, stuck=True)
            case "moved":
                self.send_response(302)
                self.send_header("Location", "/whole")
                self.end_headers()
            case "busy":
                self.send_error(503)
            case _:
                self.send_error(404)

    def send(self, content, start=0, most=None, kind="application/octet-stream", stuck=False):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][:most])
        if stuck:
            self.wfile.flush()
            self.server.closing.wait(10)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A web server on this machine; `asked` are the paths and ranges that it was asked for."""
    monkeypatch.setattr(module, "PAUSE", 0)
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.closing = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def get(site, tmp_path):
    """get(manners): download from the addresses of these manners; the partial file."""
    partial = tmp_path / "file.partial"

    def run(*manners):
        urls = [manner if ":" in manner else f"{site.url}/{manner}" for manner in manners]
        download(urls, partial, len(CONTENT), DIGEST)
        return partial

    return run


@pytest.mark.parametrize("manner", ["whole", "no-ranges", "moved"])
def test_file_comes_whole(get, manner):
    assert get(manner).read_bytes() == CONTENT


def test_what_broke_off_is_resumed_as_often_as_something_new_comes(get, site):
    assert get("breaks-off").read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]


def test_what_an_earlier_call_left_is_resumed(get, site, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT[:HALF])
    assert get("whole").read_bytes() == CONTENT
    assert site.asked == [("/whole", f"bytes={HALF}-")]


def test_what_one_address_began_another_finishes(get, site):
    assert get("no-ranges-breaks-off", "whole").read_bytes() == CONTENT
    assert site.asked == [("/no-ranges-breaks-off", None), ("/whole", "bytes=30000-")]


def test_server_without_ranges_starts_again(get, site, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT[:HALF])
    assert get("no-ranges").read_bytes() == CONTENT


def test_server_that_always_breaks_off_at_the_same_byte_is_given_up_and_what_came_is_kept(get, tmp_path):
    with pytest.raises(UserError, match="broke off after 30,000 of 100,000 bytes"):
        get("no-ranges-breaks-off")
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:30_000]


@pytest.mark.parametrize(
    ("manner", "answer"),
    [
        ("other", "another file of this size"),
        ("shorter", "a file of 99,999 bytes, not 100,000"),
        ("page", "a web page, not the file"),
        ("gone", "404 Not Found"),
        ("busy", "503 Service Unavailable"),
        (UNREACHABLE, "Connection refused"),
        ("file name://", "unknown url type"),
    ],
)
def test_address_without_the_file_is_passed_over_and_leaves_nothing(get, tmp_path, capfd, manner, answer):
    with pytest.raises(UserError, match=answer) as error:
        get(manner)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
    assert get(manner, "whole").read_bytes() == CONTENT
    assert answer not in capfd.readouterr().err


@pytest.mark.parametrize("manner", ["shorter", "page", "gone"])
def test_address_without_the_file_does_not_harm_what_has_come(get, tmp_path, manner):
    (tmp_path / "file.partial").write_bytes(CONTENT[:HALF])
    with pytest.raises(UserError):
        get(manner)
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize("size", [HALF, len(CONTENT), len(CONTENT) + 1])
def test_beginning_of_another_file_is_thrown_away(get, tmp_path, size):
    (tmp_path / "file.partial").write_bytes(b"?" * size)
    assert get("whole").read_bytes() == CONTENT


def test_whole_file_that_was_not_yet_checked_is_not_fetched_again(get, site, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT)
    assert get("gone").read_bytes() == CONTENT
    assert site.asked == []


def test_server_that_falls_silent_is_left_for_the_next(get, site, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    assert get("stuck", "whole").read_bytes() == CONTENT
    assert site.asked == [("/stuck", None), ("/whole", "bytes=10000-")]


def test_proxy_of_the_environment_is_used(get, site, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", site.url)
    assert get("http://models.invalid/whole").read_bytes() == CONTENT
    assert site.asked == [("http://models.invalid/whole", None)]


def test_progress_is_told_in_lines_without_a_terminal(capfd, monkeypatch):
    monkeypatch.setattr("experiments.download_progress.INTERVAL", 0)
    with progress("file", 100_000_000, 200_000_000) as update:
        update(200_000_000)
    first, last = capfd.readouterr().err.splitlines()
    assert first == "file: resuming at 100 of 200 MB"
    assert re.fullmatch(r"file: 200 of 200 MB, \d+\.\d MB/s, 0:00 left", last)
