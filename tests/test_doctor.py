"""What doctor counts: the disk that is still to be filled, the address space of a shell."""

import resource
from types import SimpleNamespace

import pytest

from experiments import doctor, weights
from experiments.run_folder import RunFolder


@pytest.fixture
def job(tmp_path):
    """A job with a model of 1,000 bytes: 6,000 bytes for three snapshots, weights and momentum each."""
    model = tmp_path / "model"
    model.write_bytes(bytes(1000))
    return SimpleNamespace(weights=model, folder=RunFolder(tmp_path / "run"))


@pytest.mark.parametrize(("free", "is_problem"), [(12_001, False), (12_000, True)])
def test_the_snapshots_of_all_runs_that_are_left_have_to_fit(job, tmp_path, monkeypatch, free, is_problem):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert doctor.disk([job, job], tmp_path).problem is is_problem


def test_what_is_written_already_is_not_asked_for_again(job, tmp_path, monkeypatch):
    job.folder.snapshots.mkdir(parents=True)
    (job.folder.snapshots / "x_iter_3.caffemodel").write_bytes(bytes(2000))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4_001))
    assert not doctor.disk([job], tmp_path).problem


def test_a_limit_of_address_space_is_a_problem_where_a_run_takes_more(monkeypatch):
    model = weights.Model("m", "m", bytes=500_000_000, sha256="")
    for limit, is_problem in ((resource.RLIM_INFINITY, False), (20 * 2**30, False), (6 * 2**30, True)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert doctor._memory([model]).problem is is_problem
