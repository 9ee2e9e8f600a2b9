"""Caffe reads a store that it may not write, and leaves nothing beside it (patches/default/lmdb-read-without-lock)."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from harness import TEST

from data_prep.stores import read_records

pytest.importorskip("caffe", reason="Caffe is not built here")

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "%s" batch_size: %d backend: LMDB } }
"""
READ = """
import os, sys
import caffe
import numpy as np
net = caffe.Net(sys.argv[1], caffe.TRAIN)
net.forward()
sys.stdout.buffer.write(net.blobs["data"].data.astype(np.uint8).tobytes())
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture
def shared(data):
    """A folder with a net, and the store of a colleague's that it reads, where others may look."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        store = folder / "store"
        store.mkdir()
        shutil.copy(data / "demo" / "test_global_lmdb" / "data.mdb", store)
        (folder / "net.prototxt").write_text(NET % (store, TEST))
        yield folder


def test_a_store_in_a_folder_that_may_not_be_written_is_read_record_by_record(shared, as_nobody):
    command = [*as_nobody, sys.executable, "-c", READ, shared / "net.prototxt"]
    done = subprocess.run(command, capture_output=True, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
    views = np.stack([view.transpose(2, 0, 1) for _, _, view in read_records(shared / "store")])
    assert done.stdout == views.tobytes()


def test_who_reads_a_store_leaves_nothing_beside_it(shared):
    subprocess.run([sys.executable, "-c", READ, shared / "net.prototxt"], capture_output=True, check=True)
    assert [path.name for path in (shared / "store").iterdir()] == ["data.mdb"]
