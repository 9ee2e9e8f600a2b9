"""Small files whose headers claim huge pictures are refused before any memory is taken for the pixels."""

import re
import resource
import struct
import subprocess
import sys
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from data_prep import jpeg
from data_prep.decoder import LARGEST_PHOTO, MOST_SCANS, DamagedPicture, decode
from data_prep.pictures import LARGEST_FILE

REPORT = """
import resource, sys
from data_prep.decoder import DamagedPicture, decode
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(data)
except DamagedPicture as damage:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, damage)
"""


def decoded_apart(data):
    """(KB that it took, reason) of decoding in a process of its own, under a limit of CPU seconds."""
    limit = 10
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        input=data,
        cwd=ROOT,
        capture_output=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
    )
    taken, reason = done.stdout.decode().split(maxsplit=1)
    return int(taken), reason


def jpeg_of(width, height, **options):
    """A JPEG whose header claims that size; it has pixels for 300x280 only."""
    file = BytesIO()
    Image.effect_noise((300, 280), 50).save(file, "JPEG", **options)
    return re.sub(rb"(\xff[\xc0\xc2]\0\x0b\x08)....", rb"\1" + struct.pack(">HH", height, width), file.getvalue())


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def bmp_of(width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1054, 0, 0, 54) + header + bytes(1_000_000)


def gif_of(width, height):
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x4c\1\0;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame


def tiff_of(width, height):
    entries = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 400),
        (277, 1),
        (278, height),
        (279, 99),
    ]
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + fields + bytes(1000)


def jpeg_2000_of(width, height):
    file = BytesIO()
    Image.effect_noise((300, 280), 50).save(file, "JPEG2000", no_jp2=True)
    data = bytearray(file.getvalue())
    place = data.index(b"\xff\x51") + 6
    data[place : place + 8] = struct.pack(">II", width, height)
    return bytes(data)


def webp_of(width, height):
    file = BytesIO()
    Image.effect_noise((300, 280), 50).save(file, "WEBP")
    return re.sub(rb"(\x9d\x01\x2a)....", rb"\1" + struct.pack("<HH", width, height), file.getvalue(), flags=re.DOTALL)


KINDS = {
    "JPEG": (jpeg_of, 32_000),
    "progressive JPEG": (lambda width, height: jpeg_of(width, height, progressive=True), 32_000),
    "PNG": (png_of, 30_000),
    "BMP": (bmp_of, 30_000),
    "GIF": (gif_of, 65_535),
    "TIFF": (tiff_of, 30_000),
    "JPEG 2000": (jpeg_2000_of, 30_000),
    "WebP": (webp_of, 16_383),
}


@pytest.mark.parametrize(("make", "side"), KINDS.values(), ids=KINDS)
def test_a_header_that_claims_too_many_pixels_is_refused_without_the_memory_for_them(make, side):
    taken, reason = decoded_apart(make(side, side))
    assert reason.startswith(f"too large: {side} x {side} pixels")
    assert taken < 100_000


def test_the_limit_is_that_of_the_paper_toml_and_what_is_within_it_is_decoded(draw_picture, monkeypatch):
    assert LARGEST_PHOTO == 200_000_000
    assert LARGEST_FILE == 500_000_000
    for extension in (".jpg", ".png"):
        data = cv2.imencode(extension, draw_picture(3, 300, 280))[1].tobytes()
        monkeypatch.setattr("data_prep.decoder.LARGEST_PHOTO", 300 * 280)
        assert decode(data).shape == (280, 300, 3)
        monkeypatch.setattr("data_prep.decoder.LARGEST_PHOTO", 300 * 280 - 1)
        with pytest.raises(DamagedPicture, match="too large: 300 x 280 pixels"):
            decode(data)


def test_a_format_that_pillow_does_not_know_is_refused_by_opencv_in_processes_that_we_start():
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n" + bytes(1_000_000)
    code = f"import data_prep.decoder, subprocess, sys; subprocess.run([sys.executable, '-c', {REPORT!r}])"
    done = subprocess.run([sys.executable, "-c", code], input=radiance, cwd=ROOT, capture_output=True, check=True)
    taken, reason = done.stdout.decode().split(maxsplit=1)
    assert int(taken) < 100_000
    assert reason.startswith("too large")


def test_a_progressive_jpeg_of_a_thousand_scans_is_refused_before_they_are_decoded():
    data = jpeg_of(8000, 8000, progressive=True)
    last = list(jpeg.scans(data))[-1]
    scan = data[last.begin : data.rindex(jpeg.END)]
    _, reason = decoded_apart(data.removesuffix(jpeg.END) + 1000 * scan + jpeg.END)
    assert reason.startswith(f"more than {MOST_SCANS} scans")


def test_a_colour_profile_or_text_that_unpacks_to_half_a_gigabyte_is_not_unpacked_into_memory():
    packed = zlib.compressobj(9)
    bomb = b"".join(packed.compress(bytes(1 << 20)) for _ in range(512)) + packed.flush()
    png = png_of(30_000, 30_000)
    for name in (b"iCCP", b"zTXt"):
        taken, _ = decoded_apart(png[:33] + chunk(name, b"x\0\0" + bomb) + png[33:])
        assert taken < 200_000


def test_a_header_that_claims_far_more_pixels_than_its_bytes_can_hold_is_refused_and_one_colour_is_not():
    _, bmp = cv2.imencode(".bmp", np.zeros((64, 64, 3), np.uint8))
    claimed = bytearray(bmp.tobytes())
    claimed[18:26] = (13_000).to_bytes(4, "little") * 2
    with pytest.raises(DamagedPicture, match="no photo: 13000 x 13000 pixels in 12,342 bytes"):
        decode(bytes(claimed))
    for kind in (".png", ".jpg"):
        _, plain = cv2.imencode(kind, np.full((1500, 2000, 3), 7, np.uint8))
        assert decode(plain.tobytes()).shape == (1500, 2000, 3)
