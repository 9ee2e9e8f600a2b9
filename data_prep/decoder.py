"""Bytes of a picture file -> pixels as Caffe's own reader gives them, or the reason why the file is damaged.

OpenCV decodes into 3 channels, BGR, 8 bits, turned as EXIF says: grey, CMYK, 16-bit and transparent pictures too, and
PNG, GIF or WebP under the name .jpg. It does not report damage: libjpeg fills what it cannot decode with grey, and
warns only on the process's standard error. So we read the warnings there, at a few hundredths of the cost of decoding.

Checks, cheapest first: the size that the header claims, the end of the file (a JPEG that only lacks its end marker is
given one), OpenCV's own refusal, the decoders' warnings. libjpeg prints only its first warning: if that one may be
harmless (padding, stray bytes between segments, an odd JFIF version), the JPEG is decoded again without what may cause
it, and then libjpeg has to be silent. Damage that decodes without a warning (most single flipped bits) is not found:
docs/damage.md says how much that is.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice

import cv2
import numpy as np
from PIL import Image

from data_prep import jpeg
from paper import stated

LARGEST_PHOTO: int = stated("photos.largest_pixels")
LIMIT = f"the limit is {LARGEST_PHOTO:,} (photos.largest_pixels in paper.toml)"
MOST_SCANS: int = stated("photos.most_scans")
MOST_PIXELS_PER_BYTE: int = stated("photos.most_pixels_per_byte")
WARNING = re.compile(
    r"^(?:Corrupt JPEG data|Premature end|Inconsistent progression|Invalid SOS"
    r"|Warning: unknown JFIF|Unknown Adobe).*$",
    re.MULTILINE,
)
HARMLESS = re.compile(r"extraneous bytes before marker|unknown JFIF revision|Unknown Adobe color|bad ICC")
TIFF_DAMAGE = re.compile(r"TIFF_Error (.*)|TIFF_Warning ((?:JPEGLib|PackBitsDecode): .*)")
DECODED = {
    rb"\xff\xd8": "JPEG",
    rb"\x89PNG": "PNG",
    rb"GIF8": "GIF",
    rb"RIFF....WEBP": "WebP",
    rb"BM": "BMP",
    rb"(II\*\0|MM\0\*)(?!....CR)": "TIFF",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "JPEG 2000",
    rb"....ftypavi[fs]": "AVIF",
}
PDF = "a PDF"
FOREIGN = {
    rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)": "an HEIC file",
    rb"\0\0\0\x0cJXL |\xff\x0a": "a JPEG XL file",
    rb"II\*\0....CR|....ftypcrx |FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb": "a camera's raw file",
    rb"8BPS": "a Photoshop file",
    rb"%PDF": PDF,
}
SIZED_BY_PILLOW = ("PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM", "SUN")
REDUCED = 254  # TIFF's tag NewSubfileType; its lowest bit says that the picture is a preview of another

Image.MAX_IMAGE_PIXELS = None  # ours is the limit
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(LARGEST_PHOTO)  # for formats unknown to Pillow, in processes we start


class DamagedPicture(Exception):
    """A file that does not hold a whole picture; the text says why."""


def decode(data: bytes) -> np.ndarray:
    """The picture, height x width x 3 BGR uint8; raises DamagedPicture if the file does not hold all of it."""
    if not data:
        raise DamagedPicture("the file is empty")
    return _decode_jpeg(data) if data.startswith(jpeg.START) else _decode_other(data)


def is_picture(start: bytes) -> bool:
    """Whether a file that begins so is a picture by its content, be it of a kind that cannot be decoded here."""
    return _named(start, DECODED) is not None or _named(start, FOREIGN) not in (None, PDF)


def _decode_jpeg(data: bytes) -> np.ndarray:
    cut_off = DamagedPicture("cut off: the end of the JPEG is missing")
    header = jpeg.header(data)
    if header is None:
        raise cut_off
    _require_size(header.width, header.height, len(data))
    is_one_scan = jpeg.is_one_scan(data, header)
    if not is_one_scan and next(islice(jpeg.scans(data), MOST_SCANS, None), None):
        raise DamagedPicture(f"more than {MOST_SCANS} scans: no encoder writes so many")
    has_end = jpeg.has_end(data, header)
    if not has_end:
        if not is_one_scan and not jpeg.holds_all_scans(data, header):
            raise cut_off
        data += jpeg.END  # also after the first half of one: any number of 0xff may begin a marker
    picture, said = _opencv(data)
    if picture is None:
        raise DamagedPicture(_refusal(data, said)) if has_end else cut_off
    warning = WARNING.search(said)
    if warning and HARMLESS.search(warning[0]):
        warning = _warning_when_plain(data, header)
    if warning:
        raise DamagedPicture(warning[0]) if has_end else cut_off
    return picture


def _warning_when_plain(data: bytes, header: jpeg.Header) -> re.Match[str] | None:
    """What libjpeg warns of once the JPEG holds nothing but pixels, whether or not they end in a zero."""
    first, second = (WARNING.search(_opencv(jpeg.plain(data, header, spared))[1]) for spared in (0, 1))
    return first if first and second else None


def _decode_other(data: bytes) -> np.ndarray:
    _require_size(*_size(data), len(data))
    picture, said = _opencv(data)
    if picture is None:
        raise DamagedPicture(_refusal(data, said))
    if damage := TIFF_DAMAGE.search(said):
        raise DamagedPicture(f"the TIFF is damaged: {damage[1] or damage[2]}")
    return picture


def _require_size(width: int, height: int, length: int) -> None:
    """Raise DamagedPicture if a header claims more pixels than we decode, or than `length` bytes of a photo hold."""
    if width * height > LARGEST_PHOTO:
        raise DamagedPicture(f"too large: {width} x {height} pixels, {LIMIT}")
    if width * height > MOST_PIXELS_PER_BYTE * length:
        raise DamagedPicture(f"no photo: {width} x {height} pixels in {length:,} bytes")


def _size(data: bytes) -> tuple[int, int]:
    """The width and height that a file claims which is no JPEG; (0, 0) if Pillow cannot tell."""
    try:
        with (
            _standard_error(),
            warnings.catch_warnings(action="ignore"),
            Image.open(BytesIO(data), formats=SIZED_BY_PILLOW) as image,
        ):
            is_preview = image.format == "TIFF" and image.tag_v2.get(REDUCED, 0) & 1
            size = image.size
    except Exception:  # there is no telling what a damaged header raises
        return 0, 0
    if is_preview:
        raise DamagedPicture("a TIFF that begins with a preview, as cameras' raw files do: convert it to JPEG")
    return size


def _opencv(data: bytes) -> tuple[np.ndarray | None, str]:
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
    """Why OpenCV gave no picture."""
    if "CV_IO_MAX_IMAGE" in said:
        return f"too large: {LIMIT}"
    if foreign := _named(data, FOREIGN):
        return f"{foreign}, which OpenCV here cannot decode: convert it to JPEG"
    kind = _named(data, DECODED)
    if kind is None:
        return "not a picture: OpenCV does not know the format"
    detail = re.sub(r"^.*?(?:libpng error:|: error:)\s*", "", " ".join(said.split()))[:120]
    return f"the {kind} cannot be decoded" + (f": {detail}" if detail else "")


def _named(data: bytes, names: dict[bytes, str]) -> str | None:
    return next((name for start, name in names.items() if re.match(start, data, re.DOTALL)), None)
