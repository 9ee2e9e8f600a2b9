"""The child process that holds Caffe: a deploy.prototxt and a run's snapshot -> its caffemodel and model.onnx.

`python -m deploy.export_caffe FOLDER SNAPSHOT NAME`, started by deploy.export. A failed CHECK in Caffe aborts the
process that made it: here it ends the export with a line.
"""

from user_error import UserError

import os
import subprocess
import sys
from pathlib import Path

from deploy import child, pair
from experiments.failures import last_words
from experiments.launch import environment
from paper import ROOT

MODEL = "model.onnx"
REFUSED, UNWRITTEN = 2, 3  # exit statuses: standard output says why, by the number of the error


def convert(folder: Path, snapshot: Path, name: str) -> None:
    """Have a process write <folder>/<name> and the ONNX model, where the rest of the pair is there.

    Raises UserError where Caffe cannot build the net, or where a layer is not covered; OSError where the disk is full.
    """
    done = subprocess.run(
        child.command("deploy.export_caffe", folder.absolute(), snapshot.absolute(), name),
        cwd=ROOT,
        env=os.environ | environment(None, threads=None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if done.returncode == REFUSED:
        raise UserError(done.stdout.decode(errors="surrogateescape").strip())
    if done.returncode == UNWRITTEN:
        raise OSError(int(done.stdout), os.strerror(int(done.stdout)))
    if done.returncode:
        raise UserError(
            f"{snapshot} to {folder.parent}: {last_words(done.stderr.decode(errors='replace'), done.returncode)}"
        )


def _convert(folder: Path, snapshot: Path, name: str) -> None:
    import caffe

    from deploy import onnx_model
    from experiments.transfer import examine

    loaded = caffe.Net(os.fsencode(folder / pair.PROTOTXT), caffe.TEST)
    if new := examine(loaded, snapshot).new:
        raise UserError(f"{snapshot} has no weights for layer {', '.join(new)}")
    loaded.copy_from(os.fsencode(snapshot))
    loaded.save(os.fsencode(folder / name))  # without the run's paths, which the snapshot holds
    weights = {layer: [blob.data for blob in blobs] for layer, blobs in loaded.params.items()}
    shapes = {blob: tuple(values.shape) for blob, values in loaded.blobs.items()}
    onnx_model.write(folder / MODEL, pair.of_pair(folder, is_sealed=False), weights, shapes)


def main() -> int:
    folder, snapshot, name = sys.argv[1:]
    try:
        _convert(Path(folder), Path(snapshot), name)
    except UserError as error:
        print(error)
        return REFUSED
    except OSError as error:
        if error.filename == snapshot:  # it is gone
            print(f"{snapshot}: {error.strerror}")
            return REFUSED
        print(error.errno)  # a full disk
        return UNWRITTEN
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="surrogateescape")
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Caffe's threads may abort a process that tears itself down
