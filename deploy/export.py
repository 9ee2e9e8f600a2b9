"""A run -> a folder with all that its net needs outside of this repository: ONNX, Caffe's pair, a card, an example.

It is made beside its place under another name, checked on test photos, and only then given its own: it is whole and
right, or not there.
"""

from user_error import UserError

import errno
import glob
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from google.protobuf.message import Message

from data_prep.request import store_name
from deploy import card, pair
from deploy.export_caffe import MODEL, convert
from deploy.export_check import Check, check
from deploy.net import ScoringNet, of_run
from deploy.onnx_layers import check_types
from experiments.planning import dataset_digest
from experiments.run_folder import RunFolder
from files import sync, write_atomically
from paper import LAST_LAYER
from prototxt import messages
from prototxt.messages import caffe_pb2
from report.line import DASH

CARD, EXAMPLE = "readme.md", "example.py"
FILES = {pair.PROTOTXT, pair.FACTS, pair.MEAN, MODEL, CARD, EXAMPLE}  # and a caffemodel
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, or what is allowed of it
FILLERS = ("weight_filler", "bias_filler", "filler")


def export(
    run: RunFolder, out: Path, data: Path, say: Callable[[str], None] = lambda text: None
) -> tuple[ScoringNet, Check]:
    """Write the folder `out`; the net in it, and what came of its check on test photos, which lie below `data`.

    `say` hears what is being done. Raises UserError where the net cannot be exported, or `out` is taken.
    """
    net, out = of_run(run), Path(os.path.abspath(out))
    store = data / net.dataset / store_name("test", net.view)
    if not store.is_dir():
        given = f"give --data, the folder with the prepared {net.dataset}"
        raise UserError(f"{store} is not there, and an export is checked on test photos: {given}")
    if os.path.lexists(out) and not is_replaceable(out):
        raise UserError(f"{out} is there, and not an export alone: give another --out DIR")
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise UserError(f"{out} is not UTF-8, and ONNX Runtime opens no such path: give another --out DIR") from None
    check_types(net.param.layer[1:])
    record, result = run.record(), run.result(net.iteration)
    if lacking := {"photos", "rule"} - record.get("dataset", {}).keys():
        raise UserError(f"{run.path / 'run.json'} does not say of its dataset: {', '.join(sorted(lacking))}")
    predicted = None
    if result and record["inputs"].get("dataset") == dataset_digest(data / net.dataset):
        predicted = [prediction.p_good for prediction in result.predictions]
    name = "_".join(net.name.split("/")[:2]) + ".caffemodel"
    with _whole_or_not_there(out) as folder:
        prob = write_pair(net, folder, name)
        shutil.copyfile(Path(__file__).with_name(EXAMPLE), folder / EXAMPLE)
        say(f"{net.name} at iteration {net.iteration:,}: writing it for Caffe and for ONNX")
        convert(folder, net.weights, name)
        pair.seal(folder)
        notes = tuple(note.replace(str(run.path), net.name) for note in net.notes)
        exported = replace(pair.of_pair(folder), notes=notes)
        say("scoring test photos by Caffe and by ONNX Runtime")
        checked = check(exported, folder / MODEL, store, predicted)
        write_atomically(folder / CARD, card.text(folder, exported, prob, record, result, checked))
    return exported, checked


def write_pair(net: ScoringNet, folder: Path, caffemodel: str) -> str:
    """Write Caffe's pair, not sealed yet, but for its caffemodel, which is to have this name.

    Returns the name of the blob of p(bad) and p(good).
    """
    param, prob = deployed(net)
    write_atomically(folder / pair.PROTOTXT, messages.text(param))
    write_atomically(folder / pair.FACTS, pair.facts(net, caffemodel))
    if net.mean_file:
        shutil.copyfile(net.mean_file, folder / pair.MEAN)
    return prob


def deployed(net: ScoringNet) -> tuple[caffe_pb2.NetParameter, str]:
    """The net for deploy.prototxt, with p(bad) and p(good) as its last blob, whose name is the second value.

    Fillers and learning rates are left out: they are of no use to a trained net, and fillers take time.
    """
    param = caffe_pb2.NetParameter()
    param.CopyFrom(net.param)
    param.name = net.name
    has_shared_weights = any(weights.name for layer in param.layer for weights in layer.param)
    for layer in param.layer:
        if not has_shared_weights:
            layer.ClearField("param")
        for _, parameters in layer.ListFields():
            for field in FILLERS if isinstance(parameters, Message) else ():
                if field in parameters.DESCRIPTOR.fields_by_name:
                    parameters.ClearField(field)
    taken = {name for layer in param.layer for name in (layer.name, *layer.top)}
    prob = next(name for name in ("prob", f"{LAST_LAYER}_prob") if name not in taken)
    param.layer.add(name=prob, type="Softmax", bottom=[net.output], top=[prob])
    return param, prob


def is_replaceable(folder: Path) -> bool:
    """Whether a place is an empty folder, or an export with nothing else in it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir() if path.suffix != ".caffemodel"}
    return not names or (pair.FACTS in names and names <= FILES)


@contextmanager
def _whole_or_not_there(out: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `out` at the end, and is removed where something is raised.

    What killed processes left of such folders is removed first. UserError where the folder cannot be written.
    """
    begin = f".{out.name}.{platform.node()}."
    partial = out.with_name(f"{begin}{os.getpid()}.partial")
    try:
        _make(partial, begin)
        yield partial
        for path in partial.iterdir():
            sync(path)
        sync(partial)
        if os.path.lexists(out):
            before = out.with_name(f"{begin}{os.getpid()}.before.partial")
            out.rename(before)
            partial.rename(out)
            shutil.rmtree(before)
        else:
            partial.rename(out)
        sync(out.parent)
    except OSError as error:
        if not _is_of_writing(error, out, partial):
            raise
        raise UserError(f"{out} cannot be written ({error.strerror}): give another --out DIR") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_of_writing(error: OSError, out: Path, partial: Path) -> bool:
    """Whether an error is one of the folder that is made, not of something that is read."""
    if error.errno in FULL or not error.filename:
        return error.errno in FULL
    place = Path(os.fsdecode(error.filename))
    return place in out.parents or bool({out, partial}.intersection([place, *place.parents]))


def _make(partial: Path, begin: str) -> None:
    """Make the folder to write into, and remove those that begin so and whose process is gone."""
    if partial.parent.is_file():  # what mkdir says of it would not help: that it exists
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(partial.parent))
    partial.parent.mkdir(parents=True, exist_ok=True)
    for left in partial.parent.glob(f"{glob.escape(begin)}*.partial"):
        number = left.name.removeprefix(begin).partition(".")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left)
    partial.mkdir()


def report(out: Path, net: ScoringNet, checked: Check) -> Iterator[str]:
    """What to say of an export, a line each."""
    yield f"{out}: {net.name} at iteration {net.iteration:,}"
    files = sorted(out.iterdir())
    width = max(len(path.name) for path in files)
    yield from (f"  {path.name:{width}}  {path.stat().st_size:>13,} bytes" for path in files)
    yield from (f"note: {note}" for note in net.notes)
    yield f"largest |difference| of p(good) on {checked.photos:,} test photos"
    yield f"  ONNX Runtime to Caffe         {checked.onnx:.1e}"
    theirs = f"{DASH} (none of these photos at this iteration)" if checked.run is None else f"{checked.run:.1e}"
    yield f"  Caffe to predictions.csv      {theirs}"
