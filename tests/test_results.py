"""Runs that are alike are averaged, the usual group stands first; what sets a run apart gives it a row of its own."""

import pytest

from experiments.run_folder import Evaluation, Prediction, RunFolder
from paper import tables
from report.results import found
from report.tables import lines

TABLE = tables()["III"]
ROW = TABLE.rows[0]
PHOTOS = [Prediction("a", 1, 0.9, 1), Prediction("b", 0, 0.1, 0)]


@pytest.fixture
def write(tmp_path):
    """write(seed, ...): a run of the first row of Table III that is done."""

    def call(seed, iteration=10_000, inputs="a", edited=False, marks=(), kept=()) -> RunFolder:
        folder = RunFolder(tmp_path / TABLE.dataset / f"{ROW.network}_{ROW.view}" / f"seed-{seed}")
        folder.path.mkdir(parents=True)
        for each in (*kept, iteration):
            folder.write_predictions(each, PHOTOS)
        folder.write_evaluations([Evaluation(n, 0.5, 0.5, 1.0, n * 0.06) for n in (*kept, iteration)])
        folder.write_record(
            {
                "run": {},
                "inputs": {"net": inputs},
                "edited": {"train_val": edited},
                "marks": list(marks),
                "attempts": [],
                "dataset": {"photos": {"train": 9, "test": 2}, "rule": "r"},
            }
        )
        folder.finish(iteration)
        return folder

    return call


def groups(results) -> list[list[int]]:
    """The seeds of each group."""
    return [[each.seed for each in group] for group in found(TABLE, ROW, results).groups]


def test_other_inputs_or_another_length_are_another_group(write, tmp_path):
    write(1)
    write(2, inputs="b")
    write(3, iteration=300)
    write(4)
    assert sorted(groups(tmp_path)) == [[1, 4], [2], [3]]


def test_the_papers_length_stands_first_then_what_is_not_edited_then_the_most_seeds_then_the_lowest(write, tmp_path):
    write(1, iteration=300)
    write(2, inputs="b", edited=True)
    write(3, inputs="b", edited=True)
    write(4, inputs="c")
    write(5, inputs="d")
    write(6, inputs="d")
    write(7, inputs="e")
    assert groups(tmp_path) == [[5, 6], [4], [7], [2, 3], [1]]


def test_a_longer_run_is_read_at_the_papers_iteration_and_a_shorter_one_at_its_last(write, tmp_path):
    write(1, iteration=20_000, kept=(10_000,))
    write(2, iteration=300)
    iterations = [group[0].result.iteration for group in found(TABLE, ROW, tmp_path).groups]
    assert iterations == [10_000, 300]
    assert lines(TABLE, tmp_path)[0].minutes == pytest.approx(10)  # up to that result, not to the end


def test_the_accuracy_at_iteration_5000_is_given_where_every_seed_has_it(write, tmp_path):
    write(1, kept=(5_000,))
    assert lines(TABLE, tmp_path)[0].ours_sufficient == 100
    write(2)
    assert lines(TABLE, tmp_path)[0].ours_sufficient is None


def test_one_marked_seed_marks_the_row(write, tmp_path):
    write(1)
    write(2, marks=["reads other photos"])
    assert lines(TABLE, tmp_path)[0].status == "see notes"


def test_what_is_no_run_by_its_name_is_named_and_hidden_files_are_not(write, tmp_path):
    variant = write(1).path.parent
    (variant / "seed-1 (copy)").mkdir()
    (variant / ".DS_Store").touch()
    assert found(TABLE, ROW, tmp_path).unreadable == [
        f"{variant}/seed-1 (copy): its name is not seed-<number>, nor seed-<number>-to-<iteration>"
    ]
