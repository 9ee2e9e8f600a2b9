"""The journal tells what is safe on the disk: whole checkpoints, whatever a power cut did to its end."""

import pytest

from data_prep import journal
from data_prep.journal import Outcome

OUTCOMES = [
    Outcome("written", "", 640, 480),
    Outcome("missing", "no such file"),
    Outcome("corrupt", 'cut off: "half", ü'),
    Outcome("written", "", 1, 60_000),
]
CHECKPOINTS = [2, 4, 6]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.csv"
    journal.add(path, OUTCOMES[:2])
    journal.add(path, OUTCOMES[2:])
    return path


def test_checkpoints_come_back_as_they_were_added(path, tmp_path):
    assert journal.read(path, CHECKPOINTS) == OUTCOMES
    assert journal.read(tmp_path / "absent", CHECKPOINTS) == []


def test_what_is_behind_the_last_whole_checkpoint_does_not_count(path):
    assert journal.read(path, [3, 5]) == OUTCOMES[:3]
    assert journal.read(path, [5]) == []
    journal.add(path, OUTCOMES[:1])
    assert journal.read(path, CHECKPOINTS) == OUTCOMES


@pytest.mark.parametrize(
    "torn",
    [
        b"written,,3",
        b"written,,3,",
        b"\0\0\0\0\n",
        b"written,,x,1\n",
        b'"\n',
        b"\xff\xfe\n",
        b"written\r,,3,4\n",
        b"excluded,,3,4\n",
        b"\n",
    ],
)
def test_a_torn_end_is_cut_off_and_what_is_added_then_follows_the_last_whole_line(path, torn):
    with path.open("ab") as file:
        file.write(torn)
    outcomes = journal.read(path, CHECKPOINTS)
    assert outcomes == OUTCOMES
    journal.cut(path, outcomes)
    journal.add(path, OUTCOMES[:2])
    assert journal.read(path, CHECKPOINTS) == OUTCOMES + OUTCOMES[:2]


def test_nothing_behind_a_torn_line_counts_however_whole(path):
    with path.open("ab") as file:
        file.write(b"\0\0\0\n")
    journal.add(path, OUTCOMES[:2])
    assert journal.read(path, CHECKPOINTS) == OUTCOMES


def test_a_last_line_that_lost_digits_is_not_taken_for_a_whole_one(path):
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b"60000") + 2])  # "60", and no line end
    assert journal.read(path, CHECKPOINTS) == OUTCOMES[:2]
    assert journal.read(path, [3]) == OUTCOMES[:3]


def test_it_can_be_cut_to_nothing(path):
    journal.cut(path, [])
    assert path.read_bytes() == b""
