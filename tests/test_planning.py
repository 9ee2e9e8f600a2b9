"""What is left to do: a folder's work is continued on the same inputs alone, and what decides a result is hashed."""

from user_error import UserError

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import planning
from experiments.job import Job
from experiments.planning import Options, dataset_digest, is_done, slots
from experiments.run_folder import Prediction
from experiments.runs import Run, runs

RUN = Run("demo", "alexnet", "global", 1)
RECORD = {"run": {}, "attempts": [], "dataset": {"photos": {"train": 1, "test": 1}, "rule": "r"}, "threads": 3}


@pytest.fixture
def options(tmp_path, data) -> Options:
    return Options(data, tmp_path / "results", gpus=None, command="")


def job(options: Options) -> Job:
    return planning.job(RUN, options, threads=1)


def leave_work(options: Options, inputs: dict[str, str], iteration: int | None = None) -> None:
    """A snapshot of a run on these inputs, or its result."""
    folder = RUN.folder(options.results)
    folder.snapshots.mkdir(parents=True)
    (folder.snapshots / "iter_3.json").touch()
    folder.write_record(RECORD | {"inputs": inputs})
    if iteration:
        folder.write_predictions(iteration, [Prediction("a", 1, 0.9, 1)])
        folder.finish(iteration)


def test_work_on_the_same_inputs_is_continued_with_the_threads_that_it_began_with(options):
    asked = job(options)
    assert asked.threads == 1
    leave_work(options, asked.inputs)
    assert job(options).threads == 3


@pytest.mark.parametrize("name", ["net", "rules", "weights", "dataset", "files"])
def test_work_on_other_inputs_is_refused_by_their_name(options, name):
    leave_work(options, job(options).inputs | {name: "another"})
    said = {
        "net": "the net", "rules": "the solver", "weights": "the pretrained model", "dataset": "the dataset",
        "files": "a file that the net names",
    }[name]  # fmt: skip
    with pytest.raises(UserError, match=rf"holds a run from before {said} changed: move it away"):
        job(options)


def test_a_start_that_came_to_nothing_stands_in_nobodys_way(options):
    folder = RUN.folder(options.results)
    folder.path.mkdir(parents=True)
    folder.write_record(RECORD | {"inputs": {"net": "another"}, "failure": "the net does not fit"})
    assert job(options).threads == 1


def test_work_of_version_0_1_is_read_where_it_is_done_and_never_continued(options):
    asked = replace(options, max_iter=400)
    leave_work(options, {"train_val": "a", "solver": "b"}, iteration=400)
    assert is_done(job(asked))
    with pytest.raises(UserError, match="an unfinished run of an earlier version: move it away"):
        job(replace(options, max_iter=500))


def test_done_means_a_result_at_exactly_the_iteration_asked_for(options):
    leave_work(options, job(options).inputs, iteration=400)
    assert is_done(job(replace(options, max_iter=400)))
    assert not is_done(job(replace(options, max_iter=399)))
    assert not is_done(job(replace(options, max_iter=401)))


def test_a_job_holds_absolute_paths_wherever_the_command_was_typed(options, monkeypatch):
    monkeypatch.chdir(options.data.parent)
    asked = job(replace(options, data=Path(options.data.name), results=Path("results")))
    assert asked.data == options.data
    assert asked.folder.path == options.data.parent / "results" / RUN.name


SUMMARY = {
    "splits": {"train": {"written": 9}, "test": {"written": 3}},
    "views": ["global", "local"],
    "rule": "r",
    "command": "c",
    "lists_sha256": {"train": "a"},
    "parameters": {"seed": 1},
    "roots": {"photos": "there"},
    "versions": {"python": "3.11.2", "numpy": "1"},
}


def test_a_dataset_is_another_one_when_its_lists_views_parameters_or_programs_are_and_not_when_it_moved(tmp_path):
    def digest(**changed) -> str:
        (tmp_path / "summary.json").write_text(json.dumps(SUMMARY | changed))
        return dataset_digest(tmp_path)

    same = digest()
    assert digest(command="d", roots={"photos": "elsewhere"}, versions={"python": "3.11.9", "numpy": "1"}) == same
    others = [
        digest(lists_sha256={"train": "b"}),
        digest(views=["global"]),
        digest(parameters={"seed": 2}),
        digest(splits={"train": {"written": 8}, "test": {"written": 3}}),
        digest(versions={"python": "3.11.2", "numpy": "2"}),
    ]
    assert len({same, *others}) == 6


def test_the_cores_are_enough_for_the_run_with_the_most_threads(options, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    asked = job(options)
    assert slots([asked, replace(asked, threads=4), asked], options) == [None] * 2


def test_a_job_is_the_same_on_the_other_side_of_the_pipe(options):
    asked = replace(job(options), gpu=1, command="run 'my data' é")
    assert Job.from_json(asked.to_json()) == asked


def test_runs_are_asked_for_once_each_seed_by_seed_the_slow_networks_first():
    asked = runs("demo", ["alexnet", "vgg16", "alexnet"], ["local", "local"], [2, 1, 2])
    assert [(run.network, run.view, run.seed) for run in asked] == [
        ("vgg16", "local", 2), ("alexnet", "local", 2), ("vgg16", "local", 1), ("alexnet", "local", 1)
    ]  # fmt: skip
