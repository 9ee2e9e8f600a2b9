"""A run beyond the iteration that is reported is a run of its own: it continues the other, which stays as it is."""

import json
import re
import shutil
import signal

import pytest
from harness import ALEXNET, LONG, RUN, call, edit, record, rows, run_folder, start, wait_for_iteration, weights_in

from experiments.run_folder import RunFolder

pytest.importorskip("caffe", reason="Caffe is not built here")

REPORTED, LONGER = 6, 9
TO = ("--max-iter", str(LONGER))
NAME = f"{ALEXNET}/seed-1-to-{LONGER}"


@pytest.fixture
def short(checkout):
    """A checkout whose demo is reported at iteration 6, its sufficient one at 3."""
    edit(checkout / "paper.toml", r"(?<=\nmax_iter = \{ value = )400", str(REPORTED))
    edit(checkout / "paper.toml", r"(?<=\nsufficient_iter = \{ value = )5000", "3")
    for path in (checkout / "solvers/demo").glob("*.prototxt"):
        edit(path, r"max_iter: \d+", f"max_iter: {REPORTED}")
    return checkout


def longer(checkout):
    return run_folder(checkout).with_name(f"seed-1-to-{LONGER}")


def end(checkout, folder, iteration=LONGER):
    return weights_in(folder / f"snapshots/{ALEXNET.replace('/', '_')}_iter_{iteration}.caffemodel")


def content(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_longer_run_continues_the_finished_one_to_the_bits_of_an_undisturbed_one(short):
    call(short, *RUN)
    before = content(run_folder(short))
    said = call(short, *RUN, *TO)
    assert f"{NAME}: continues seed-1 from iteration {REPORTED}; that stays as it is" in said
    assert content(run_folder(short)) == before
    folder, own = longer(short), json.loads((longer(short) / "run.json").read_text())
    assert own["continues"] == {"run": "seed-1", "iteration": REPORTED}
    assert own["run"] == record(short)["run"] | {"to": LONGER}
    assert [attempt["from_iteration"] for attempt in own["attempts"]] == [0, REPORTED]
    assert [int(row["iteration"]) for row in rows(folder / "metrics.csv")] == [0, 3, 4, 6, 8, 9]
    for iteration in (3, REPORTED):
        name = f"predictions_iter_{iteration}.csv"
        assert (folder / name).read_bytes() == (run_folder(short) / name).read_bytes()
    assert f"{NAME}: done already" in call(short, *RUN, *TO)
    continued = end(short, folder)
    shutil.rmtree(short / "results")
    said = call(short, *RUN, *TO)
    assert f"{NAME}: begins at iteration 0, as no sound snapshot of seed-1 is of the same inputs" in said
    assert end(short, folder) == continued


def test_the_table_has_a_longer_run_in_a_row_of_its_own_and_status_lists_it(short):
    call(short, *RUN)
    alone = call(short, "table", "demo").splitlines()
    call(short, *RUN, *TO)
    table = call(short, "table", "demo")
    (usual,) = (line for line in alone if line.startswith("Global view, AlexNet "))
    assert usual.split() in [line.split() for line in table.splitlines()]
    assert re.search(rf"^Global view, AlexNet, to {LONGER} +– .* at iteration {LONGER}$", table, re.M)
    assert re.search(rf"{NAME} +done +{LONGER} of {LONGER} ", call(short, "status"))


def test_a_longer_run_that_was_stopped_resumes_and_a_still_longer_one_continues_it(short):
    call(short, *RUN)
    process = start(short, *RUN, "--max-iter", str(LONG))
    wait_for_iteration(short, REPORTED + 3, process, f"seed-1-to-{LONG}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    reached = RunFolder(longer(short).with_name(f"seed-1-to-{LONG}")).newest_snapshot()
    assert reached > REPORTED
    said = call(short, *RUN, "--max-iter", str(reached + 2))
    assert f"continues seed-1-to-{LONG} from iteration {reached};" in said


def test_what_a_longer_run_cannot_begin_with_is_said_and_leaves_nothing_that_counts(short):
    call(short, *RUN)
    kept = run_folder(short) / f"predictions_iter_{REPORTED}.csv"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9])
    output = call(short, *RUN, *TO, status=1)
    assert f"predictions_iter_{REPORTED}.csv: is not the file that the run wrote" in output
    assert not list(longer(short).glob("snapshots/*"))
    kept.write_bytes(whole)
    for path in (run_folder(short) / "snapshots").glob("*.solverstate"):
        path.write_bytes(b"cut off")
    output = call(short, *RUN, *TO)
    assert f"seed-1 has no sound snapshot: {NAME} begins at iteration 0" in output.replace("\n", " ")
    assert record(short)["max_iter"] == REPORTED


def test_an_edit_of_the_solvers_length_makes_a_longer_run_too(short):
    edit(short / f"solvers/{ALEXNET}.prototxt", r"max_iter: \d+", f"max_iter: {LONGER}")
    assert f"{NAME}: to do (missing)" in call(short, *RUN, "--dry-run")
