"""What the report says is worked out right, and whatever is missing or damaged is said, not made up."""

from user_error import UserError

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import sample
from scipy.stats import rankdata

import run_experiments
from paper import ROOT, tables
from report import curves, paper_figures, photos, testset
from report.datasets import of_dataset
from report.site import write

DEMO = tables()["demo"]


@pytest.fixture
def page(tmp_path):
    """page(data=...): the text of the demo's page, of whatever results are there by now."""

    def made(data=tmp_path / "data", with_photos=True, table=DEMO) -> str:
        write([table], data, tmp_path / "results", tmp_path / "report", with_photos)
        text = (tmp_path / f"report/table-{table.name}.html").read_text(encoding="utf-8")
        return " ".join(re.sub(r"<[^>]*>", " ", text).split())

    return made


def call(*words, capsys):
    arguments = run_experiments.parser().parse_args([str(word) for word in words])
    status = arguments.function(arguments) or 0
    return status, capsys.readouterr()


def test_calibration_counts_the_photos_of_each_bin():
    labels, p_good = np.array([0, 1, 1, 1, 0, 1]), np.array([0.0, 0.05, 0.31, 0.39, 0.95, 1.0])
    found = curves.calibration(labels, p_good)
    assert [(each.low, each.n, each.good) for each in found.bins] == [(0, 2, 0.5), (0.3, 2, 1), (0.9, 2, 0.5)]
    assert [each.mean for each in found.bins] == pytest.approx([0.025, 0.35, 0.975])
    assert found.brier == pytest.approx(np.mean((p_good - labels) ** 2))


def test_correlations_are_those_of_ranks_and_of_values():
    random = np.random.default_rng(0)
    scores, p_good = random.normal(5, 1, 50).round(1), random.random(50).round(2)
    found = curves.agreement(p_good, scores)
    assert found.plcc == pytest.approx(np.corrcoef(p_good, scores)[0, 1])
    assert found.srcc == pytest.approx(np.corrcoef(rankdata(p_good), rankdata(scores))[0, 1])
    assert sum(group.n for group in found.groups) == 50
    assert [group.score for group in found.groups] == sorted(group.score for group in found.groups)
    assert curves.agreement(np.full(50, 0.5), scores).srcc is None


def test_roc_is_that_of_a_perfect_net_of_a_guess_and_of_nothing():
    labels = np.array([0, 0, 1, 1])
    assert curves.roc(labels, np.array([0.1, 0.2, 0.8, 0.9])).tolist() == [1] * len(curves.RATES)
    assert curves.roc(labels, np.full(4, 0.5)) == pytest.approx(curves.RATES)
    assert curves.roc(np.ones(4), np.full(4, 0.5)) is None


def test_the_surest_come_first_and_the_draw_does_not_depend_on_the_order_or_on_p():
    rows = sample.predictions(1)
    for each, other in zip(photos.kinds(rows), photos.kinds(rows[::-1]), strict=True):
        assert each == other
        assert {(p.label, p.predicted) for p in (*each.surest, *each.drawn)} == {(each.label, each.predicted)}
        sureness = [abs(p.p_good - 0.5) for p in each.surest]
        assert sureness == sorted(sureness, reverse=True)
    assert sum(each.n for each in photos.kinds(rows)) == len(rows)
    squeezed = [replace(p, p_good=0.5 + (p.p_good - 0.5) / 100) for p in rows[::-1]]
    names = [[p.photo_id for kind in photos.kinds(those) for p in kind.drawn] for those in (rows, squeezed)]
    assert names[0] == names[1]


@pytest.mark.parametrize("encoded", [False, True])
def test_photos_are_those_of_the_records_in_their_own_proportions_and_fit_the_budget(tmp_path, encoded):
    sample.dataset(tmp_path / "demo", encoded)
    known = testset.read("demo", tmp_path, [])
    wanted = {photos.WHOLE: set(sample.names()[:5]), "local": set(sample.names()[:40])}
    views = photos.pictures(known, wanted)
    assert len(views) == 45
    for name in sample.names()[:5]:
        height, width = views[photos.WHOLE, name].shape[:2]
        photo = known.by_id[name]
        assert width / height == pytest.approx(photo.width / photo.height, rel=0.02)
    large, small = (photos.jpegs(known, wanted, budget) for budget in (2_000_000, 40_000))
    assert sum(map(len, small.values())) <= 40_000 < sum(map(len, large.values()))
    for found in (large, small):
        decoded = cv2.imdecode(np.frombuffer(found["local", sample.names()[3]], np.uint8), cv2.IMREAD_COLOR)
        assert decoded[2, 2] == pytest.approx(views["local", sample.names()[3]][2, 2].astype(int), abs=8)
    with pytest.raises(UserError, match="45 photos do not fit into 10 bytes"):
        photos.jpegs(known, wanted, 10)


def test_of_labels_alone_there_is_no_correlation_and_the_page_says_so(tmp_path, page):
    sample.dataset(tmp_path / "data/demo", scores=False)
    sample.run(tmp_path / "results", "demo/vgg16_global")
    text = page()
    assert "SRCC, PLCC – the dataset has labels, no scores" in text
    assert "p(good) by mean score" not in text


def test_without_the_photos_the_page_is_made_and_says_so(tmp_path, page):
    sample.run(tmp_path / "results", "demo/vgg16_global")
    text = page()
    assert f"No photos here: {tmp_path}/data/demo is not on this machine." in text
    assert "SRCC, PLCC – the scores are not on this machine" in text
    sample.dataset(tmp_path / "data/demo")
    assert "No photos here" not in page()
    store = tmp_path / "data/demo/test_global_lmdb/data.mdb"
    store.write_bytes(store.read_bytes()[:5000])
    assert f"No photos here: {store} is cut off; " in page()
    store.unlink()
    assert f"No photos here: {store} cannot be read: No such file or directory." in page()
    listed = tmp_path / "data/demo/manifest.csv"
    listed.unlink()
    assert f"No photos here: {listed} cannot be read: No such file or directory." in page()
    path = tmp_path / "data/demo/summary.json"
    path.write_text(path.read_text().replace("b" * 64, "d" * 64))
    assert f"{tmp_path}/data/demo is another preparation than the one that the runs saw." in page()


@pytest.mark.filterwarnings("error")
def test_test_photos_of_one_label_have_a_page_with_dashes(tmp_path, page):
    rows = [replace(p, label=1) for p in sample.predictions(1)]
    sample.run(tmp_path / "results", "demo/vgg16_global", rows=rows)
    text = page()
    assert "AUC – guessing: 0.5" in text
    assert " ROC " not in text


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda course: course.write_text("iteration,loss\n"), "its first line does not name iteration,train_loss,"),
        (lambda course: course.write_text(course.read_text()[:-30]), "line 6 has "),
        (lambda course: course.write_text(""), "its first line does not name iteration,train_loss,"),
        (lambda course: course.write_text(course.read_text().partition("\n")[0]), "is missing or empty"),
        (Path.unlink, "is missing or empty"),
    ],
)
def test_a_run_whose_course_cannot_be_read_is_shown_without_it_and_the_file_is_named(tmp_path, page, damage, said):
    course = sample.run(tmp_path / "results", "demo/vgg16_global").path / "metrics.csv"
    damage(course)
    text = page()
    assert "Calibration" in text
    assert "Course of the fine-tuning" not in text
    assert f"Unreadable: {course}: {said}" in text
    written, lacking = paper_figures.write([DEMO], tmp_path / "data", tmp_path / "results", tmp_path / "figures")
    assert written == []
    assert lacking[0].startswith(f"{course}: {said}")


def test_seeds_that_were_tested_on_other_photos_have_a_page_without_an_interval(tmp_path, page):
    sample.run(tmp_path / "results", "demo/vgg16_global", 1)
    rows = [replace(p, photo_id=f"other {p.photo_id}") for p in sample.predictions(2)]
    sample.run(tmp_path / "results", "demo/vgg16_global", 2, rows=rows)
    text = page()
    assert "over the seeds; no interval" in text
    assert "no interval, for its seeds were tested on other photos" in text


@pytest.mark.parametrize(
    "damage",
    [{"photos": {"train": "100", "test": 60}}, {"photos": {"train": 100, "test": 60, "more": [1]}},
     {"lists_sha256": [1]}, {"lists_sha256": {"test": [1]}}],
)  # fmt: skip
def test_a_record_with_values_of_another_type_is_named_and_the_page_is_made(tmp_path, page, damage):
    folder = sample.run(tmp_path / "results", "demo/vgg16_global")
    record = folder.record()
    folder.write_record(record | {"dataset": record["dataset"] | damage})
    assert f"Unreadable: {folder.path}/run.json: lacks what a result needs" in page()


def test_a_long_note_is_cut_off_so_that_a_page_stays_small(tmp_path, page):
    folder = sample.run(tmp_path / "results", "demo/vgg16_global")
    sample.dataset(tmp_path / "data/demo")
    folder.write_record(folder.record() | {"marks": ["x " * 1_700_000]})
    assert "x x ... (the rest is in run.json)" in page()
    assert (tmp_path / "report/table-demo.html").stat().st_size < 3_000_000


def test_where_a_page_has_no_room_for_photos_no_negative_number_of_bytes_is_named(tmp_path, page, monkeypatch):
    sample.run(tmp_path / "results", "demo/vgg16_global")
    sample.dataset(tmp_path / "data/demo")
    monkeypatch.setattr("report.page.LARGEST", 10)
    assert "photos do not fit into 0 bytes" in page()


def test_a_table_without_any_run_has_a_page_of_dashes(tmp_path, page):
    text = page()
    assert "None of our runs of this table has a result yet" in text
    assert text.count("(not run)") == 4


def test_a_dataset_of_ones_own_has_a_page(tmp_path, page):
    sample.dataset(tmp_path / "data/mine")
    sample.run(tmp_path / "results", "mine/alexnet_local", iteration=10_000)
    table = of_dataset("mine", tmp_path / "data", tmp_path / "results")
    text = page(table=table)
    assert "Accuracy of mine (the first &lt;b&gt;half&lt;/b&gt;)" in text
    assert "Dashed: iteration 5,000 and 10,000." in text


def test_report_says_in_one_line_where_the_pages_are(tmp_path, capsys):
    sample.run(tmp_path / "results", "demo/vgg16_global")
    status, said = call("report", "--data", tmp_path, "--results", tmp_path / "results", capsys=capsys)
    assert (status, said.out, said.err) == (0, f"report: {tmp_path}/results/report/index.html\n", "")
    names = sorted(path.name for path in (tmp_path / "results/report").iterdir())
    assert names == ["index.html", "table-demo.html"]


def test_what_cannot_be_reported_or_written_is_one_line(tmp_path, capsys):
    results = tmp_path / "results"
    with pytest.raises(UserError, match="has no results: give another --results, or make some"):
        call("report", "--data", tmp_path, "--results", results, capsys=capsys)
    assert not results.exists()
    (tmp_path / "index.html").write_text("my own page")
    with pytest.raises(UserError, match=r"index.html is not a page of ours: give another --out DIR"):
        call("report", "demo", "--data", tmp_path, "--results", results, "--out", tmp_path, capsys=capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    (tmp_path / "index.html").unlink()
    os.mkfifo(tmp_path / "index.html")  # who opens it waits for ever
    with pytest.raises(UserError, match=r"index.html is not a page of ours: give another --out DIR"):
        call("report", "demo", "--data", tmp_path, "--results", results, "--out", tmp_path, capsys=capsys)
    for out in (tmp_path / "index.html", tmp_path / "index.html/below"):
        with pytest.raises(UserError, match=r"cannot be made .*: give another --out DIR"):
            call("report", "demo", "--data", tmp_path, "--results", results, "--out", out, capsys=capsys)


def test_a_folder_of_a_colleagues_is_refused_before_any_work_and_another_one_is_taken(as_nobody):
    with tempfile.TemporaryDirectory(prefix="colleague_") as name:  # pytest's own folders are closed to others
        results, out = Path(name, "results"), Path(name, "mine")
        sample.run(results, "demo/vgg16_global")
        out.mkdir()
        out.chmod(0o777)
        Path(name).chmod(0o755)
        command = [*as_nobody, sys.executable, ROOT / "run_experiments.py", "report", "demo", "--results", results]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        said = f"error: {results}/report cannot be made (Permission denied): give another --out DIR\n"
        assert done.stderr == said
        home = {"HOME": "/nonexistent", "TMPDIR": str(out)}
        done = subprocess.run([*command, "--out", out], capture_output=True, text=True, timeout=60, env=home)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"report: {out}/index.html\n"
