"""A claim of the paper's holds, or does not, where our runs show it; else it cannot be told, or was not run."""

import re

import numpy as np
import pytest

from experiments.run_folder import Evaluation, Prediction, RunFolder
from paper import claims as papers_claims
from paper import stated, tables
from report.claims import TOLD, Claim, claims, render
from report.comparison import mcnemar
from report.datasets import of_dataset
from report.verdicts import FAILS, HOLDS, NOT_RUN, OPEN, Part, of_all, of_any, of_those_run

PHOTOS = 1_000
NAN = float("nan")
H100 = {"name": "NVIDIA H100", "index": 0}


def right(first: int, last: int = 0) -> np.ndarray:
    """The first so many photos are right, and the last so many."""
    return (np.arange(PHOTOS) < first) | (np.arange(PHOTOS) >= PHOTOS - last)


def predictions(right: np.ndarray, prefix: str = "photo") -> list[Prediction]:
    """Half of the photos are good."""
    labels = np.arange(len(right)) % 2
    return [
        Prediction(f"{prefix}{number}", int(label), 0.5, int(label if is_right else 1 - label))
        for number, (label, is_right) in enumerate(zip(labels, right, strict=True))
    ]


@pytest.fixture
def write(tmp_path):
    """write(variant, right, ...): a run that is done, and has the photos `right` right at its last iteration."""

    def call(variant, right, seed=1, last=10_000, kept=None, rows=(), gpu=None, edited=False, prefix="photo") -> None:
        folder = RunFolder(tmp_path / variant / f"seed-{seed}")
        folder.path.mkdir(parents=True)
        for iteration, each in {**(kept or {}), last: right}.items():
            folder.write_predictions(iteration, predictions(each, prefix))
        folder.write_evaluations([Evaluation(*row) for row in rows])
        folder.write_record(
            {
                "run": {"seed": seed},
                "inputs": {"net": "edited" if edited else "as written", "dataset": "a"},
                "edited": {"train_val": edited},
                "attempts": [{"gpu": gpu}],
                "dataset": {"photos": {"train": 1, "test": len(right)}, "rule": "r"},
                "max_iter": last,
            }
        )
        folder.finish(last)

    return call


def told(results, dataset: str, name: str) -> Claim:
    """One claim, of the runs below `results`."""
    (found,) = (claim for claim in claims(of_dataset(dataset, results, results), results) if claim.name == name)
    return found


@pytest.mark.parametrize(
    ("of_alexnet", "verdict", "number"),
    [
        (right(800), HOLDS, "+10.00 points (100 photos right against 0, p < 0.001)"),
        (right(890), HOLDS, "+1.00 points (10 photos right against 0, p = 0.002)"),
        (right(895), OPEN, "+0.50 points (5 photos right against 0, p = 0.062)"),
        (right(880, 15), OPEN, "+0.50 points (20 photos right against 15, p = 0.500)"),
        (right(910), FAILS, "-1.00 points (0 photos right against 10, p = 0.002)"),
    ],
)
def test_one_net_is_above_another_by_mcnemars_exact_test(write, tmp_path, of_alexnet, verdict, number):
    for view in ("global", "local"):
        write(f"cuhkpq-small/vgg16_{view}", right(900))
        write(f"cuhkpq-small/alexnet_{view}", of_alexnet)
    claim = told(tmp_path, "cuhkpq-small", "vggnet-cuhkpq")
    assert (claim.section, claim.is_the_papers, claim.verdict) == ("IV-B", True, verdict)
    assert claim.number == f"global view: {number}; local view: {number}"
    assert claim.how.startswith("McNemar's exact test")


def test_mcnemars_p_is_the_exact_binomial_of_the_discordant_pairs():
    differences = np.repeat([1, -1, 0], [8, 2, 500])
    assert mcnemar(differences) == mcnemar(-differences) == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert mcnemar(np.zeros(500)) == 1


def test_a_claim_on_all_pairs_needs_all_and_one_counterexample_refutes_it(write, tmp_path):
    write("demo/vgg16_global", right(900), last=400)
    assert told(tmp_path, "demo", "vggnet-cuhkpq").verdict == NOT_RUN
    write("demo/alexnet_global", right(800), last=400)
    claim = told(tmp_path, "demo", "vggnet-cuhkpq")
    assert claim.verdict == OPEN
    assert claim.number.endswith("; local view: not run")
    write("demo/vgg16_local", right(700), last=400)
    write("demo/alexnet_local", right(800), last=400)
    assert told(tmp_path, "demo", "vggnet-cuhkpq").verdict == FAILS


def test_verdicts_on_parts_become_one():
    def parts(*verdicts):
        return [Part("", verdict) for verdict in verdicts]

    assert of_all(parts(HOLDS, HOLDS)) == of_any(parts(HOLDS, FAILS, OPEN)) == HOLDS
    assert of_all(parts(HOLDS, FAILS, NOT_RUN)) == of_any(parts(FAILS, NOT_RUN)) == FAILS
    assert of_all(parts(HOLDS, NOT_RUN)) == of_all(parts(HOLDS, OPEN)) == of_any(parts(FAILS, OPEN)) == OPEN
    assert of_all(parts(NOT_RUN, NOT_RUN)) == of_any(parts(NOT_RUN)) == of_those_run(parts(NOT_RUN)) == NOT_RUN
    assert of_those_run(parts(HOLDS, NOT_RUN)) == HOLDS
    assert of_those_run(parts(HOLDS, FAILS)) == FAILS


def test_nets_that_were_tested_on_other_photos_are_not_compared(write, tmp_path):
    write("demo/vgg16_global", right(900), last=400)
    write("demo/alexnet_global", right(500), last=400, prefix="another")
    claim = told(tmp_path, "demo", "vggnet-cuhkpq")
    assert claim.verdict == OPEN
    assert claim.number.startswith("global view: they were tested on other photos")


def seeds_of_both_networks(write, of_vgg16: list[np.ndarray], of_alexnet: list[np.ndarray]) -> None:
    for network, seeds in (("vgg16", of_vgg16), ("alexnet", of_alexnet)):
        for seed, each in enumerate(seeds, 1):
            for view in ("global", "local"):
                write(f"demo/{network}_{view}", each, seed=seed, last=400)


def test_several_seeds_have_to_agree_where_one_test_of_all_their_photos_would_be_sure(write, tmp_path):
    seeds_of_both_networks(write, [right(900), right(840)], [right(800), right(850)])
    pooled = np.repeat([1, -1, 0], [100, 10, 1_890])
    assert mcnemar(pooled) < 0.001
    claim = told(tmp_path, "demo", "vggnet-cuhkpq")
    assert claim.verdict == OPEN
    assert "2 seeds; McNemar's p < 0.001, 0.002)" in claim.number
    assert claim.how.startswith("bootstrap of seeds, then photos")


def test_several_seeds_that_agree_settle_a_claim(write, tmp_path):
    seeds_of_both_networks(write, [right(900), right(890), right(880)], [right(800), right(810), right(790)])
    claim = told(tmp_path, "demo", "vggnet-cuhkpq")
    assert claim.verdict == HOLDS
    assert "global view: +9.00 points (95% interval +7." in claim.number


def test_only_equal_seeds_are_compared(write, tmp_path):
    write("demo/vgg16_global", right(900), seed=1, last=400)
    write("demo/vgg16_global", right(100), seed=2, last=400)
    write("demo/alexnet_global", right(800), seed=1, last=400)
    write("demo/vgg16_local", right(900), seed=1, last=400)
    write("demo/alexnet_local", right(800), seed=2, last=400)
    number = told(tmp_path, "demo", "vggnet-cuhkpq").number
    assert number.startswith("global view: +10.00 points (100 photos right against 0")
    assert number.endswith("local view: no seed was run of both")


def test_the_best_of_four_is_compared_with_each_other_variant(write, tmp_path):
    for variant, each in (("vgg16_local", 900), ("vgg16_global", 850), ("alexnet_local", 800), ("alexnet_global", 890)):
        write(f"ava-large/{variant}", right(each))
    claim = told(tmp_path, "ava-large", "local-ava")
    assert claim.verdict == HOLDS
    assert claim.number.count("above ") == 3
    assert "above Global view, AlexNet: +1.00 points" in claim.number


@pytest.mark.parametrize(("share", "verdict"), [(950, HOLDS), (925, OPEN), (890, FAILS)])
def test_a_cited_number_is_held_against_our_interval(write, tmp_path, share, verdict):
    write("cuhkpq-small/vgg16_global", right(share))
    claim = told(tmp_path, "cuhkpq-small", "above-5-cuhkpq")
    assert claim.verdict == verdict
    assert f"against 91.93%, {share / 10 - 91.93:+.2f} points" in claim.number


def test_of_several_cited_numbers_the_highest_is_to_be_beaten(write, tmp_path):
    write("ava-large/vgg16_global", right(700))
    assert "against 71.20%" in told(tmp_path, "ava-large", "above-14").number


def course(losses: dict[int, float]) -> list[tuple]:
    return [(iteration, 0.5, loss, 0.8, 60.0 * iteration) for iteration, loss in losses.items()]


@pytest.mark.parametrize(
    ("losses", "verdict", "number"),
    [
        ({0: 0.7, 200: 0.6, 500: 0.45, 9_000: 0.4, 10_000: 0.5}, HOLDS, "83% (test loss 0.700, then 0.450, lowest 0.4"),
        ({0: 0.7, 200: 0.6, 500: 0.6, 9_000: 0.4, 10_000: 0.5}, FAILS, "33% (test"),
        ({0: 0.7, 500: 0.8, 10_000: 0.9}, FAILS, "0% (test"),
        ({500: 0.45, 1_000: 0.4, 10_000: 0.3}, OPEN, "metrics.csv lacks iteration 0 or 500"),
        ({0: 0.7, 500: NAN, 10_000: 0.3}, OPEN, "a test loss in metrics.csv is no finite number"),
        ({0: 0.7, 500: 0.5, 10_000: NAN}, OPEN, "a test loss in metrics.csv is no finite number"),
        ({}, OPEN, "metrics.csv is missing, empty or cannot be read"),
    ],
)
def test_the_loss_falls_early_where_half_of_its_fall_is_over_at_iteration_500(write, tmp_path, losses, verdict, number):
    for variant in ("alexnet_global", "alexnet_local", "vgg16_global", "vgg16_local"):
        write(f"ava-small/{variant}", right(900), rows=course(losses))
    claim = told(tmp_path, "ava-small", "loss-falls")
    assert claim.verdict == verdict
    assert f"Local view, AlexNet: {number}" in claim.number


def test_a_course_that_cannot_be_read_is_not_said_to_lack_an_iteration(write, tmp_path):
    write("ava-small/vgg16_global", right(900), rows=course({0: 0.7, 500: 0.45, 10_000: 0.4}))
    (tmp_path / "ava-small/vgg16_global/seed-1/metrics.csv").write_text("iteration,loss\n")
    claim = told(tmp_path, "ava-small", "loss-falls")
    assert claim.verdict == OPEN
    assert "VGGNet: metrics.csv is missing, empty or cannot be read" in claim.number


def test_in_the_demo_a_few_hundred_iterations_are_200(write, tmp_path):
    for variant in ("alexnet_global", "alexnet_local", "vgg16_global", "vgg16_local"):
        write(f"demo/{variant}", right(900), last=400, rows=course({0: 0.7, 100: 0.6, 200: 0.5, 300: 0.45, 400: 0.4}))
    claim = told(tmp_path, "demo", "loss-falls")
    assert (claim.verdict, claim.is_the_papers) == (HOLDS, False)
    assert "over by iteration 200" in claim.how


def longer_runs(write, dataset="mine", early=None, end=None, rows=()) -> None:
    """Four variants that have 900 photos right at iteration 10,000; some others at 5,000, and at 20,000."""
    for variant in ("alexnet_global", "alexnet_local", "vgg16_global", "vgg16_local"):
        kept = {} if early is None else {5_000: early}
        kept |= {} if end is None else {10_000: right(900)}
        write(f"{dataset}/{variant}", right(900) if end is None else end, last=20_000 if end is not None else 10_000,
              kept=kept, rows=rows)  # fmt: skip


@pytest.mark.parametrize(
    ("early", "verdict"), [(right(899), HOLDS), (right(905), HOLDS), (right(889), OPEN), (right(860), FAILS)]
)
def test_5000_iterations_suffice_where_they_surely_cost_less_than_a_point(write, tmp_path, early, verdict):
    longer_runs(write, early=early)
    claim = told(tmp_path, "mine", "sufficient")
    assert claim.verdict == verdict
    assert f"{(early.sum() - 900) / 10:+.2f} points (95% interval" in claim.number
    assert "McNemar's p" in claim.number


def test_without_predictions_of_iteration_5000_nobody_can_tell(write, tmp_path):
    longer_runs(write)
    assert told(tmp_path, "mine", "sufficient").verdict == OPEN
    assert (
        told(tmp_path, "mine", "stable").number == "no metrics.csv that can be read has a line every 1,000 iterations"
    )
    assert told(tmp_path, "mine", "overfits").verdict == NOT_RUN


@pytest.mark.parametrize(
    ("swings", "verdict"), [((0.05, 0.01), HOLDS), ((0.01, 0.05), FAILS), ((0.03, 0.03), OPEN)], ids=str
)
def test_models_are_more_stable_where_accuracy_moves_less_from_one_evaluation_to_the_next(
    write, tmp_path, swings, verdict
):
    rows = [
        (iteration, 0.5, 0.5, 0.8 + swings[iteration > 5_000] * (iteration // 1_000 % 2), 1.0)
        for iteration in (0, 100, 200, 500, *range(1_000, 10_001, 1_000))
    ]
    longer_runs(write, rows=rows)
    assert told(tmp_path, "mine", "stable").verdict == verdict


@pytest.mark.parametrize(("end", "verdict"), [(right(880), HOLDS), (right(898), OPEN), (right(930), FAILS)])
def test_a_longer_run_overfits_where_it_has_fewer_photos_right_at_its_end(write, tmp_path, end, verdict):
    rows = [(10_000, 0.3, 0.40, 0.9, 1.0), (20_000, 0.1, 0.55, 0.88, 2.0)]
    longer_runs(write, end=end, rows=rows)
    claim = told(tmp_path, "mine", "overfits")
    assert claim.verdict == verdict
    assert "iteration 10,000 less 20,000: " in claim.number
    assert "training loss 0.300 to 0.100, test loss 0.400 to 0.550" in claim.number


@pytest.mark.parametrize(
    ("gpu", "minutes", "verdict"), [(H100, 12, HOLDS), (H100, 35, HOLDS), (H100, 50, FAILS), (None, 12, OPEN)]
)
def test_minutes_are_told_of_a_gpu_that_is_named_and_not_of_a_cpu(write, tmp_path, gpu, minutes, verdict):
    for view in ("global", "local"):
        write(f"ava-small/alexnet_{view}", right(900), gpu=gpu, rows=[(10_000, 0.5, 0.5, 0.9, 60.0 * minutes)])
    claim = told(tmp_path, "ava-small", "minutes-alexnet")
    assert claim.verdict == verdict
    assert f"{minutes}.0 min on {'NVIDIA H100' if gpu else 'the CPU'}" in claim.number
    assert told(tmp_path, "ava-small", "minutes-vgg16").verdict == NOT_RUN


def test_a_shorter_run_is_no_evidence_and_an_edited_one_is_named(write, tmp_path):
    write("cuhkpq-small/vgg16_global", right(950), last=300)
    assert told(tmp_path, "cuhkpq-small", "above-5-cuhkpq").verdict == NOT_RUN
    write("cuhkpq-small/vgg16_global", right(950), seed=2, edited=True)
    claim = told(tmp_path, "cuhkpq-small", "above-5-cuhkpq")
    assert claim.verdict == HOLDS
    assert claim.number.endswith("; a run was edited or marked, see the notes")


def test_a_run_that_cannot_be_read_leaves_a_claim_open(write, tmp_path):
    write("cuhkpq-small/vgg16_global", right(950))
    (tmp_path / "cuhkpq-small/vgg16_global/seed-1/predictions_iter_10000.csv").write_text("photo_id")
    claim = told(tmp_path, "cuhkpq-small", "above-5-cuhkpq")
    assert (claim.verdict, claim.number) == (OPEN, "a run cannot be read")


def test_a_folder_that_is_no_run_is_no_run(tmp_path):
    (tmp_path / "cuhkpq-small/vgg16_global/seed-1 (copy)").mkdir(parents=True)
    assert told(tmp_path, "cuhkpq-small", "above-5-cuhkpq").verdict == NOT_RUN


def test_without_runs_every_claim_is_not_run_and_no_number_is_printed(tmp_path):
    for table in tables().values():
        for claim in claims(table, tmp_path):
            assert (claim.verdict, claim.number) == (NOT_RUN, "–")
            assert claim.how.startswith("needs ")


def test_each_dataset_is_asked_what_the_paper_claims_of_it_and_the_demo_what_makes_sense(write, tmp_path):
    named = {table.dataset: [claim.name for claim in claims(table, tmp_path)] for table in tables().values()}
    always = ["loss-falls", "sooner", "sufficient", "stable", "overfits", "minutes-alexnet", "minutes-vgg16"]
    assert named == {
        "cuhkpq-large": ["vggnet-cuhkpq", "global-cuhkpq", *always],
        "cuhkpq-small": ["vggnet-cuhkpq", "global-cuhkpq", "above-5-cuhkpq", *always],
        "ava-large": ["vggnet-ava", "local-ava", "above-14", *always],
        "ava-small": ["vggnet-ava", "global-ava", "above-5-ava", *always],
        "demo": ["vggnet-cuhkpq", "global-cuhkpq", "loss-falls", "sooner"],
    }
    assert all(
        claim.is_the_papers == (table.name != "demo")
        for table in tables().values()
        for claim in claims(table, tmp_path)
    )
    write("mine/vgg16_global", right(900))
    mine = claims(of_dataset("mine", tmp_path, tmp_path), tmp_path)
    assert [claim.name for claim in mine] == ["vggnet-cuhkpq", "global-cuhkpq", *always]
    assert {claim.kind for claim in papers_claims()} == {*TOLD}


def test_the_printed_claims_fit_and_say_verdict_number_and_how(write, tmp_path):
    write("cuhkpq-small/vgg16_global", right(950))
    found = claims(tables()["II"], tmp_path)
    for width in (80, 140):
        text = render(found, width)
        assert max(map(len, text.splitlines())) <= width
        words = " ".join(text.split())
        assert all(claim.how.split()[0] in words for claim in found)
        assert re.search(r"^IV-B .* holds +95\.00% ", text, re.M)
        assert len(re.findall(r" not run +–$", text, re.M)) == [claim.number for claim in found].count("–") > 3
    assert "not the paper's photos" in render(claims(tables()["demo"], tmp_path))


def test_the_same_results_print_the_same_claims(write, tmp_path):
    seeds_of_both_networks(write, [right(900), right(890)], [right(880), right(870)])
    assert render(claims(tables()["demo"], tmp_path)) == render(claims(tables()["demo"], tmp_path))


def test_claims_name_the_iterations_and_minutes_that_the_statements_do():
    texts = {claim.name: claim.text for claim in papers_claims()}
    assert f"{stated('finetuning.sufficient_iter'):,}" in texts["sufficient"]
    assert f"{stated('finetuning.max_iter'):,}" in texts["stable"]
    assert f"{stated('finetuning.minutes.alexnet')} minutes" in texts["minutes-alexnet"]
    assert (stated("finetuning.minutes.vgg16"), texts["minutes-vgg16"].endswith("an hour.")) == (60, True)
