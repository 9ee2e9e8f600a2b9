"""A printed table says what the runs say, and a missing run is a dash."""

from user_error import UserError

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments.run_folder import Evaluation, Prediction, RunFolder
from paper import ROOT, tables
from report.datasets import of_dataset, table
from report.measures import interval, measures
from report.tables import FORMATS, lines, render

GOLDEN = ROOT / "tests" / "golden"


def predictions(n: int, good: int, right_good: int, right_bad: int) -> list[Prediction]:
    """Of n photos `good` are good; so many of the good and of the bad are predicted right."""
    rows = [Prediction(f"g{i}", 1, p := 0.8 if i < right_good else 0.3, int(p > 0.5)) for i in range(good)]
    return rows + [Prediction(f"b{i}", 0, p := 0.1 if i < right_bad else 0.6, int(p > 0.5)) for i in range(n - good)]


def write_run(
    results, variant, seed, rows, iteration=10_000, edited=False, gpus=("H200",), dataset="0", marks=(), notes=None
) -> None:
    folder = RunFolder(results / variant / f"seed-{seed}")
    folder.path.mkdir(parents=True)
    if iteration > 5_000:
        folder.write_predictions(5_000, [replace(row, predicted=1 - row.label) for row in rows[:20]] + rows[20:])
    folder.write_predictions(iteration, rows)
    accuracy = float(np.mean([row.label == row.predicted for row in rows]))
    evaluations = [Evaluation(5_000, 0.5, 0.6, accuracy - 0.01, 930.0)] if iteration > 5_000 else []
    folder.write_evaluations([*evaluations, Evaluation(iteration, 0.5, 0.6, accuracy, 1860.0)])
    folder.write_record(
        {
            "run": {"seed": seed},
            "edited": {"train_val": edited, "solver": False},
            "inputs": {"net": "edited" if edited else "generated", "dataset": dataset},
            "marks": list(marks),
            "dataset": {"photos": {"train": 235_600, "test": len(rows)}, "rule": "the rule of the summary"},
            "attempts": [{"gpu": gpu, "caffe": {}, "machine": {"cpu": "a"}} for gpu in gpus],
            "seconds": 1860.0,
            "max_iter": iteration,
        }
    )
    if notes is not None:  # an earlier version kept none
        record = folder.record()
        folder.write_record(record | {"dataset": record["dataset"] | {"notes": notes}})
    folder.finish(iteration)


@pytest.fixture
def results(tmp_path):
    """Table III with two seeds of one variant, an edited one, a short one, and a missing one."""
    write_run(tmp_path, "ava-large/alexnet_local", 1, predictions(1993, 1417, 1300, 200))
    write_run(tmp_path, "ava-large/alexnet_local", 2, predictions(1993, 1417, 1310, 210), gpus=("H200", "L4"))
    write_run(tmp_path, "ava-large/vgg16_local", 1, predictions(1993, 1417, 1350, 300), edited=True)
    write_run(tmp_path, "ava-large/alexnet_global", 1, predictions(1993, 1417, 1200, 250), iteration=300)
    return tmp_path


@pytest.mark.parametrize("form", FORMATS)
def test_table_is_printed_as_in_the_golden_file(results, form):
    printed = render(tables()["III"], results, form, width=140) + "\n"
    assert printed == (GOLDEN / f"table-III.{form}").read_text(encoding="utf-8")


def test_all_formats_show_the_same_rows(results):
    three = tables()["III"]
    as_json = json.loads(render(three, results, "json"))
    as_csv = list(csv.DictReader(io.StringIO(render(three, results, "csv"))))
    assert [row["method"] for row in as_json] == [row["method"] for row in as_csv] == [row.label for row in three.rows]
    assert [str(row["ours"] or "") for row in as_json] == [row["ours"] for row in as_csv]


def test_missing_run_is_a_dash_and_never_a_number(tmp_path):
    for each in tables().values():
        ours = lines(each, tmp_path)
        assert all(line.ours is None and line.low is None and line.n is None for line in ours)
        text = render(each, tmp_path, "text")
        assert text.count("missing") == 4


def test_scores_are_those_of_the_predictions():
    rows = predictions(100, 70, 60, 10)
    measured = measures(rows)
    assert measured.accuracy == pytest.approx(0.70)
    assert measured.majority == pytest.approx(0.70)
    assert measured.balanced_accuracy == pytest.approx((60 / 70 + 10 / 30) / 2)
    assert measured.confusion == [[10, 20], [10, 60]]
    assert measured.auc == pytest.approx(roc_auc_score([r.label for r in rows], [r.p_good for r in rows]))


def test_interval_is_wilsons():
    n, p, z = 600, 0.8, 1.959963984540054
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert interval(480, 600) == pytest.approx((centre - half, centre + half))


def test_runs_on_two_preparations_of_a_dataset_are_noted_and_not_averaged(tmp_path):
    for seed, dataset in ((1, "0"), (2, "1")):
        write_run(tmp_path, "ava-large/alexnet_local", seed, predictions(100, 70, 60, 10), dataset=dataset)
    text = render(tables()["III"], tmp_path, "text")
    assert "The runs are not all on the same preparation of the dataset" in text
    assert "Local view, AlexNet (seed 2)" in text
    assert "±" not in text


def test_a_run_beyond_the_papers_iteration_is_reported_at_the_papers(tmp_path):
    write_run(tmp_path, "ava-large/alexnet_local", 1, predictions(100, 70, 60, 10))
    folder = RunFolder(tmp_path / "ava-large/alexnet_local/seed-1")
    folder.write_predictions(20_000, predictions(100, 70, 70, 30))
    folder.finish(20_000)
    line = lines(tables()["III"], tmp_path)[0]
    assert (line.ours, line.iterations, line.status) == (pytest.approx(70), 10_000, "done")


def test_one_unreadable_run_is_one_note_and_all_others_are_shown(results):
    path = results / "ava-large/alexnet_local/seed-1/predictions_iter_10000.csv"
    path.write_text(path.read_text().replace("g0,1", "g0,0"))
    text = render(tables()["III"], results, "text")
    assert f"- Unreadable: {path}: is not the file that the run wrote (sha256 differs)" in text
    (line, *_) = lines(tables()["III"], results)
    assert (line.seeds, line.sd) == (1, None)
    assert text.count("Unreadable") == 1


def test_marks_of_a_run_are_shown(tmp_path):
    write_run(tmp_path, "ava-large/alexnet_local", 1, predictions(100, 70, 60, 10), marks=["reads another LMDB"])
    text = render(tables()["III"], tmp_path, "text")
    assert "see notes" in text
    assert "- Local view, AlexNet, seed 1: reads another LMDB." in text


OWN = "mine/alexnet_local"


def test_the_table_of_a_dataset_of_ones_own_has_the_papers_rows_and_no_column_of_the_papers(tmp_path):
    write_run(
        tmp_path, OWN, 1, predictions(100, 70, 60, 10), notes=["labels were made\nfrom shares.", "two are missing"]
    )
    table = of_dataset("mine", tmp_path / "no data", tmp_path)
    text = render(table, tmp_path, "text")
    assert text.startswith("Accuracy of mine (the rule of the summary)\n\n")
    assert re.search(r"^Local view, AlexNet +70\.00% +60\.\d\d to .* done$", text, re.M)
    assert text.count(" missing") == 3 + 1
    assert "- Photos: labels were made from shares.\n- Photos: two are missing.\n" in text
    assert "- Photos: the rule of the summary" not in text  # the title says it
    assert "- Photos: 235,600 for training, 100 for test.\n" in text
    assert "- At iteration 5,000, sufficient by IV-D: Local view, AlexNet 50.00%.\n" in text
    assert "- Ours too, where the paper is silent" in text
    assert "The paper names" not in text
    for form in ("text", "markdown"):
        assert re.findall("paper  |diff", render(table, tmp_path, form, width=200)) == []
    rows = json.loads(render(table, tmp_path, "json"))
    assert [row["method"] for row in rows] == [row.label for row in tables()["I"].rows]
    assert {(row["paper"], row["difference"]) for row in rows} == {(None, None)}
    (header, first, *_) = csv.reader(io.StringIO(render(table, tmp_path, "csv")))
    assert header == list(rows[0])
    assert first[header.index("paper")] == first[header.index("difference")] == ""


def test_where_the_test_photos_are_our_own_draw_nothing_is_said_of_the_official_list(tmp_path):
    for name, notes in (
        ("official", []),
        ("drawn", ["generic_test.jpgl is missing: the test photos are our own draw"]),
    ):
        write_run(tmp_path / name, "ava-large/vgg16_local", 1, predictions(100, 70, 60, 10), notes=notes)
        text = render(tables()["III"], tmp_path / name, "text")
        assert ("- Ours: test_list generic_test.jpgl" in text) == (name == "official")


def test_a_name_of_the_papers_gives_its_table_whatever_lies_there(tmp_path):
    for paper in tables().values():
        assert table(paper.name, tmp_path, tmp_path) == table(paper.dataset, tmp_path, tmp_path) == paper
    for name in ("mine", "iii", "../mine", ""):
        with pytest.raises(
            UserError, match=f"no dataset '{name}', prepared or with results: tables are I, II, III, IV"
        ):
            table(name, tmp_path, tmp_path)


def test_a_dataset_with_results_that_cannot_be_read_has_a_table_that_says_so(tmp_path):
    write_run(tmp_path, OWN, 1, predictions(100, 70, 60, 10))
    (tmp_path / OWN / "seed-1/run.json").write_text("{")
    text = render(of_dataset("mine", tmp_path, tmp_path), tmp_path, "text")
    assert text.startswith("Accuracy of mine\n\n")
    assert "- Unreadable: " in text


def test_a_folded_table_fits_and_shows_all_columns(results):
    text = render(tables()["III"], results, "text", width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    wide = render(tables()["III"], results, "text")
    assert set(wide.replace("-", "").split()) <= set(text.replace("-", "").split())
