"""Runs whose nets cannot fit into the memory that is free are refused before they start."""

from user_error import UserError

from types import SimpleNamespace

import pytest

from experiments import memory
from experiments.footprint import Footprint
from experiments.gpus import UNKNOWN, Gpu
from experiments.planning import Options
from experiments.preflight import Trial
from experiments.runs import Run

GIB = 2**30
NETS = {"vgg16": 6, "alexnet": 2}  # GiB of a run


def trial(network: str) -> Trial:
    return Trial(footprint=Footprint(weights=GIB, training=(NETS[network] - 1) * GIB, test=0))


def card(free: str, index: int = 0, processes: tuple[str, ...] = ()) -> Gpu:
    return Gpu(index, "NVIDIA L4", "580.65.06", "8.9", "1", "23034", free, processes)


def said(networks, cards=(), threads=1, trials=None, **options):
    """What is said of runs of these networks, one of each seed."""
    runs = [Run("ava-large", network, "global", seed) for seed, network in enumerate(networks, 1)]
    trials = {run.name: trial(run.network) for run in runs} if trials is None else {run.name: trials for run in runs}
    given = Options(**{"data": None, "results": None, "gpus": None, "command": ""} | options)
    jobs = [SimpleNamespace(run=run, threads=threads) for run in runs]
    return list(memory.examine(jobs, trials, given, cards))


def test_a_net_that_cannot_fit_on_a_card_is_a_problem_with_its_fix():
    (finding,) = said(["vgg16"], [card("6143", processes=("process 7, a: 500 MiB",))], gpus=[0])
    assert (finding.subject, finding.problem) == ("GPU", True)
    assert finding.text == (
        "ava-large/vgg16_global takes at least 6.00 GiB, 6.00 GiB are free on GPU 0: another one (--gpu), or half the"
        " batch_size in train_val.prototxt with iter_size: 2 in the solver (that of the test net changes no score); it"
        " is used by process 7, a: 500 MiB"
    )


def test_a_net_that_fits_by_less_than_cuda_takes_is_a_note():
    (tight,) = said(["vgg16"], [card("6144")], gpus=[0])
    assert not tight.problem
    assert tight.text.startswith(
        "note: ava-large/vgg16_global takes at least 6.00 GiB, 6.00 GiB are free on GPU 0, and"
    )
    assert "and some 1.8 GiB come on top (an estimate): another one" in tight.text
    (roomy,) = said(["vgg16"], [card("8192")], gpus=[0])
    assert roomy.text == "ava-large/vgg16_global takes at least 6.00 GiB, 8.00 GiB are free on GPU 0"


def test_runs_that_share_a_card_have_to_fit_together_the_largest_of_them():
    (finding,) = said(["alexnet", "vgg16", "alexnet"], [card("8000")], gpus=[0], per_gpu=2)
    assert finding.problem
    assert finding.text.startswith(
        "2 runs side by side (ava-large/vgg16_global, ava-large/alexnet_global) take at least 8.00 GiB, 7.81 GiB are"
        " free on GPU 0: fewer runs on it (--per-gpu), another one"
    )
    assert not said(["alexnet"], [card("8000")], gpus=[0], per_gpu=4)[0].problem  # one is no four


def test_each_card_has_to_hold_what_comes_to_it():
    cards = [card("8000"), card("3000", 1)]
    apart = said(["vgg16", "alexnet"], cards, gpus=[0, 1], per_gpu=2)
    assert [(finding.problem, finding.text[:17]) for finding in apart] == [
        (False, "ava-large/vgg16_g"),
        (False, "ava-large/alexnet"),
    ]
    waiting = said(["vgg16", "alexnet", "vgg16"], cards, gpus=[0, 1])  # the third goes where the first one ends
    assert [finding.problem for finding in waiting] == [False, True]


@pytest.mark.parametrize("cards", [[card(UNKNOWN)], [card("[Not Supported]")], []])
def test_where_a_cards_memory_is_unknown_nothing_is_said(cards):
    assert said(["vgg16"], cards, gpus=[0]) == []


def test_of_nets_that_were_not_counted_nothing_is_said():
    assert said(["vgg16"], [card("1")], trials=Trial(), gpus=[0]) == []
    assert said(["vgg16"], trials=Trial()) == []


@pytest.fixture
def machine(monkeypatch):
    """machine(GiB, swap=GiB): eight cores, and that much memory free."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))

    def have(free: float, swap: float = 0) -> None:
        monkeypatch.setattr(memory, "free", lambda: int(free * GIB))
        monkeypatch.setattr(memory.psutil, "swap_memory", lambda: SimpleNamespace(free=swap * GIB))

    return have


def test_runs_side_by_side_on_the_cpu_have_to_fit_together(machine):
    machine(10)
    (finding,) = said(["vgg16", "vgg16"], threads=4)
    assert (finding.subject, finding.problem) == ("memory", True)
    assert (
        "take at least 12.00 GiB, 10.00 GiB are free: fewer side by side (--threads 8: one), half the" in finding.text
    )
    (one,) = said(["vgg16", "vgg16"], threads=8)
    assert (one.problem, one.text) == (False, "ava-large/vgg16_global takes at least 6.00 GiB, 10.00 GiB are free")


def test_what_would_be_swapped_out_is_a_note(machine):
    machine(5, swap=2)
    (finding,) = said(["vgg16"], threads=8)
    assert (finding.problem, finding.text.startswith("note: ")) == (False, True)


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/slurm/job\n", {"slurm": ("max", 9, 0), "slurm/job": (GIB, GIB // 2, GIB // 4)}),  # of a batch job
        ("0::/slurm/job\n", {"slurm": (GIB, GIB // 2, GIB // 4), "slurm/job": ("max", 9, 0)}),  # of one above
        ("0::/\n", {".": (GIB, GIB // 2, GIB // 4)}),  # of a container
    ],
)
def test_memory_that_a_container_or_a_batch_job_may_not_take_is_not_free(tmp_path, monkeypatch, membership, files):
    (tmp_path / "membership").write_text(membership)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    for folder, (limit, used, cached) in files.items():
        place = tmp_path / "cgroup" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(f"{limit}\n")
        (place / "memory.current").write_text(f"{used}\n")
        (place / "memory.stat").write_text(f"anon 5\ninactive_file {cached - 2}\nactive_file 2\n")
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))
    assert memory.free() == GIB * 3 // 4


def test_the_limit_of_an_older_container_counts_although_its_path_is_the_hosts(tmp_path, monkeypatch):
    (tmp_path / "membership").write_text("9:name=systemd:/\n4:cpu,memory:/docker/1f\n0::/\n")
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / "memory").mkdir()
    for name, text in (("limit_in_bytes", 5 * GIB), ("usage_in_bytes", GIB), ("stat", "total_active_file 1")):
        (tmp_path / "memory" / f"memory.{name}").write_text(f"{text}\n")
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))
    assert memory.free() == 4 * GIB + 1
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "none")
    assert memory.free() == 8 * GIB


def test_run_and_doctor_compare_the_memory(data, tmp_path, machine, monkeypatch, capsys):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from experiments import doctor, preflight, sweep

    run = Run("demo", "alexnet", "global", 1)
    options = Options(data, tmp_path / "results", gpus=None, command="", threads=1)
    monkeypatch.setattr(preflight, "try_out", lambda jobs: {job.run.name: trial("alexnet") for job in jobs})
    machine(2.2)
    assert sweep.run([run], options, dry_run=True) == 0
    assert "memory: note: demo/alexnet_global takes at least 2.00 GiB, 2.20 GiB are free" in capsys.readouterr().out
    machine(1.5)
    with pytest.raises(
        UserError, match=r"memory: demo/alexnet_global takes at least 2.00 GiB, 1.50 GiB are free: half"
    ):
        sweep.run([run], options, dry_run=True)
    problems = [finding for finding in doctor.check_up([run], options) if finding.problem]
    assert [finding.text.partition(":")[0] for finding in problems] == [
        "demo/alexnet_global takes at least 2.00 GiB, 1.50 GiB are free"
    ]
