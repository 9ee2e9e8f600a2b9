"""Fine-tuned and from scratch are compared by what each run's files say, and nothing else."""

from user_error import UserError

import re
from dataclasses import replace

import pytest
import sample
from harness import ALEXNET
from scipy.stats import binomtest

from experiments.run_folder import Evaluation
from paper import tables
from report import site
from report.claims import claims
from report.from_scratch import render
from report.measures import interval
from report.verdicts import FAILS, HOLDS, NOT_RUN, OPEN

DEMO = tables()["demo"]
SCRATCH = f"{ALEXNET}_scratch"
PHOTOS = sample.PHOTOS  # 60, of which 40 are good


@pytest.fixture
def write(tmp_path):
    """write(variant, right at each 100 iterations, seed): a run; at its end its first photos are right."""

    def call(variant: str, *right: int, seed: int = 1) -> None:
        rows = [
            replace(p, predicted=p.label if number < right[-1] else 1 - p.label)
            for number, p in enumerate(sample.predictions(1))
        ]
        folder = sample.run(tmp_path, variant, seed=seed, rows=rows)
        folder.write_evaluations(
            [Evaluation(100 * n, 0.5, 0.5, photos / PHOTOS, 60.0 * n) for n, photos in enumerate(right)]
        )

    return call


def told(results):
    (found,) = (claim for claim in claims(DEMO, results) if claim.name == "sooner")
    return found


def lines(results) -> list[str]:
    return [" ".join(line.split()) for line in render([DEMO], results).splitlines()]


def test_both_are_side_by_side_at_each_evaluated_iteration_with_wilsons_interval(write, tmp_path):
    write(ALEXNET, 20, 45, 50, 52, 55)
    write(SCRATCH, 20, 40, 39, 41, 42)
    shown = lines(tmp_path)
    assert "Global view, AlexNet: 60 test photos, 66.67% by always answering the majority" in shown

    def cells(right: int) -> str:
        low, high = interval(right, PHOTOS)
        return f"{right / PHOTOS:.2%} {100 * low:.2f} to {100 * high:.2f}"

    for number, (tuned, scratch) in enumerate(zip((20, 45, 50, 52, 55), (20, 40, 39, 41, 42), strict=True)):
        assert f"{100 * number} {cells(tuned)} {cells(scratch)}" in shown
    assert "minutes 4.0 4.0" in shown
    # 40 of 60 is the majority itself
    assert "above the majority for good from iteration 100 on, from scratch from iteration 300 on: holds" in shown
    assert binomtest(13, 13).pvalue < 0.001
    assert "at the end +21.67 points (13 photos right against 0, p < 0.001): holds" in shown
    assert any(
        line.startswith("The paper claims (IV-D): ") and line.endswith("On these runs: holds.") for line in shown
    )


@pytest.mark.parametrize(
    ("tuned", "scratch", "verdict", "said"),
    [
        ((20, 41, 55), (20, 41, 42), OPEN, "from iteration 100 on, from scratch from iteration 100 on"),
        ((20, 39, 41), (20, 50, 60), FAILS, "from iteration 200 on, from scratch from iteration 100 on"),
        ((20, 50, 55), (40, 40, 40), HOLDS, "from iteration 100 on, from scratch never"),
        ((20, 50, 60), (50, 40, 41), HOLDS, "from iteration 100 on, from scratch from iteration 200 on"),
        ((40, 40, 40), (40, 40, 40), OPEN, "never, from scratch never"),
        ((20, 50, 55), (20, 40, 53), OPEN, "from iteration 100 on, from scratch from iteration 200 on"),
    ],
)
def test_the_claim_holds_where_fine_tuned_nets_are_above_sooner_and_have_more_right(
    write, tmp_path, tuned, scratch, verdict, said
):
    write(ALEXNET, *_to_the_end(tuned))
    write(SCRATCH, *_to_the_end(scratch))
    assert told(tmp_path).verdict == verdict
    assert f"Global view, AlexNet: above the majority for good {said}; at the end: " in told(tmp_path).number


def _to_the_end(right: tuple[int, ...]) -> tuple[int, ...]:
    """Evaluations at 0, 100 and 200, of which the last stays as it is up to 400."""
    return (*right, right[-1], right[-1])


def test_several_seeds_have_their_mean_and_an_interval_at_the_end_alone(write, tmp_path):
    for seed, better in ((1, 0), (2, 2)):
        write(ALEXNET, 20, 50, 51, 52, 54 + better, seed=seed)
        write(SCRATCH, 20, 39, 41 - better, 41, 42, seed=seed)
    shown = lines(tmp_path)
    assert "100 83.33% – 65.00% –" in shown
    (end,) = (line for line in shown if line.startswith("400 91.67% "))
    assert "–" not in end
    number = told(tmp_path).number
    assert "from iteration 100 on, from scratch from iteration 200 on or from iteration 300 on" in number
    assert "2 seeds" in number


def test_seeds_that_disagree_leave_it_open_and_seeds_of_one_start_alone_are_no_pair(write, tmp_path):
    write(ALEXNET, 20, 50, 51, 52, 54, seed=1)
    write(SCRATCH, 20, 41, 42, 42, 42, seed=2)
    assert told(tmp_path).verdict == OPEN
    assert "no seed was run of both" in told(tmp_path).number
    write(ALEXNET, 20, 41, 51, 52, 54, seed=2)
    write(SCRATCH, 20, 40, 42, 42, 42, seed=1)
    assert told(tmp_path).verdict == OPEN


def test_what_is_missing_is_a_dash_and_nothing_to_compare_is_one_line_with_the_command(write, tmp_path):
    write(ALEXNET, 20, 50, 51, 52, 54)
    assert told(tmp_path).verdict == NOT_RUN
    with pytest.raises(UserError, match=r"no run from scratch up to iteration 400 .* --start .* --results "):
        render([DEMO], tmp_path)
    write("demo/vgg16_local_scratch", 40, 40, 40, 40, 40)
    shown = lines(tmp_path)
    assert "200 – – 66.67% 54.06 to 77.27" in shown
    assert shown.count("no finished run fine-tuned: nothing to compare with") == 1
    assert shown.count("no finished run from scratch: nothing to compare with") == 1
    assert any(line.endswith("On these runs: not run.") for line in shown)


def test_a_net_that_did_not_learn_is_said_to(write, tmp_path):
    write(ALEXNET, 20, 50, 51, 52, 54)
    rows = [replace(p, p_good=0.7, predicted=1) for p in sample.predictions(1)]
    sample.run(tmp_path, SCRATCH, rows=rows)
    assert "from scratch: did not learn: says good for all" in lines(tmp_path)


def test_the_page_has_a_figure_of_both_starts_with_its_numbers_and_the_verdict(write, tmp_path):
    def page() -> str:
        site.write([DEMO], tmp_path / "data", tmp_path, tmp_path / "report", with_photos=False)
        text = (tmp_path / "report/table-demo.html").read_text(encoding="utf-8")
        return " ".join(re.sub(r"<[^>]*>", " ", text).split())

    write(ALEXNET, 20, 45, 50, 52, 55)
    assert "both starts" not in page()
    write(SCRATCH, 20, 40, 39, 41, 42)
    words = page()
    claim = (
        "Compared to training from scratch, fine-tuning gives good results in a short time. (IV-D) On these runs: holds"
    )
    assert claim in words
    said = "Above that for good: fine-tuned from iteration 100 on, from scratch from iteration 300 on."
    assert f"Always answering the more frequent label scores 66.67%. {said}" in words
    assert "200 83.33% 65.00%" in words
    assert "Global view, AlexNet, from scratch" in words


def test_a_damaged_metrics_file_leaves_it_open(write, tmp_path):
    write(ALEXNET, 20, 50, 51, 52, 54)
    write(SCRATCH, 20, 40, 42, 42, 42)
    (tmp_path / SCRATCH / "seed-1/metrics.csv").write_text("iteration\nx\n")
    assert told(tmp_path).verdict == OPEN
    assert "a metrics.csv cannot be read" in told(tmp_path).number
    assert "minutes 4.0 –" in lines(tmp_path)
