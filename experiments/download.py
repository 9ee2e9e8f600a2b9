"""One file from the first of several addresses that has it: resumed where it broke off, known by its SHA-256.

Proxies are those of the environment (http_proxy, https_proxy, no_proxy).
"""

from user_error import UserError

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, build_opener

from experiments.download_progress import progress
from files import sha256

TIMEOUT = 20  # seconds without an answer, or without a byte
TRIES = 3  # of all addresses without a new byte, once something has come
PAUSE = 3  # seconds between two tries
CHUNK = 2**20  # bytes
AGENT = "finetuned-aesthetics"  # some servers refuse urllib's own name
LATER = (408, 425, 429)  # the answers 4xx that may change soon


class Interrupted(Exception):
    """An address does not answer now, or broke off."""


class NotThere(Exception):
    """An address does not have the file."""


def download(urls: Sequence[str], partial: Path, size: int, digest: str) -> None:
    """Fill `partial` with the file of that size and SHA-256; what it holds already is taken as the beginning.

    UserError, with what each address answered, if none gives the whole file; what has come stays for the next call.
    """
    if _size(partial) > size:
        partial.unlink()
    begun_before = partial.exists()
    answers: dict[str, Exception] = {}
    with progress(partial.stem, _size(partial), size) as update:
        while True:
            last = _fill(urls, partial, size, answers, update)
            if sha256(partial) == digest:
                return
            partial.unlink()
            if not begun_before:
                answers[last] = NotThere("another file of this size")
            begun_before = False


def _fill(
    urls: Sequence[str], partial: Path, size: int, answers: dict[str, Exception], update: Callable[[int], None]
) -> str:
    """Receive what `partial` lacks; the address that gave the end of it, or "" if nothing was lacking."""
    most, tries = _size(partial), 1
    if most == size:
        return ""
    while tries and (left := [url for url in urls if not isinstance(answers.get(url), NotThere)]):
        for url in left:
            try:
                _receive(url, partial, size, update)
                return url
            except (Interrupted, NotThere) as answer:
                answers[url] = answer
        tries = TRIES if _size(partial) > most else tries - 1
        most = max(most, _size(partial))
        if tries:
            time.sleep(PAUSE)
    if not most:
        partial.unlink(missing_ok=True)
    raise UserError("; ".join(f"{url}: {answer}" for url, answer in answers.items()))


def _receive(url: str, partial: Path, size: int, update: Callable[[int], None]) -> None:
    """Add to `partial` what an address has of the rest; from the start where its server cannot begin in the middle."""
    offset = _size(partial)
    headers = {"User-Agent": AGENT} | ({"Range": f"bytes={offset}-"} if offset else {})
    with _network():
        response = build_opener().open(Request(url, headers=headers), timeout=TIMEOUT)
    with response:
        with _network():
            have = _start(response, offset, size)
        with partial.open("ab") as file:
            file.truncate(have)
            while have < size:
                with _network():
                    chunk = response.read1(min(CHUNK, size - have))
                if not chunk:
                    raise Interrupted(f"broke off after {have:,} of {size:,} bytes")
                file.write(chunk)
                have += len(chunk)
                update(have)


def _start(response: HTTPResponse, offset: int, size: int) -> int:
    """The byte of the file that an answer begins with; NotThere if it is the answer to something else."""
    if response.headers.get_content_type() == "text/html":
        raise NotThere("a web page, not the file")
    if response.status == 206:
        part = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if not part or int(part[1]) != offset:
            raise NotThere(f"another part of the file than that from byte {offset:,}")
        start, length = offset, int(part[2])
    else:
        start, length = 0, int(response.headers.get("Content-Length", size))
    if length != size:
        raise NotThere(f"a file of {length:,} bytes, not {size:,}")
    return start


@contextmanager
def _network() -> Iterator[None]:
    """Turn what may go wrong between us and an address into Interrupted or NotThere."""
    try:
        yield
    except HTTPError as error:
        lasting = 400 <= error.code < 500 and error.code not in LATER
        raise (NotThere if lasting else Interrupted)(_line(f"{error.code} {error.reason}")) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Interrupted(_line(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)) from None


def _line(text: str) -> str:
    """A server's words as a part of one line."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
