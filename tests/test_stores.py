"""Records are Caffe's Datums, stores are LMDBs that Caffe reads, and a store is a function of its records."""

from user_error import UserError

import os
import subprocess
import sys

import cv2
import lmdb
import numpy as np
import pytest
from conftest import ROOT

from data_prep import datums, stores

RECORDS = [np.random.default_rng(n).bytes(30_000 + 7919 * n % 20_000) for n in range(40)]


def write(folder, records, begin=0, end=None, every=10):
    for first in range(begin, end or len(records), every):
        with stores.checkpoint(folder, len(records)) as put:
            for position, record in enumerate(records[first : first + every], first):
                put(position, record)


def content(folder):
    return (folder / "data.mdb").read_bytes()


@pytest.fixture
def view():
    return np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)


def raw_datum(view, label):
    before, after = datums.raw_frame(label)
    return before + view.transpose(2, 0, 1).tobytes() + after


@pytest.mark.parametrize("label", [0, 1])
def test_records_are_what_caffes_own_datum_serializes(view, label):
    caffe_pb2 = pytest.importorskip("caffe.proto.caffe_pb2")
    planes = view.transpose(2, 0, 1).tobytes()
    theirs = caffe_pb2.Datum(channels=3, height=256, width=256, data=planes, label=label)
    assert raw_datum(view, label) == theirs.SerializeToString()
    ours = datums.encoded_record(b"\xff\xd8jpeg", label)
    size = {"channels": 3, "height": 256, "width": 256}
    theirs = caffe_pb2.Datum(**size, data=b"\xff\xd8jpeg", label=label, encoded=True)
    assert ours == theirs.SerializeToString()


def test_a_raw_record_fits_its_place(view):
    assert len(raw_datum(view, 1)) <= datums.RECORD_BYTES


def test_records_come_back_as_they_were_put(tmp_path, view):
    write(tmp_path / "store", [raw_datum(view, 1), raw_datum(255 - view, 0)])
    (first, one, pixels), (second, zero, inverse) = stores.read_records(tmp_path / "store")
    assert (first, one, second, zero) == (0, 1, 1, 0)
    assert np.array_equal(pixels, view)
    assert np.array_equal(inverse, 255 - view)


def test_single_views_can_be_had_and_a_position_that_is_not_there_is_named(tmp_path, view):
    write(tmp_path, [raw_datum(view, 1), raw_datum(view[::-1], 0), b"damaged"])
    assert np.array_equal(stores.views_at(tmp_path, [1])[1], view[::-1])
    for position, said in ((7, "has no record 7; "), (2, "record b'00000002' is not a view")):
        with pytest.raises(UserError, match=said):
            stores.views_at(tmp_path, [0, position])


def test_keys_are_eight_digits_in_the_order_of_the_records(tmp_path):
    write(tmp_path / "store", RECORDS)
    with (
        lmdb.open(str(tmp_path / "store"), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        keys = [bytes(key) for key in transaction.cursor().iternext(values=False)]
    assert keys == [b"%08d" % position for position in range(len(RECORDS))]


def test_a_store_is_the_same_however_often_the_process_that_grows_it_changes(tmp_path):
    write(tmp_path / "one", RECORDS)
    for begin in range(0, len(RECORDS), 10):
        call = f"write(pathlib.Path({str(tmp_path / 'many')!r}), RECORDS, {begin}, {begin + 10})"
        code = f"import pathlib; from test_stores import RECORDS, write; {call}"
        path = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        subprocess.run([sys.executable, "-c", code], env=path, check=True)
    assert content(tmp_path / "one") == content(tmp_path / "many")


def test_an_abandoned_checkpoint_leaves_no_trace_in_the_finished_store(tmp_path):
    write(tmp_path / "one", RECORDS)
    for first in range(0, len(RECORDS), 10):
        with pytest.raises(KeyboardInterrupt):
            abandon(tmp_path / "other", first)
        with stores.checkpoint(tmp_path / "other", len(RECORDS)) as put:
            for position in range(first, first + 10):
                put(position, RECORDS[position])
    assert content(tmp_path / "one") == content(tmp_path / "other")


def abandon(folder, first):
    with stores.checkpoint(folder, len(RECORDS)) as put:
        put(first, RECORDS[first])
        raise KeyboardInterrupt


def test_a_checkpoint_that_is_already_there_changes_nothing(tmp_path):
    write(tmp_path / "store", RECORDS)
    before = content(tmp_path / "store")
    write(tmp_path / "store", RECORDS, begin=30)
    assert content(tmp_path / "store") == before


def test_another_record_than_the_one_that_is_there_is_refused(tmp_path):
    write(tmp_path / "store", RECORDS)
    with pytest.raises(stores.StoreDiffers):
        write(tmp_path / "store", [*RECORDS[:-1], b"other"], begin=30)


def test_a_store_stays_within_the_disk_need_that_was_announced(tmp_path, view):
    record = raw_datum(view, 1)
    write(tmp_path / "store", [record] * 128, every=64)
    used = (tmp_path / "store" / "data.mdb").stat().st_size
    need = stores.disk_need(128, encoded=False)
    assert used <= need <= 1.05 * used


def test_a_store_has_no_lock_file_and_caffe_style_readers_open_it(tmp_path):
    write(tmp_path / "store", RECORDS)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["data.mdb"]
    with lmdb.open(str(tmp_path / "store"), readonly=True) as environment:  # with a lock, as Caffe
        assert environment.stat()["entries"] == len(RECORDS)
    assert stores.entries(tmp_path / "store") == len(RECORDS)
    assert stores.entries(tmp_path / "nothing") == 0


def test_a_store_may_be_in_a_folder_whose_name_is_no_text(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff of \xfe")
    write(folder, RECORDS)
    assert stores.entries(folder) == len(RECORDS)


CAFFE_READS = """
import sys, numpy as np, caffe
net = caffe.Net(sys.argv[1], caffe.TEST)
net.forward()
np.savez(sys.argv[2], data=net.blobs["data"].data, label=net.blobs["label"].data)
"""


@pytest.mark.parametrize("encoded", [False, True])
def test_caffes_data_layer_reads_a_store(tmp_path, encoded):
    pytest.importorskip("caffe")
    views = [np.full((256, 256, 3), (10 * n, 100, 200), np.uint8) for n in range(4)]
    records = [raw_datum(view, n % 2) for n, view in enumerate(views)]
    if encoded:
        jpegs = [cv2.imencode(".jpg", view)[1].tobytes() for view in views]
        records = [datums.encoded_record(jpeg, n % 2) for n, jpeg in enumerate(jpegs)]
    write(tmp_path / "store", records)
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" transform_param { force_color: true }'
        f' data_param {{ source: "{tmp_path / "store"}" backend: LMDB batch_size: 4 }} }}'
    )
    read = [sys.executable, "-c", CAFFE_READS, tmp_path / "net.prototxt", tmp_path / "read.npz"]
    subprocess.run(read, check=True, capture_output=True, timeout=60)
    found = np.load(tmp_path / "read.npz")
    assert found["label"].tolist() == [0, 1, 0, 1]
    expected = np.stack(views).transpose(0, 3, 1, 2)
    assert np.abs(found["data"] - expected).max() <= (3 if encoded else 0)
