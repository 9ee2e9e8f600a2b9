"""Bytes of a picture file -> pixels as Caffe's own reader gives them, or the reason why the file is damaged.

OpenCV decodes into 3 channels, BGR, 8 bits, turned as EXIF says: grey, CMYK, 16-bit and transparent pictures too, and
PNG, GIF or WebP under the name .jpg. It does not report damage: libjpeg fills what it cannot decode with grey, and
warns only on the process's standard error. So we read the warnings there, at about 1 % of the cost of decoding.

Checks, cheapest first: the end of the file (a JPEG that broke off and was padded has no end-of-image marker; one that
just stops is refused by OpenCV, as long as it decodes from memory), OpenCV's own refusal, libjpeg's warning. libjpeg
prints only its first warning: if that one is harmless (stray bytes between segments, an odd JFIF version), the picture
is decoded again without the segments that may cause it. A few stray bytes before the end are harmless too; many mean
that the decoder lost its way. Damage that decodes without a warning (most single flipped bits) is not found.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np

END = b"\xff\xd9"
LEFT_OVER = 64  # bytes: cameras pad the pixels by a few; more were pixels, and the decoder lost its way
WARNING = re.compile(
    r"^(?:Corrupt JPEG data|Premature end|Inconsistent progression|Invalid SOS"
    r"|Warning: unknown JFIF|Unknown Adobe).*$",
    re.MULTILINE,
)
HARMLESS = re.compile(r"extraneous bytes before marker|unknown JFIF revision|Unknown Adobe color|bad ICC|Invalid SOS")
STRAY_AT_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
SIGNATURES = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}


class DamagedPicture(Exception):
    """A file that does not hold a whole picture; the text says why."""


def decode(data: bytes) -> np.ndarray:
    """The picture, height x width x 3 BGR uint8; raises DamagedPicture if the file does not hold all of it."""
    if not data:
        raise DamagedPicture("the file is empty")
    is_jpeg = data.startswith(b"\xff\xd8")
    segments = _segments(data) if is_jpeg else []
    if is_jpeg and (not segments or data.find(END, segments[-1][1]) < 0):
        raise DamagedPicture("cut off: the end of the JPEG is missing")
    picture, said = _decode(data)
    if picture is None:
        raise DamagedPicture(_refusal(data, said))
    if said and is_jpeg:
        _require_harmless(data, segments, said)
    return picture


def _require_harmless(data: bytes, segments: list[tuple[int, int]], said: str) -> None:
    """Raise DamagedPicture unless libjpeg's warning about a JPEG is harmless."""
    warning = WARNING.search(said)
    if warning and HARMLESS.search(warning[0]):
        warning = WARNING.search(_decode(_bare(data, segments))[1])
        stray = STRAY_AT_END.search(warning[0]) if warning else None
        if stray and int(stray[1]) <= LEFT_OVER:
            return
    if warning:
        raise DamagedPicture(warning[0])


def _decode(data: bytes) -> tuple[np.ndarray | None, str]:
    """OpenCV's picture or None, and what the decoders wrote to standard error."""
    with _standard_error() as said:
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            return None, error.err or str(error)
        except MemoryError:
            return None, "too large for the memory"
        return picture, said()


@contextmanager
def _standard_error() -> Iterator[Callable[[], str]]:
    """Catch what C code writes to the process's standard error; yields a function that returns it so far."""
    caught, kept = os.memfd_create("stderr"), os.dup(2)
    os.dup2(caught, 2)
    try:
        yield lambda: os.pread(caught, 4096, 0).decode(errors="replace")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(caught)


def _refusal(data: bytes, said: str) -> str:
    kind = next((name for start, name in SIGNATURES.items() if data.startswith(start)), None)
    if kind is None:
        return "not a picture: OpenCV does not know the format"
    detail = re.sub(r"^.*?(?:libpng error:|: error:)\s*", "", " ".join(said.split()))[:120]
    return f"the {kind} cannot be decoded" + (f": {detail}" if detail else "")


def _segments(data: bytes) -> list[tuple[int, int]]:
    """(begin, end) of each segment of a JPEG up to and with its first start-of-scan; [] if there is none."""
    segments = []
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # stray, fill, or without a length
            position += 1
            continue
        if marker == 0xD9:
            break
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        segments.append((position, end))
        if marker == 0xDA:
            return segments if end < len(data) else []
        position = end
    return []


def _bare(data: bytes, segments: list[tuple[int, int]]) -> bytes:
    """The JPEG without comments, application data and stray bytes before its first scan."""
    kept = [
        data[begin:end] for begin, end in segments if data[begin + 1] != 0xFE and not 0xE0 <= data[begin + 1] <= 0xEF
    ]
    return b"\xff\xd8" + b"".join(kept) + data[segments[-1][1] :]
