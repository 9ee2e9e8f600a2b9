"""The journal tells what is safe on the disk: whole checkpoints, whatever a power cut did to its end."""

import pytest

from data_prep import journal
from data_prep.photos import Outcome

OUTCOMES = [
    Outcome("written", "", 640, 480, "123-456", "ab" * 16, ("cd" * 8, "ef" * 8)),
    Outcome("missing", "no such file"),
    Outcome("corrupt", 'cut off: "half", ü \udcff'),
    Outcome("written", "", 1, 60_000, "", "01" * 16, ("23" * 8, "45" * 8)),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.csv"
    journal.add(path, OUTCOMES[:2])
    journal.add(path, OUTCOMES[2:])
    return path


def test_checkpoints_come_back_as_they_were_added(path, tmp_path):
    assert journal.read(path, 6, 2) == OUTCOMES
    assert journal.read(tmp_path / "absent", 6, 2) == []


def test_what_is_behind_the_last_whole_checkpoint_does_not_count(path):
    assert journal.read(path, 6, 3) == OUTCOMES[:3]
    assert journal.read(path, 6, 5) == []
    assert journal.read(path, 4, 3) == OUTCOMES
    journal.add(path, OUTCOMES[:1])
    assert journal.read(path, 6, 2) == OUTCOMES


@pytest.mark.parametrize(
    "torn",
    [
        b"written,,3",
        b"written,,3,4,,,,",
        b"\0\0\0\0\n",
        b"written,,3,4,,,,\n",
        b"written,,3,4,,,,0123456789abcdef\n",
        b'"\n',
        b"\xff\xfe\n",
        b"\n",
    ],
)
def test_a_torn_end_is_cut_off_and_what_is_added_then_follows_the_last_whole_line(path, torn):
    with path.open("ab") as file:
        file.write(torn)
    outcomes = journal.read(path, 6, 2)
    assert outcomes == OUTCOMES
    journal.cut(path, outcomes)
    journal.add(path, OUTCOMES[:2])
    assert journal.read(path, 6, 2) == OUTCOMES + OUTCOMES[:2]


def test_nothing_behind_a_torn_line_counts_however_whole(path):
    with path.open("ab") as file:
        file.write(b"\0\0\0\n")
    journal.add(path, OUTCOMES[:2])
    assert journal.read(path, 6, 2) == OUTCOMES


def test_a_line_of_which_a_cell_was_changed_does_not_count(path):
    path.write_bytes(path.read_bytes().replace(b"60000", b"50000"))
    assert journal.read(path, 6, 2) == OUTCOMES[:2]


def test_a_last_line_that_lost_digits_is_not_taken_for_a_whole_one(path):
    path.write_bytes(path.read_bytes()[:-3])  # and no line end
    assert journal.read(path, 6, 2) == OUTCOMES[:2]
    assert journal.read(path, 4, 3) == OUTCOMES[:3]


def test_it_can_be_cut_to_nothing(path):
    journal.cut(path, [])
    assert path.read_bytes() == b""
