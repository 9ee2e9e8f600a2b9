"""Damaged files are recognised: never a crash, never grey filling passed off as a photo."""

import random

import cv2
import pytest
from conftest import REAL_PHOTOS

from data_prep.decoder import DamagedPicture, decode


@pytest.fixture(scope="module")
def whole_jpegs(draw_picture):
    """Real photographs where they are here, drawn ones where not, and one progressive and one with restarts."""
    picture = draw_picture(3, 400, 300)
    options = ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])
    drawn = [cv2.imencode(".jpg", picture, flags)[1].tobytes() for flags in options]
    return drawn + [path.read_bytes() for path in sorted(REAL_PHOTOS.glob("*.jpg"))[::8]]


def verdict(data):
    try:
        return decode(data).shape and "whole"
    except DamagedPicture as damage:
        return str(damage)


def test_every_whole_photo_is_whole(whole_jpegs):
    assert {verdict(data) for data in whole_jpegs} == {"whole"}


def test_a_photo_cut_off_anywhere_is_damaged(whole_jpegs):
    places = random.Random(7)
    for data in whole_jpegs:
        for cut in (1, 2, 3, len(data) - 1, len(data) - 2, *places.sample(range(len(data)), 12)):
            assert verdict(data[:cut]) != "whole", cut


def test_a_photo_whose_rest_is_zeros_is_damaged(whole_jpegs):
    """What a download leaves behind that had allocated its space and was cut off."""
    places = random.Random(8)
    for data in whole_jpegs:
        for cut in places.sample(range(len(data)), 6):
            assert verdict(data[:cut] + bytes(len(data) - cut)) != "whole", cut


def test_a_hole_of_zeros_in_the_pixels_is_seen_nearly_always(whole_jpegs):
    """A lost sector; a decoder that happens to get back in step gives no warning."""
    large = [data for data in whole_jpegs if len(data) > 20_000]
    holed = [data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096 :] for data in large]
    assert sum(verdict(data) == "whole" for data in holed) <= len(holed) / 6


def test_flipped_bits_never_crash_and_end_in_a_picture_or_a_reason(whole_jpegs):
    places = random.Random(9)
    verdicts = []
    for data in whole_jpegs:
        for _ in range(20):
            flipped = bytearray(data)
            for _ in range(places.randint(1, 4)):
                flipped[places.randrange(len(data))] ^= 1 << places.randrange(8)
            verdicts.append(verdict(bytes(flipped)))
    assert all(verdicts)
    assert any(text != "whole" for text in verdicts)


def test_random_bytes_after_any_signature_never_crash():
    noise = random.Random(10)
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF____WEBPVP8 ", b"BM", b"II*\0", b"")
    for start in starts:
        for length in (0, 1, 5, 50, 3000):
            assert verdict(start + noise.randbytes(length)) != "whole"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d + b"trailing bytes", id="bytes after the end"),
        pytest.param(lambda d: d + d, id="a second picture after the end"),
        pytest.param(lambda d: d[:20] + b"\x11\x22\x33" + d[20:], id="bytes between segments"),
        pytest.param(lambda d: d[:-2] + b"\0\0\0" + d[-2:], id="bytes before the end"),
        pytest.param(lambda d: d[:11] + b"\x07" + d[12:], id="odd JFIF version"),
        pytest.param(lambda d: d[:2] + b"\xff\xe1\x00\x10Exif\0\0broken!!" + d[2:], id="broken EXIF"),
        pytest.param(lambda d: d[:2] + b"\xff\xfe\x00\x06\xff\xd9\xff\xd9" + d[2:], id="end in a comment"),
    ],
)
def test_harmless_oddities_are_no_damage(draw_picture, change):
    data = cv2.imencode(".jpg", draw_picture(3, 400, 300))[1].tobytes()
    assert data[2:4] == b"\xff\xe0"
    assert data[6:10] == b"JFIF"
    assert int.from_bytes(data[4:6]) == 16  # so the second segment begins at 20
    assert verdict(change(data)) == "whole"


def test_a_harmless_warning_does_not_hide_damage(draw_picture):
    """libjpeg prints its first warning only."""
    data = cv2.imencode(".jpg", draw_picture(3, 400, 300))[1].tobytes()
    middle = len(data) // 2
    damaged = data[:middle] + bytes(1500) + data[middle + 1500 :]
    assert verdict(damaged) != "whole"
    odd = damaged[:20] + b"\x11\x22\x33" + damaged[20:]
    assert verdict(odd) != "whole"


@pytest.mark.parametrize("extension", [".png", ".webp", ".gif", ".bmp", ".tiff"])
def test_other_formats_cut_off_are_damaged_too(draw_picture, extension):
    data = cv2.imencode(extension, draw_picture(3))[1].tobytes()
    assert verdict(data) == "whole"
    for share in (0.1, 0.5, 0.9, 0.99):
        assert verdict(data[: int(len(data) * share)]) != "whole", share
