"""What a file holds decides what becomes of its photo; only a photo that is not there is missing."""

import pytest

from data_prep.pictures import Place
from data_prep.records import Wanted, make_records


@pytest.mark.parametrize("wanted", [Wanted(("global",), encoded) for encoded in (False, True)])
def test_a_photo_below_a_file_that_should_be_a_folder_is_missing_and_writes_nothing(tmp_path, wanted):
    (tmp_path / "images").touch()
    outcome, lengths = make_records(Place(str(tmp_path / "images" / "1.jpg")), 1, wanted, [memoryview(bytearray(9))])
    assert (outcome.status, outcome.width, outcome.height, lengths) == ("missing", 0, 0, [])


def test_a_file_that_cannot_be_read_is_corrupt_with_the_systems_reason(tmp_path):
    (tmp_path / "1.jpg").symlink_to("1.jpg")
    outcome, lengths = make_records(Place(str(tmp_path / "1.jpg")), 1, Wanted(("global",), False), [])
    assert (outcome.status, lengths) == ("corrupt", [])
    assert "symbolic links" in outcome.reason
