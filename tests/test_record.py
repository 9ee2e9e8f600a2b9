"""run.json says what ran and nothing of a start that came to nothing; what changed while a run waited is refused."""

from user_error import UserError

from dataclasses import replace

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import planning, record
from experiments.job import Job
from experiments.planning import Options
from experiments.runs import Run
from experiments.snapshots import Snapshot


@pytest.fixture
def job(tmp_path, data, monkeypatch) -> Job:
    """A job that may begin; where it runs is not looked at."""
    monkeypatch.setattr(record, "provenance", lambda gpu: {"gpu": gpu})
    options = Options(data, tmp_path, gpus=None, command="")
    asked = planning.job(Run("demo", "alexnet", "global", 1), options, threads=1)
    asked.folder.path.mkdir(parents=True)
    return asked


def begin(job: Job, snapshot: Snapshot | None = None) -> tuple[dict, list[str]]:
    """The record after one more attempt, and the warnings."""
    said = []
    record.begin(job, snapshot, lambda warning: said.append(warning))
    return job.folder.record(), said


def test_an_attempt_is_added_to_those_on_the_same_inputs_and_their_failure_is_over(job):
    begin(job)
    record.add(job.folder, failure="the disk was full", transfer={"new": []})
    further = replace(job, prototxts=replace(job.prototxts, max_iter=500))
    content, _ = begin(further, Snapshot(200, 1.0, [], {}))
    assert content["max_iter"] == 500
    assert [attempt["from_iteration"] for attempt in content["attempts"]] == [0, 200]
    assert "failure" not in content
    assert content["transfer"] == {"new": []}
    assert job.folder.state() == "stopped"


def test_nothing_is_taken_over_from_a_start_on_other_inputs(job):
    begin(job)
    other = job.folder.record() | {"inputs": {"net": "other"}, "marks": ["reads other photos"], "transfer": {}}
    job.folder.write_record(other)
    content, _ = begin(job)
    assert len(content["attempts"]) == 1
    assert content["marks"] == []
    assert "transfer" not in content


def test_a_mark_stays_once_it_is_deserved_and_a_resume_that_cannot_repeat_deserves_one(job):
    texts = replace(job.prototxts, marks=["reads other photos"], unrepeatable=["layer a cannot be put back"])
    marked = replace(job, prototxts=texts)
    content, said = begin(marked)
    assert (content["marks"], said) == (["reads other photos"], [])
    content, said = begin(marked, Snapshot(3, 1.0, [], {}))
    assert content["marks"] == ["layer a cannot be put back", "reads other photos"]
    assert said == ["layer a cannot be put back"]
    content, _ = begin(job, Snapshot(6, 1.0, [], {}))
    assert content["marks"] == ["layer a cannot be put back", "reads other photos"]


def test_what_is_not_obeyed_is_said_and_kept(job):
    content, said = begin(replace(job, prototxts=replace(job.prototxts, overridden=["random_seed: 7 is not used"])))
    assert content["overridden"] == said == ["random_seed: 7 is not used"]


def test_a_diff_of_an_earlier_start_is_removed_where_nothing_is_edited_any_more(job):
    texts = replace(job.prototxts, written_solver=job.prototxts.written_solver.replace("momentum: 0.9", "momentum: 0"))
    content, _ = begin(replace(job, prototxts=texts))
    assert content["edited"] == {"train_val": False, "solver": True}
    assert "+momentum: 0" in (job.folder.path / "edits.diff").read_text(encoding="utf-8").splitlines()
    content, _ = begin(job)
    assert content["edited"] == {"train_val": False, "solver": False}
    assert not (job.folder.path / "edits.diff").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net", "the net"),
        ("rules", "the solver"),
        ("weights", "the pretrained model"),
        ("dataset", "the dataset"),
    ],
)
def test_an_input_that_changed_while_a_run_waited_is_refused(job, name, said):
    record.check_unchanged(job)
    waited = replace(job, inputs=job.inputs | {name: "what it was"})
    with pytest.raises(UserError, match=f"^{said} changed while this run waited: call again"):
        record.check_unchanged(waited)
