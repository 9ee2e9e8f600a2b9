"""Why a file is no whole picture is told rightly, and decoding leaves the process as it was."""

import os
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep.decoder import DamagedPicture, decode


@pytest.fixture(scope="module")
def jpeg(draw_picture):
    return cv2.imencode(".jpg", draw_picture(3, 400, 300))[1].tobytes()


def reason(data):
    with pytest.raises(DamagedPicture) as damage:
        decode(data)
    return str(damage.value)


def test_an_empty_file_is_said_to_be_empty():
    assert reason(b"") == "the file is empty"


def test_a_jpeg_that_was_cut_off_and_padded_is_said_to_be_cut_off_whatever_its_comments_hold(jpeg):
    cut = jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2)
    assert reason(cut).startswith("cut off")
    end_in_a_comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    assert reason(cut[:2] + end_in_a_comment + cut[2:]).startswith("cut off")


@pytest.mark.parametrize("data", [b"not a BM", b"<html>GIF8</html>", b"RIF\xff\xd8\xff"])
def test_a_file_of_another_kind_is_no_picture_even_if_a_signature_is_somewhere_inside(data):
    assert reason(data).startswith("not a picture")


@pytest.mark.parametrize(
    ("begin", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "an HEIC file"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "an HEIC file"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL file"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera's raw file"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
    ],
)
def test_a_format_that_opencv_cannot_decode_is_called_by_its_name(begin, name):
    assert reason(begin + bytes(500)) == f"{name}, which OpenCV here cannot decode: convert it to JPEG"


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "TIFF", "PPM"])
def test_other_formats_that_opencv_decodes_are_decoded(draw_picture, kind):
    file = BytesIO()
    Image.fromarray(draw_picture(3)).save(file, kind)
    expected = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decode(file.getvalue()), expected)


def test_a_tiff_that_begins_with_a_preview_is_not_taken_for_the_photo(draw_picture):
    file = BytesIO()
    Image.fromarray(draw_picture(3, 160, 120)).save(file, "TIFF", tiffinfo={254: 1})
    assert "preview" in reason(file.getvalue())


def test_a_picture_for_which_the_memory_is_too_small_is_damaged_and_no_crash(jpeg, monkeypatch):
    def imdecode(*_):
        raise MemoryError

    monkeypatch.setattr(cv2, "imdecode", imdecode)
    assert "too large for the memory" in reason(jpeg)


def test_the_processes_standard_error_is_its_own_again_after_decoding(jpeg, capfd):
    decode(jpeg)
    reason(jpeg[:900] + bytes(200) + jpeg[1100:])
    descriptors = len(os.listdir("/proc/self/fd"))
    decode(jpeg)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    os.write(2, b"after\n")  # where C code writes, too
    assert capfd.readouterr().err == "after\n"
