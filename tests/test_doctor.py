"""What doctor counts and looks at: the disk that is to be filled, the shell, datasets and what they are made from."""

import json
import resource
import shutil
from collections import namedtuple
from types import SimpleNamespace

import pytest
from harness import TEST, TRAIN

from experiments import doctor, doctor_datasets, weights
from experiments.planning import Options
from experiments.run_folder import RunFolder
from paper import VIEWS


@pytest.fixture
def run(tmp_path):
    """A run of a model of 1,000 bytes: 6,000 bytes for three snapshots, weights and momentum each."""
    return (1000, RunFolder(tmp_path / "run"))


@pytest.mark.parametrize(("free", "is_problem"), [(12_001, False), (12_000, True)])
def test_the_snapshots_of_all_runs_that_are_left_have_to_fit(run, tmp_path, monkeypatch, free, is_problem):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert doctor.disk([run, run], tmp_path).problem is is_problem


def test_what_is_written_already_is_not_asked_for_again(run, tmp_path, monkeypatch):
    snapshots = run[1].snapshots
    snapshots.mkdir(parents=True)
    (snapshots / "x_iter_3.caffemodel").write_bytes(bytes(2000))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4_001))
    assert not doctor.disk([run], tmp_path).problem


def test_a_limit_of_address_space_is_a_problem_where_a_run_takes_more(monkeypatch):
    model = weights.Model("m", "m", bytes=500_000_000, sha256="")
    for limit, is_problem in ((resource.RLIM_INFINITY, False), (20 * 2**30, False), (6 * 2**30, True)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert doctor._memory([model]).problem is is_problem


def test_the_address_space_that_counts_is_that_of_the_largest_model(monkeypatch):
    models = [weights.Model("m", "m", bytes=number, sha256="") for number in (1000, 500_000_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (6 * 2**30,) * 2)
    assert doctor._memory(models).problem
    assert not doctor._memory(models[:1]).problem


def test_a_folder_of_results_that_may_not_be_written_is_found_before_the_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    finding = doctor.disk([run], tmp_path / "results" / "deeper")
    assert finding.problem
    assert finding.text == f"{tmp_path} may not be written: give another --results"


def test_results_that_are_a_file_are_found_before_the_run(tmp_path):
    (tmp_path / "results").touch()
    found = doctor.examine([], Options(tmp_path, tmp_path / "results", gpus=None, command=""))
    assert [finding.subject for finding in found if finding.problem] == ["results"]


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("ava-small", "data_prep ava --root AVA --partition small --out"),
        ("cuhkpq-small", "data_prep cuhkpq --root CUHKPQ --partition small --out"),
        ("cuhkpq-large", "data_prep cuhkpq --root CUHKPQ --partition large --extra PHOTOS --out"),
        ("demo", "--partition large --name demo --allow-bad 2 --out"),
    ],
)
def test_a_dataset_that_is_not_prepared_comes_with_the_command_that_prepares_it(tmp_path, dataset, said):
    (finding,) = doctor_datasets.examine(tmp_path / dataset, VIEWS, photos={})
    assert finding.problem
    assert f"{said} {tmp_path}" in finding.text


def unprepared(dataset, out, **photos):
    """What doctor says of a dataset that is to be prepared from these photos."""
    (finding,) = doctor_datasets.examine(out / dataset, VIEWS, photos)
    return finding


def test_photos_that_a_dataset_can_be_prepared_from_are_counted_and_its_size_is_told(tmp_path, make_ava):
    finding = unprepared("ava-large", tmp_path, root=make_ava(20, test_list=range(1000, 1005)))
    text = f"to be prepared from {tmp_path / 'ava'}: 15 training and 5 test photos, 8 MB"
    assert (finding.problem, finding.text) == (False, text)


def test_a_prepared_dataset_says_which_photos_it_is_from_when_others_are_named(data, tmp_path, monkeypatch):
    content = json.loads((data / "demo" / "summary.json").read_text()) | {"inputs": {"root": str(data)}}
    monkeypatch.setattr(doctor_datasets.summary, "read", lambda _: content)

    def texts(root):
        return [(found.problem, found.text) for found in doctor_datasets.examine(data / "demo", VIEWS, {"root": root})]

    assert (False, f"note: prepared already, from {data}: {tmp_path} is not looked at") in texts(tmp_path)
    assert any(problem and "is not a folder" in text for problem, text in texts(tmp_path / "nowhere"))
    assert len(texts(data)) == 1


def test_what_would_stop_the_preparation_is_said_before_anything_is_downloaded(
    tmp_path, make_ava, make_cuhkpq, monkeypatch
):
    def says(words, dataset, **photos):
        finding = unprepared(dataset, tmp_path / "data", **photos)
        return finding.problem and words in finding.text and "\n" not in finding.text

    assert says("no AVA.txt", "ava-large", root=tmp_path)
    assert says("is not a folder", "cuhkpq-small", root=tmp_path / "nowhere")
    cuhkpq = make_cuhkpq({"HighQuality": (3,) * 7, "LowQuality": (4,) * 7})
    assert says("--extra DIR", "cuhkpq-large", root=cuhkpq)
    ava = make_ava(60, pictures=False)
    assert says("pictures", "ava-small", root=ava)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "total used free")(1, 1, 0))
    assert says("are needed", "cuhkpq-small", root=cuhkpq)


def test_deep_reads_every_record_and_names_a_store_that_changed(data, tmp_path, monkeypatch):
    (finding,) = doctor_datasets.deep(data / "demo")
    assert not finding.problem
    assert f"all {2 * (TRAIN + TEST):,} records are views (no digests" in finding.text
    summary = json.loads((data / "demo" / "summary.json").read_text())
    monkeypatch.setattr(doctor_datasets.summary, "read", lambda _: summary | {"stores_xxh3": {"test_local_lmdb": "0"}})
    (finding,) = doctor_datasets.deep(data / "demo")
    assert finding.problem
    assert "test_local_lmdb does not hold what was prepared" in finding.text


def test_a_store_with_more_or_fewer_photos_than_were_written_is_found(data, monkeypatch):
    assert not any(finding.problem for finding in doctor_datasets.examine(data / "demo", VIEWS, photos={}))
    entries = doctor_datasets.entries
    for more in (-1, 1):
        monkeypatch.setattr(doctor_datasets, "entries", lambda store, more=more: entries(store) + more)
        assert sum(finding.problem for finding in doctor_datasets.examine(data / "demo", VIEWS, photos={})) == 4
