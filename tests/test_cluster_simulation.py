"""The simulation of preempted runs counts every second once, and agrees with what is known of snapshot intervals."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cluster import HOUR, Costs, attempt, daly, demands, half_of_each, mean_of, simulate, young

COSTS = Costs(batch=50, iterations=10_000, iteration=0.18, snapshot=5, snapshot_bytes=455e6, start=10, replay=5_000)


def seconds(came) -> float:
    return came.snapshots + came.resuming + came.again


def test_a_run_that_is_left_alone_loses_its_snapshots_alone():
    spent = simulate([COSTS], 1, 1000, 1e12, False, np.random.default_rng(0))
    assert (spent.resuming, spent.again) == (0, 0)
    assert spent.snapshots == pytest.approx(10 * 5 / HOUR)
    assert spent.makespan == pytest.approx(spent.useful + spent.lost) == pytest.approx((1800 + 10 + 50) / HOUR)


def test_a_run_that_is_killed_loses_what_came_after_its_last_snapshot():
    came = attempt(COSTS, 0, 1000, 10 + 2 * 185 + 100, warned=False)
    assert (came.reached, came.snapshots, came.again) == (2000, 10, pytest.approx(100))
    assert came.seconds == pytest.approx(seconds(came) + 2000 * COSTS.iteration)


def test_a_run_that_is_warned_loses_no_whole_iteration():
    came = attempt(COSTS, 2000, 1000, COSTS.resuming(2000) + 100, warned=True)
    assert came.reached == 2000 + int(100 / 0.18)
    assert came.again < COSTS.iteration


def test_a_resume_reads_all_batches_so_far_again():
    assert COSTS.resuming(10_000) == 10 + 500_000 / 5_000
    came = attempt(COSTS, 9000, 1000, 60, warned=False)  # taken away meanwhile
    assert (came.reached, came.resuming, came.seconds) == (9000, 60, 60)


@pytest.mark.parametrize("warned", [False, True])
def test_every_second_of_a_gpu_is_counted_once(warned):
    spent = simulate([COSTS] * 5, 1, 1000, HOUR, warned, np.random.default_rng(3))
    assert spent.makespan == pytest.approx(spent.useful + spent.lost)


def test_the_best_interval_is_young_s_and_daly_s_where_resuming_costs_nothing():
    costs = replace(COSTS, start=0, replay=1e12)
    lost = {
        interval: mean_of([costs] * 100, 1, interval, HOUR, False, 5).lost
        for interval in (100, 300, 500, 1000, 2000, 4000, 10_000)
    }
    assert min(lost, key=lost.get) == 1000
    assert young(costs, HOUR) == pytest.approx(1054, abs=1)
    assert daly(costs, HOUR) == pytest.approx(1036, abs=1)


def test_many_runs_take_as_long_as_the_gpus_are_few():
    few, many = (simulate([COSTS] * 64, gpus, 1000, 1e12, False, np.random.default_rng(0)) for gpus in (8, 64))
    assert few.makespan == pytest.approx(8 * many.makespan)


def test_half_of_the_runs_are_of_each_network_and_the_slow_ones_are_first():
    slow = replace(COSTS, iteration=0.36)
    assert half_of_each([COSTS, slow], 4) == [slow, slow, COSTS, COSTS]


def test_what_a_run_asks_of_the_disk_is_its_training_and_its_test_passes():
    *_, row = demands({"alexnet": COSTS}, [1, 8])
    assert row.startswith("| alexnet | 780,000 | 153 GB | 85 MB/s | 682 MB/s | 4.5 GB, 2.5 MB/s |")
