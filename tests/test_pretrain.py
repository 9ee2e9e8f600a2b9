"""How models/demo was made still works, on a few photos for an instant."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness import weights_in

from paper import NETWORKS, ROOT


def shapes(caffemodel: Path) -> dict[str, list[int]]:
    """The bytes of each layer's blobs."""
    return {layer: [len(blob) for blob in blobs] for layer, blobs in weights_in(caffemodel).items()}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_pretrained_model_has_the_layers_of_the_one_in_the_repository(network, tmp_path):
    options = ["--photos", "20", "--iterations", "1", "--network", network]
    command = [sys.executable, "-m", "demo.pretrain", "--work", tmp_path, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made, kept = tmp_path / f"{network}.caffemodel", ROOT / "models" / "demo" / f"{network}.caffemodel"
    assert shapes(made) == shapes(kept)
