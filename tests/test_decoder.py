"""Damaged files are recognised: never a crash, never grey filling passed off as a photo."""

import random
import re
import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from conftest import REAL_PHOTOS, ROOT
from PIL import Image

from data_prep import jpeg
from data_prep.decoder import DamagedPicture, decode

FAULTS = ROOT.parent / "shared" / "faults"
END = b"\xff\xd9"


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


def opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def restarting(draw_picture):
    """A JPEG with a restart marker after each four blocks."""
    return cv2.imencode(".jpg", draw_picture(3, 400, 300), [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])[1].tobytes()


def test_every_whole_photo_is_whole(whole_jpegs):
    assert {verdict(data) for data in whole_jpegs} == {"whole"}
    assert all(np.array_equal(decode(data), opencv(data)) for data in whole_jpegs)


def test_a_photo_that_lacks_only_its_end_marker_has_all_its_pixels(whole_jpegs):
    for data in whole_jpegs:
        end = data.rindex(END)
        for cut in (data[:end], data[: end + 1]):
            assert np.array_equal(decode(cut), opencv(data))


def test_a_photo_that_lacks_its_end_marker_and_a_byte_of_pixels_is_cut_off(whole_jpegs):
    for data in whole_jpegs:
        end = data.rindex(END)
        for missing in (1, 2, 3, 8, 100):
            assert verdict(data[: end - missing]).startswith("cut off"), missing


def test_a_progressive_photo_that_lacks_whole_scans_is_cut_off(draw_picture):
    """Each scan that is there is decoded without a warning: the picture is only coarser."""
    data = cv2.imencode(".jpg", draw_picture(3, 400, 300), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert np.array_equal(decode(data.removesuffix(END)), opencv(data))
    later = list(jpeg.scans(data))[1:]
    assert len(later) > 5
    for scan in later:
        tables = data.rindex(b"\xff\xc4", 0, scan.begin)
        for cut in (scan.begin, scan.begin + 1, tables):
            assert verdict(data[:cut]).startswith("cut off")


def test_a_photo_with_a_scan_for_each_component_has_to_hold_all_of_them(draw_picture):
    greys = [cv2.imencode(".jpg", plane)[1].tobytes() for plane in cv2.split(draw_picture(3, 400, 300))]
    tables = [data for marker, data in parts(greys[0]) if marker in (0xC4, 0xDB)]
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 300, 400, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    scans = [
        b"\xff\xda\0\x08\1" + bytes([component, 0, 0, 63, 0]) + grey[jpeg.header(grey).scan.end : grey.rindex(END)]
        for component, grey in enumerate(greys, 1)
    ]
    begin = jpeg.START + b"".join(tables) + frame
    whole = begin + b"".join(scans)
    assert np.array_equal(decode(whole), opencv(whole + END))
    assert verdict(begin + b"".join(scans[:2])).startswith("cut off")


def parts(data):
    return [(segment.marker, data[segment.begin : segment.end]) for segment in jpeg.segments(data)]


def test_a_photo_cut_off_anywhere_is_damaged(whole_jpegs):
    places = random.Random(7)
    for data in whole_jpegs:
        for cut in (1, 2, 3, len(data) - 3, *places.sample(range(len(data) - 2), 12)):
            assert verdict(data[:cut]) != "whole", cut


@pytest.mark.parametrize("padding", [1, 2, 8, 63, 64, 65, 240, 5000])
def test_any_number_of_zeros_or_ones_before_the_end_is_padding(whole_jpegs, padding):
    for data in whole_jpegs[:4]:
        for byte in (b"\0", b"\xff"):
            padded = data.removesuffix(END) + byte * padding
            assert np.array_equal(decode(padded + END), opencv(data))
            assert np.array_equal(decode(padded), opencv(data))


@pytest.mark.parametrize("stray", [8, 63, 64, 65, 240, 5000])
def test_any_other_bytes_before_the_end_are_pixels_that_the_decoder_lost(whole_jpegs, stray):
    for data in whole_jpegs[:4]:
        for lost in (random.Random(stray).randbytes(stray), b"\x11" * stray, bytes(stray - 1) + b"\x11"):
            assert "extraneous bytes" in verdict(data.removesuffix(END) + lost + END)


def test_stray_bytes_before_a_restart_are_judged_as_those_before_the_end(restarting):
    places = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", restarting)]
    for place in places[:: len(places) // 5]:
        before, after = restarting[:place], restarting[place:]
        for padding in (bytes(2), bytes(64), bytes(240), b"\xff" * 64):
            assert np.array_equal(decode(before + padding + after), opencv(restarting))
        for stray in (b"\x11" * 64, b"\x11" * 240, bytes(63) + b"\x11"):
            assert "extraneous bytes" in verdict(before + stray + after)


@pytest.mark.parametrize(("last", "channels"), [(b"\0", 3), (b"\xff\0", 1)], ids=["0x00", "0xff, written as 0xff 0x00"])
def test_padding_may_follow_pixels_that_end_in_such_a_byte_themselves(last, channels):
    found = 0
    for seed in range(200):
        data = noise(seed, 8, 8, channels)
        pixels = data.removesuffix(END)
        if pixels.endswith(last) and not pixels.endswith(b"\0\0"):
            assert np.array_equal(decode(pixels + bytes(100) + END), opencv(data)), seed
            found += 1
    assert found


def test_padding_at_the_end_does_not_put_in_doubt_zeros_before_restarts():
    data = noise(1, 300, 24, 3, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
    assert re.search(rb"[^\0\xff]\0\xff[\xd0-\xd7]", data)
    assert np.array_equal(decode(data.removesuffix(END) + bytes(100) + END), opencv(data))


def noise(seed, width, height, channels, *options):
    """A JPEG of grey noise; with three channels, its colours are coded as zeros."""
    plane = np.random.default_rng(seed).integers(0, 256, (height, width, 1), np.uint8)
    picture = np.repeat(plane, channels, axis=2)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100, *options])[1].tobytes()


def test_padding_before_a_restart_may_follow_pixels_that_end_in_0xff():
    data = noise(1, 300, 24, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
    place = re.search(rb"\xff\0(?=\xff[\xd0-\xd7])", data).end()
    assert np.array_equal(decode(data[:place] + bytes(64) + data[place:]), opencv(data))


def test_a_harmless_warning_does_not_hide_damage_in_later_scans(draw_picture):
    """Not even if a comment between the scans holds an end marker."""
    data = cv2.imencode(".jpg", draw_picture(3, 400, 300), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    *_, scan, last = jpeg.scans(data)
    tables = data.rindex(b"\xff\xc4", 0, scan.begin)
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    odd = data[:20] + b"\x11\x22\x33" + data[20:tables] + comment + data[tables:]
    assert np.array_equal(decode(odd), opencv(data))
    half = (len(data) - last.end) // 2
    assert verdict(odd[: -half - 200] + odd[-half:]) != "whole"


def test_pixels_of_which_some_became_zeros_are_not_padding(whole_jpegs):
    """A hole of zeros that reaches to the end marker: the decoder takes some for pixels, the rest for padding."""
    for data in whole_jpegs:
        for hole in (9, 500, len(data) // 3):
            end = data.rindex(END)
            assert verdict(data[: end - hole] + bytes(hole) + END) != "whole"


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


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_what_libtiff_reports_is_damage(draw_picture, compression):
    file = BytesIO()
    Image.fromarray(draw_picture(3)).save(file, "TIFF", compression=compression)
    data = file.getvalue()
    assert verdict(data) == "whole"
    random_bytes = random.Random(1).randbytes(512)
    for place in (600, 1000, 1400):
        assert "TIFF" in verdict(data[:place] + random_bytes + data[place + 512 :]), place


@pytest.mark.skipif(not FAULTS.is_dir(), reason="the files that failed are not here")
@pytest.mark.parametrize(
    ("name", "is_as"),
    [
        ("whole-but-for-the-end-marker.jpg", "reference.png"),
        ("whole-but-for-the-last-byte.jpg", "reference.png"),
        ("two-stray-bytes-before-a-restart-marker.jpg", "reference-restart.png"),
        ("64-stray-bytes-before-the-end.jpg", None),
        ("240-stray-bytes-before-the-end.jpg", None),
        ("jpeg_32000x32000.jpg", None),
    ],
)
def test_files_that_failed_once_get_the_right_verdict(name, is_as):
    data = (FAULTS / name).read_bytes()
    if is_as:
        assert np.array_equal(decode(data), cv2.imread(str(FAULTS / is_as)))
    else:
        assert verdict(data) != "whole"


@pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="the real photographs are not here")
@pytest.mark.parametrize(
    "options", [{}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str
)
def test_real_photos_encoded_in_any_way_are_whole_and_have_opencvs_pixels(options):
    for path in sorted(REAL_PHOTOS.glob("*.jpg"))[::4]:
        file = BytesIO()
        Image.open(path).save(file, "JPEG", **options)
        for data in (path.read_bytes(), file.getvalue()):
            assert np.array_equal(decode(data), opencv(data)), path
