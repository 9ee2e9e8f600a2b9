"""A view is what Caffe's own convert_imageset would make of the file, and what III-C says of the patch."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import REAL_PHOTOS
from PIL import Image

from data_prep import datums, stores, views
from data_prep.decoder import decode
from data_prep.pictures import Place
from data_prep.records import Wanted, make_records

CONVERT = Path(sys.executable).parent / "convert_imageset"


def as_file(picture, extension=".png", *options):
    return cv2.imencode(extension, picture, list(options))[1].tobytes()


def odd_pictures(folder, picture):
    """Files of every kind that OpenCV 4.6 and later decode alike, most of them named .jpg."""
    image = Image.fromarray(picture[:, :, ::-1])
    image.convert("L").save(folder / "grey.jpg")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.save(folder / "progressive.jpg", progressive=True)
    image.save(folder / "full chroma.jpg", subsampling=0)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        image.save(folder / f"turned{turn}.jpg", exif=exif)
    image.save(folder / "png.jpg", format="PNG")
    image.save(folder / "webp.jpg", format="WEBP")
    image.save(folder / "bmp.jpg", format="BMP")
    image.convert("P").save(folder / "palette.jpg", format="PNG")
    transparent = image.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(image.size))
    transparent.save(folder / "transparent.jpg", format="PNG")
    deep = picture.astype(np.uint16) * 253 + 99
    (folder / "16 bits.jpg").write_bytes(as_file(deep))
    (folder / "16 bits grey.jpg").write_bytes(as_file(deep[:, :, 0]))
    for width, height in ((1, 1), (1, 700), (900, 2), (255, 256), (256, 257), (2000, 90)):
        (folder / f"{width}x{height}.jpg").write_bytes(as_file(picture_of(width, height)))


def picture_of(width, height):
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def require_parity(folder, names):
    """Compare the global view of each file with the Datum that convert_imageset writes for it."""
    listing = folder.parent / "list.txt"
    listing.write_text("".join(f"{name} 1\n" for name in names))
    store = folder.parent / "converted_lmdb"
    shutil.rmtree(store, ignore_errors=True)
    size = ["--resize_height=256", "--resize_width=256"]
    subprocess.run([CONVERT, *size, f"{folder}/", listing, store], check=True, capture_output=True, timeout=60)
    converted = [view for _, _, view in stores.read_records(store)]
    assert len(converted) == len(names)
    for name, theirs in zip(names, converted, strict=True):
        ours = views.global_view(decode((folder / name).read_bytes()))
        assert np.array_equal(ours, theirs), name


@pytest.mark.skipif(not CONVERT.exists(), reason="convert_imageset is not built")
def test_the_global_view_is_convert_imagesets_byte_for_byte_on_odd_pictures(tmp_path, draw_picture):
    folder = tmp_path / "odd"
    folder.mkdir()
    odd_pictures(folder, draw_picture(1, 301, 333))
    require_parity(folder, sorted(path.name for path in folder.iterdir()))


@pytest.mark.skipif(not CONVERT.exists(), reason="convert_imageset is not built")
@pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="the real photographs are not here")
def test_the_global_view_is_convert_imagesets_byte_for_byte_on_real_photos(tmp_path):
    folder = tmp_path / "photos"
    folder.symlink_to(REAL_PHOTOS)
    require_parity(folder, sorted(path.name for path in REAL_PHOTOS.glob("*.jpg")))


@pytest.mark.parametrize(("width", "height"), [(256, 256), (257, 256), (301, 400), (800, 600), (256, 999)])
def test_the_local_view_is_the_central_patch_of_the_picture_as_it_is(width, height):
    picture = picture_of(width, height)
    left, top = (width - 256) // 2, (height - 256) // 2
    patch = picture[top : top + 256, left : left + 256]
    assert np.array_equal(views.local_view(picture), patch)
    assert not views.is_enlarged(picture)


@pytest.mark.parametrize(
    ("width", "height"), [(255, 256), (256, 255), (160, 640), (640, 160), (100, 80), (1, 1), (3, 2)]
)
def test_a_small_picture_is_enlarged_to_a_shorter_side_of_256_first(width, height):
    picture = picture_of(width, height)
    scale = 256 / min(width, height)
    enlarged = cv2.resize(picture, (round(width * scale), round(height * scale)))
    left, top = (enlarged.shape[1] - 256) // 2, (enlarged.shape[0] - 256) // 2
    patch = enlarged[top : top + 256, left : left + 256]
    assert np.array_equal(views.local_view(picture), patch)
    assert views.is_enlarged(picture)


def test_a_very_long_picture_does_not_take_memory_in_proportion_to_its_enlargement():
    assert views.local_view(picture_of(60_000, 1)).shape == (256, 256, 3)  # 256 x 15 M pixels
    assert views.local_view(picture_of(1, 60_000)).shape == (256, 256, 3)


def test_a_gif_named_jpg_is_decoded(tmp_path, draw_picture):
    Image.fromarray(draw_picture(1)[:, :, ::-1]).save(tmp_path / "gif.jpg", format="GIF")
    assert decode((tmp_path / "gif.jpg").read_bytes()).shape == (280, 300, 3)


def test_both_views_and_both_forms_of_record_come_from_one_file(tmp_path, draw_picture):
    path = tmp_path / "a.jpg"
    path.write_bytes(as_file(draw_picture(1, 320, 200), ".jpg"))
    picture = decode(path.read_bytes())
    for encoded in (False, True):
        places = [memoryview(bytearray(datums.RECORD_BYTES)) for _ in range(2)]
        wanted = Wanted(("global", "local"), encoded)
        outcome, lengths = make_records(Place(str(path)), 1, wanted, places)
        assert (outcome.status, outcome.width, outcome.height) == ("written", 320, 200)
        for view, place, length in zip(
            (views.global_view(picture), views.local_view(picture)), places, lengths, strict=True
        ):
            datum = datums.Datum.FromString(bytes(place[:length]))
            assert (datum.label, datum.encoded) == (1, encoded)
            pixels = datums.pixels(datum)
            error = np.abs(pixels.astype(int) - view).mean()
            assert error == 0 if not encoded else error < 3


def test_what_cannot_be_read_is_an_outcome_and_no_exception(tmp_path):
    wanted = Wanted(("global",), False)
    places = [memoryview(bytearray(datums.RECORD_BYTES))]
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("<html>404</html>")
    (tmp_path / "folder.jpg").mkdir()
    outcomes = {
        name: make_records(Place(str(tmp_path / f"{name}.jpg")), 1, wanted, places)[0]
        for name in ("absent", "empty", "text", "folder")
    }
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "absent": "missing", "empty": "corrupt", "text": "corrupt", "folder": "corrupt",
    }  # fmt: skip
    assert "not a picture" in outcomes["text"].reason
