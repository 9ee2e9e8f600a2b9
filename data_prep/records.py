"""One photo's file -> what became of it, and the records of its views; runs in the worker processes."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.datums import RAW_BYTES, encoded_record, raw_frame
from data_prep.decoder import DamagedPicture, decode
from data_prep.photos import CORRUPT, MISSING, WRITTEN, Outcome
from data_prep.pictures import NotRead, Place, digest, read, stamp
from data_prep.stores import record_digest
from data_prep.views import MAKE_VIEW

JPEG_QUALITY = 95  # OpenCV's default, so convert_imageset's too


@dataclass(frozen=True)
class Wanted:
    """Which records to make of a photo: one for each view, raw or with a JPEG inside."""

    views: tuple[str, ...]
    encoded: bool


def make_records(picture: Place, label: int, wanted: Wanted, places: list[memoryview]) -> tuple[Outcome, list[int]]:
    """Read and decode a photo once and write its records into `places`; returns the outcome and their lengths in bytes.

    There are records only if the outcome is `written`. No content of a file raises an exception.
    """
    stamped = stamp(picture)
    try:
        data = read(picture)
    except (FileNotFoundError, NotADirectoryError):
        return Outcome(MISSING, "no such file"), []
    except NotRead as reason:
        return Outcome(CORRUPT, str(reason)), []
    try:
        pixels = decode(data)
    except DamagedPicture as damage:
        return Outcome(CORRUPT, str(damage)), []
    height, width = pixels.shape[:2]
    write = _write_encoded if wanted.encoded else _write_raw
    lengths = [write(MAKE_VIEW[name](pixels), label, place) for name, place in zip(wanted.views, places, strict=True)]
    digests = tuple(record_digest(place[:length]) for place, length in zip(places, lengths, strict=True))
    return Outcome(WRITTEN, "", width, height, stamped, digest(data), digests), lengths


def _write_raw(view: np.ndarray, label: int, place: memoryview) -> int:
    """Write the Datum of a 256x256x3 BGR uint8 view, its planes blue, green, red; returns its length."""
    before, after = raw_frame(label)
    end = len(before) + RAW_BYTES
    place[: len(before)] = before
    planes = np.frombuffer(place, np.uint8, RAW_BYTES, len(before))
    cv2.split(view, list(planes.reshape(3, *view.shape[:2])))
    place[end : end + len(after)] = after
    return end + len(after)


def _write_encoded(view: np.ndarray, label: int, place: memoryview) -> int:
    """Write the Datum of a view as a JPEG; returns its length."""
    _, jpeg = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    record = encoded_record(jpeg.tobytes(), label)
    place[: len(record)] = record
    return len(record)
