"""Why a file is no whole picture is told rightly, and decoding leaves the process as it was."""

import os

import cv2
import pytest

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


@pytest.mark.parametrize(("stray", "is_whole"), [(3, True), (50, True), (80, False), (2000, False)])
def test_a_few_stray_bytes_before_the_end_are_harmless_and_many_are_lost_pixels(jpeg, stray, is_whole):
    data = jpeg[:-2] + b"\x11" * stray + jpeg[-2:]
    if is_whole:
        assert decode(data).shape == (300, 400, 3)
    else:
        assert "extraneous bytes" in reason(data)


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
