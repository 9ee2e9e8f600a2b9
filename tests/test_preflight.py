"""What would fail hours later is a line in seconds, and trying leaves nothing behind."""

import json
import os
import platform
import re
import subprocess

import pytest
from harness import ALEXNET, RUN, RUN_ALL, call, edit, run_folder

from experiments.preflight import SCRATCH

pytest.importorskip("caffe", reason="Caffe is not built here")

NET, SOLVER = f"prototxt/{ALEXNET}/train_val.prototxt", f"solvers/{ALEXNET}.prototxt"


def test_a_dry_run_says_what_is_left_and_touches_nothing(checkout):
    before = sorted(checkout.iterdir())
    output = call(checkout, *RUN_ALL, "--dry-run")
    assert re.findall(r"^(demo/\S+): to do \(missing\)$", output, re.M) == [
        f"demo/{network}_{view}/seed-1" for network in ("vgg16", "alexnet") for view in ("global", "local")
    ]
    assert sorted(path for path in checkout.iterdir() if path.name != "__pycache__") == before


def test_what_is_unfit_is_refused_before_the_first_iteration_by_run_and_doctor_alike(checkout):
    edit(checkout / NET, r'(name: "fc8_aesthetics"[^#]*?)num_output: 2', r"\1num_output: 3")
    said = "layer fc8_aesthetics gives 4x3 for 4 labels: it has to give 2 numbers for each photo"
    assert said in call(checkout, *RUN, "--dry-run", status=1)
    assert said in call(checkout, "doctor", "--dataset", "demo", "--cpu", status=2)
    assert said in call(checkout, *RUN, status=1)
    assert not (run_folder(checkout) / "caffe.log").exists()
    assert said in json.loads((run_folder(checkout) / "run.json").read_text())["failure"]


def test_layers_that_write_files_are_named_before_they_write(checkout):
    writer = 'layer { name: "dump" type: "HDF5Output" bottom: "label" bottom: "label" include { phase: TEST }'
    writer += ' hdf5_output_param { file_name: "dump.h5" } }\n'
    path = checkout / NET
    path.write_text(path.read_text() + writer)
    output = call(checkout, *RUN, "--max-iter", "1", status=1)  # Caffe's layer fails at its second batch
    said = re.search(r"^warning: .*HDF5Output layers write files: dump \(.*/dump.h5\)$", output, re.M)
    assert said.start() < output.index("7 layers from the pretrained model")


def test_the_diff_of_an_edit_is_shown_and_kept(checkout):
    edit(checkout / NET, "dropout_ratio: 0.5", "dropout_ratio: 0.25")
    output = call(checkout, *RUN, "--max-iter", "1")
    kept = (run_folder(checkout) / "edits.diff").read_text()
    for text in (output, kept):
        assert re.search(r"^-    dropout_ratio: 0.5\n\+    dropout_ratio: 0.25$", text, re.M)
    assert json.loads((run_folder(checkout) / "run.json").read_text())["edited"]["train_val"]


def test_doctor_says_which_prototxts_are_not_as_the_writer_gives_them(checkout):
    toml = checkout / "paper.toml"
    toml.write_text(toml.read_text().replace("momentum = { value = 0.9", "momentum = { value = 0.8"))
    output = call(checkout, "doctor", "--dataset", "demo", "--cpu")
    assert re.search(
        r"^ok +prototxt +demo/alexnet_global: solver and train_val differ from the generated ones", output, re.M
    )


def test_what_a_killed_preflight_left_is_removed_by_the_next(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    dead = subprocess.Popen(["true"])
    dead.wait()
    name = f"{SCRATCH}-{platform.node()}"
    left = [tmp_path / "tmp" / f"{name}-{pid}-x1" for pid in (dead.pid, os.getpid())]
    for folder in left:
        folder.mkdir(parents=True)
    call(checkout, *RUN, "--dry-run")
    assert [folder.exists() for folder in left] == [False, True]
    assert list((tmp_path / "tmp").iterdir()) == left[1:]


def test_test_photos_in_another_order_than_the_manifests_are_found_before_the_run(checkout, data):
    other = checkout / "other" / "demo"
    other.mkdir(parents=True)
    for path in (data / "demo").iterdir():
        (other / path.name).symlink_to(path)
    manifest = (data / "demo" / "manifest.csv").read_text()
    (other / "manifest.csv").unlink()
    (other / "manifest.csv").write_text(re.sub(r",([01]),written", lambda m: f",{1 - int(m[1])},written", manifest))
    output = call(checkout, *RUN, "--data", "other", "--dry-run", status=1)
    assert "the net's test photos have other labels than manifest.csv: prepare the dataset again" in output
