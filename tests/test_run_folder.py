"""A result is what was written, at exactly its iteration, every test photo once; who reads it disturbs nothing."""

import json
import shutil
import threading
import time

import pytest

from experiments.kept_files import Unreadable
from experiments.run_folder import Evaluation, Prediction, Progress, RunFolder, seed_folders, strangers
from files import locked

PHOTOS = [Prediction("a", 1, 0.9, 1), Prediction("b", 0, 0.2, 0), Prediction("c", 1, 0.4, 0)]


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A run of 400 iterations that is done, and kept its predictions of iteration 200."""
    run = RunFolder(tmp_path / "seed-1")
    run.path.mkdir()
    dataset = {"photos": {"train": 9, "test": len(PHOTOS)}, "rule": "r"}
    run.write_record({"run": {}, "inputs": {}, "attempts": [], "dataset": dataset, "max_iter": 400})
    run.write_evaluations([Evaluation(200, 0.6, 0.5, 1 / 3, 9.0), Evaluation(400, 0.5, 0.4, 2 / 3, 19.0)])
    run.write_predictions(200, PHOTOS[::-1])
    run.write_predictions(400, PHOTOS)
    run.finish(400)
    return run


def test_a_result_is_that_of_exactly_the_iteration_asked_for(folder):
    assert folder.result(400).predictions == folder.result().predictions == PHOTOS
    assert folder.result(200).predictions == PHOTOS[::-1]
    assert folder.result(300) is None
    assert (folder.path / "predictions.csv").read_bytes() == folder.predictions(400).read_bytes()


def test_a_run_that_has_no_done_has_no_result(folder):
    folder.done.unlink()
    assert folder.result() is None
    assert folder.state() == "stopped"


def test_a_finished_result_stays_until_a_later_one_is_whole(folder):
    folder.write_predictions(500, PHOTOS[1:])  # killed here, before it is declared done
    assert folder.result().iteration == 400
    assert folder.result(500) is None


def test_a_result_of_an_earlier_version_is_readable(folder):
    folder.done.write_text(json.dumps({"iteration": 400}))
    shutil.copy(folder.predictions(400), folder.path / "predictions.csv")
    for kept in folder.path.glob("predictions_iter_*"):
        kept.unlink()
    assert folder.result(400).predictions == PHOTOS
    assert folder.result(200) is None


DAMAGES = {
    "lost lines": ("predictions_iter_400.csv", lambda text: text[: text.index(b"c,")]),
    "a flipped label": ("predictions_iter_400.csv", lambda text: text.replace(b"b,0", b"b,1")),
    "an empty list": ("predictions_iter_400.csv", lambda text: b""),
    "a list cut within a line": ("predictions_iter_400.csv", lambda text: text[:-4]),
    "bytes that are no text": ("predictions_iter_400.csv", lambda text: b"\xff\x00" + text),
    "an empty record": ("run.json", lambda text: b""),
    "a cut record": ("run.json", lambda text: text[:-20]),
    "a record that is a list": ("run.json", lambda text: b"[]"),
    "a record without its dataset": ("run.json", lambda text: text.replace(b'"dataset"', b'"datasets"')),
    "an empty done": ("done", lambda text: b""),
    "a done of no iteration": ("done", lambda text: b'{"iteration": "soon"}'),
    "a done of nothing": ("done", lambda text: b"null"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_named_and_never_a_result(folder, name):
    file, damage = DAMAGES[name]
    path = folder.path / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Unreadable, match=rf"{file}: .+") as error:
        folder.result(400)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["run.json", "done", "predictions_iter_400.csv"])
def test_a_folder_in_a_files_place_is_named(folder, file):
    (folder.path / file).unlink()
    (folder.path / file).mkdir()
    with pytest.raises(Unreadable, match=f"{file}: Is a directory"):
        folder.result(400)


def test_an_old_list_that_names_a_photo_twice_is_no_result(folder):
    folder.done.write_text(json.dumps({"iteration": 400}))
    text = (folder.path / "predictions.csv").read_text()
    (folder.path / "predictions.csv").write_text(text.replace("c,", "a,"))
    with pytest.raises(Unreadable, match="photo a is there more than once"):
        folder.result()


def test_two_readers_at_once_do_not_take_each_other_for_a_run_at_work(folder):
    with folder.lock():
        assert folder.is_locked()
    with locked(folder.path / "lock", shared=True):
        assert not folder.is_locked()
        assert folder.state() == "done"


def test_reading_makes_no_file(folder):
    before = sorted(folder.path.iterdir())
    assert (folder.state(), folder.is_locked(), folder.progress()) == ("done", False, None)
    assert sorted(folder.path.iterdir()) == before


def test_progress_with_other_contents_is_named(folder):
    folder.write_progress(Progress(3, 1, 0.5))
    assert folder.progress() == Progress(3, 1, 0.5)
    (folder.path / "progress.json").write_text('{"iteration": "x", "from_iteration": 1, "seconds": 2}')
    with pytest.raises(Unreadable, match=r"progress\.json"):
        folder.progress()


def test_only_folders_named_seed_and_a_number_are_runs(tmp_path):
    for name in ("seed-2", "seed-10", "seed-1-old", "seed-01", "seed-", "notes.txt"):
        (tmp_path / name).mkdir()
    assert [folder.path.name for folder in seed_folders(tmp_path)] == ["seed-2", "seed-10"]
    assert [path.name for path in strangers(tmp_path)] == ["notes.txt", "seed-", "seed-01", "seed-1-old"]


def test_a_run_that_failed_on_its_way_further_is_failed_and_keeps_its_result(folder):
    folder.write_record(folder.record() | {"max_iter": 500, "failure": "no room on the disk"})
    assert folder.state() == "failed"
    assert folder.result().iteration == 400


def test_a_result_is_work_and_so_is_a_snapshot(folder):
    assert folder.holds_work()
    folder.done.unlink()
    assert not folder.holds_work()
    folder.snapshots.mkdir()
    (folder.snapshots / "iter_3.json").touch()
    assert folder.holds_work()


def test_a_start_does_not_fail_because_somebody_looks(folder):
    def look():
        with locked(folder.path / "lock", shared=True):
            looking.set()
            time.sleep(0.2)

    with folder.lock():
        pass
    looking = threading.Event()
    reader = threading.Thread(target=look)
    reader.start()
    looking.wait()
    with folder.lock():
        assert folder.is_locked()
    reader.join()


OLD_LISTS = {
    "a line that is cut": ("c,1,0.4,0", "c,1,0.4"),
    "a probability beyond one": ("c,1,0.4,0", "c,1,1.4,0"),
    "a probability that is no number": ("c,1,0.4,0", "c,1,nan,0"),
    "a label of a third kind": ("c,1,0.4,0", "c,2,0.4,0"),
    "a verdict of a third kind": ("c,1,0.4,0", "c,1,0.4,2"),
}


@pytest.mark.parametrize("name", OLD_LISTS)
def test_a_list_of_an_earlier_version_is_checked_line_by_line(folder, name):
    path = folder.path / "predictions.csv"
    folder.done.write_text(json.dumps({"iteration": 400}))
    path.write_text(path.read_text().replace(*OLD_LISTS[name]))
    with pytest.raises(Unreadable, match=r"predictions\.csv: "):
        folder.result()


def test_a_test_set_of_no_photo_gives_no_result(folder):
    record = folder.record()
    folder.write_record(record | {"dataset": record["dataset"] | {"photos": {"train": 9, "test": 0}}})
    folder.write_predictions(400, [])
    folder.finish(400)
    with pytest.raises(Unreadable, match="holds 0 photos"):
        folder.result()


def test_a_list_of_a_later_version_may_have_more_columns(folder):
    path = folder.predictions(400)
    path.write_text("".join(f"{line},x\n" for line in path.read_text().splitlines()))
    folder.finish(400)
    assert folder.result().predictions == PHOTOS


def test_a_record_whose_inputs_are_no_hashes_is_named(folder):
    folder.write_record(folder.record() | {"inputs": {"net": 1}})
    with pytest.raises(Unreadable, match=r"run\.json: lacks what a result needs"):
        folder.result()
