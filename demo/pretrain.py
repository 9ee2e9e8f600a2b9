"""How the demo's pretrained models were made: `python -m demo.pretrain --work DIR [--network N]`.

They stand in for the ImageNet models. The narrow networks of the demo learn, from nothing, to tell the seven scenes of
drawn photos apart: other photos than the demo's own (another seed), in both views, labelled by the scene that AVA.txt
names as their semantic tag. No score is read. models/registry.toml holds the SHA-256 of the files that came out.
"""

from user_error import exit_with_status

import os
import shutil
from pathlib import Path

from paper import NETWORKS, ROOT, stated

os.environ.setdefault("OPENBLAS_NUM_THREADS", str(stated("demo.threads")))  # OpenBLAS reads it when it is loaded

import caffe
import cv2
import numpy as np
from caffe import layers as L
from caffe.proto import caffe_pb2

import commands
from arguments import Parser, count, positive
from data_prep.datums import Datum
from data_prep.stores import checkpoint
from data_prep.views import MAKE_VIEW
from demo.dataset import draw_dataset
from demo.score import SCENES
from prototxt.messages import text
from prototxt.nets import BODIES, NetSpec, data_layer, rates, width

TAG_COLUMN = 12  # of AVA.txt: the first semantic tag
MSRA = {"type": "msra"}  # deep narrow nets do not start from the published nets' small Gaussians
HIDDEN_SQUARE = 200  # |fc7|^2: a step of rate 0.001 with momentum 0.9 moves a score by 0.001 / (1 - 0.9) * 200 = 2
SCALE = 1 / 30  # of the pixels while pretraining: a start from nothing wants inputs near 1, not near 100


def write_records(photos: Path, store: Path) -> None:
    """Both views of every readable photo, labelled by its scene, in the order of AVA.txt (random: ids are)."""
    rows = np.loadtxt(photos / "AVA.txt", dtype=int)
    tags = sorted(set(rows[:, TAG_COLUMN]))
    shutil.rmtree(store, ignore_errors=True)
    position = 0
    with checkpoint(store, 2 * len(rows)) as put:
        for row in rows:
            picture = cv2.imread(str(photos / "images" / f"{row[1]}.jpg"), cv2.IMREAD_COLOR)
            if picture is None:
                continue
            for make_view in MAKE_VIEW.values():
                planes = make_view(picture).transpose(2, 0, 1)
                channels, height, size = planes.shape
                datum = Datum(channels=channels, height=height, width=size, data=planes.tobytes())
                datum.label = tags.index(row[TAG_COLUMN])
                put(position, datum.SerializeToString())
                position += 1


def net(network: str, store: Path) -> caffe_pb2.NetParameter:
    """The demo's network with a last layer of seven scenes, fit for training from nothing: fillers, no dropout."""
    n = NetSpec()
    batch = stated(f"finetuning.batch_size.{network}")
    n.data, n.label = data_layer(network, "TRAIN", str(store), batch)
    top = BODIES[network](n, width("demo", network))
    n.fc8_scenes = L.InnerProduct(top, num_output=len(SCENES), param=rates(1), weight_filler=MSRA)
    n.loss = L.SoftmaxWithLoss(n.fc8_scenes, n.label)
    n.accuracy = L.Accuracy(n.fc8_scenes, n.label)
    param = n.to_proto()
    param.layer[0].transform_param.scale = SCALE
    kept = [layer for layer in param.layer if layer.type != "Dropout"]
    del param.layer[:]
    param.layer.extend(kept)
    for layer in param.layer:
        for filler in (layer.convolution_param.weight_filler, layer.inner_product_param.weight_filler):
            if filler.type == "gaussian":
                filler.CopyFrom(caffe_pb2.FillerParameter(**MSRA))
    return param


def fit_for_finetuning(net: caffe.Net) -> None:
    """Scale two layers of a trained net, which changes none of its features but their size.

    The first convolution takes in SCALE: the demo's nets, like the paper's, read unscaled pixels. The last hidden layer
    is brought to HIDDEN_SQUARE, by its outputs for the batch that the net saw last.
    """
    first = next(iter(net.params.values()))
    first[0].data[...] *= SCALE
    square = float(np.square(net.blobs["fc7"].data).sum(axis=1).mean())
    for blob in net.params["fc7"]:
        blob.data[...] *= np.sqrt(HIDDEN_SQUARE / square)


def pretrain(network: str, work: Path, iterations: int) -> Path:
    """Train one network with Adam and write <work>/<network>.caffemodel."""
    net_file, solver_file = work / f"{network}.prototxt", work / f"{network}_solver.prototxt"
    net_file.write_text(text(net(network, work / "scenes_lmdb")))
    solver_param = caffe_pb2.SolverParameter(
        net=str(net_file),
        type="Adam",
        base_lr=0.001,
        momentum=0.9,
        momentum2=0.999,
        lr_policy="poly",
        power=1,
        weight_decay=0.0005,
        max_iter=iterations,
        display=50,
        average_loss=50,
        random_seed=1,
        snapshot_after_train=False,
    )
    solver_file.write_text(text(solver_param))
    solver = caffe.get_solver(str(solver_file))
    solver.solve()
    fit_for_finetuning(solver.net)
    model = work / f"{network}.caffemodel"
    solver.net.save(str(model))
    return model


def main() -> None:
    parser = Parser(prog=commands.module("demo.pretrain"), description="Make the demo's pretrained models.")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="photos, LMDB and models go here")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS, metavar="N")
    parser.add_argument("--photos", type=positive, default=5000, metavar="N")
    parser.add_argument("--seed", type=count, default=2, metavar="N", help="of the photos; the demo's own is another")
    parser.add_argument("--iterations", type=positive, default=2000, metavar="N")
    arguments = parser.parse_args()
    photos = arguments.work / "photos"
    draw_dataset(photos, arguments.photos, arguments.seed, jobs=os.cpu_count() or 1)
    write_records(photos / "ava", arguments.work / "scenes_lmdb")
    for network in arguments.network:
        model = pretrain(network, arguments.work, arguments.iterations)
        print(f"{model}: copy it to {ROOT / 'models' / 'demo'} and note its SHA-256 in models/registry.toml")


if __name__ == "__main__":
    exit_with_status(main)
