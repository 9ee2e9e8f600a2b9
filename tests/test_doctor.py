"""What doctor counts: the disk that is still to be filled, the address space of a shell."""

import resource
from types import SimpleNamespace

import pytest

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
    (finding,) = doctor_datasets.examine(tmp_path / dataset, VIEWS, photos=None)
    assert finding.problem
    assert f"{said} {tmp_path}" in finding.text
    (finding,) = doctor_datasets.examine(tmp_path / dataset, VIEWS, photos=tmp_path)
    assert (finding.problem, finding.text) == (False, f"to be prepared from {tmp_path}")
    (finding,) = doctor_datasets.examine(tmp_path / dataset, VIEWS, photos=tmp_path / "nowhere")
    assert finding.problem


def test_a_store_with_more_or_fewer_photos_than_were_written_is_found(data, monkeypatch):
    assert not any(finding.problem for finding in doctor_datasets.examine(data / "demo", VIEWS, photos=None))
    entries = doctor_datasets.entries
    for more in (-1, 1):
        monkeypatch.setattr(doctor_datasets, "entries", lambda store, more=more: entries(store) + more)
        assert sum(finding.problem for finding in doctor_datasets.examine(data / "demo", VIEWS, photos=None)) == 4
