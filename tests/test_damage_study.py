"""The study of damage, benchmarks/damage.py: what it does to files, what it counts, how it is called."""

import subprocess
import sys
from random import Random

import cv2
import numpy as np
import pytest
from conftest import ROOT

from benchmarks.damage import DAMAGE, VERDICTS, verdict, verdicts


@pytest.fixture(scope="module")
def photo(tmp_path_factory, draw_picture):
    path = tmp_path_factory.mktemp("photos") / "a.JPG"
    path.write_bytes(cv2.imencode(".jpg", draw_picture(3, 400, 300))[1].tobytes())
    return path


def study(*arguments):
    command = [sys.executable, "-m", "benchmarks.damage", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_kind_of_damage_changes_the_file_and_the_same_seed_does_the_same(photo, kind):
    data = photo.read_bytes()
    once, again = ([DAMAGE[kind](data, random) for _ in range(5)] for random in (Random(1), Random(1)))
    assert once == again
    assert len({data, *once}) == 6


def test_a_verdict_tells_how_far_the_pixels_are_from_the_originals(photo):
    data = photo.read_bytes()
    original = cv2.imread(str(photo))
    assert verdict(data, original) == "written unchanged"
    assert verdict(data[:1000], original) == "corrupt"
    assert verdict(data, cv2.add(original, np.full_like(original, 1))) == "slightly changed"
    assert verdict(data, 255 - original) == "visibly changed"


def test_the_table_counts_every_mutant_once(photo):
    counts = verdicts(photo, each=3, seed=1)
    assert counts["none", "written unchanged"] == 1
    for kind in DAMAGE:
        assert sum(counts[kind, verdict] for verdict in VERDICTS) == 3
    done = study("--photos", photo.parent, "--each", 3)
    assert done.returncode == 0, done.stderr
    total = done.stdout.splitlines()[-1].split("|")
    assert [cell.strip() for cell in total[1:4]] == ["all kinds", "24", str(sum(counts[k, "corrupt"] for k in DAMAGE))]


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_a_folder_without_photos_is_refused_in_one_line(tmp_path, place):
    (tmp_path / "empty").mkdir()
    done = study("--photos", tmp_path / place)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / place} ")
    assert len(done.stderr.splitlines()) == 1
