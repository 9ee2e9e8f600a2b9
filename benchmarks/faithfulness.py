"""Whether Caffe does with our texts what a reader of the paper expects, asked of two programs that are not Caffe.

`.venv/bin/python -m benchmarks.torch_venv`, then `.venv-torch/bin/python -m benchmarks.faithfulness`: a minute and a
half on two cores, 6 GB of memory, 1.1 GB of disk.

Against PyTorch: steps of the solver, each from the same weights and photos. Our texts run as the driver runs them, but
in small batches and without what is random: the records are as large as the crop, mirror and dropout are off. In the
first two steps the net is so certain, and right, that the gradient is nil: weight decay and momentum are alone and
exact. The steps after them have a gradient in every blob.

Caffe's update is h = momentum*h + rate*(gradient + decay*w), PyTorch's is rate*b, b = momentum*b + gradient + decay*w:
the same as long as the rate does not change, and the paper names no schedule. Caffe leaves h in the blob's diff, where
it is exact; in the weights most of it is rounded away (decay moves a weight by 5e-8 of itself, half a float's step).

The scores agree to the float's precision, gradients cannot: of some p = 1e-6 of a layer's units, those nearest to a
ReLU's zero or to the other maximum of a pooling, rounding decides which side they are on. There a unit has its whole
share of the gradient in one program and none in the other. This makes sqrt(p) = 1e-3 of the gradient's norm for each
layer above, added as squares: some sqrt(18) * 1e-3 = 4e-3 in the lowest of VGG-16. In a narrow net it seldom happens,
and then a single unit makes 1e-2. Where no unit changes sides, the difference is some 1e-6.

Against OpenCV, which reads Caffe's files itself: p(good) by our deploy.prototxt and the weights after these steps
against our test pass over an LMDB of the same views.
"""

import argparse
import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import caffe
import numpy as np
import torch
from tabulate import tabulate
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from benchmarks.data_prep import draw
from benchmarks.opencv_reader import P_TOLERANCE, centre, opencv_p_good
from benchmarks.torch_nets import NETS, optimizer
from data_prep.datums import Datum
from data_prep.stores import checkpoint
from data_prep.views import global_view
from experiments.evaluation import TestPass
from experiments.prototxts import resolve
from experiments.runs import Run
from paper import LAST_LAYER, NETWORKS, stated
from prototxt.messages import caffe_pb2, parse, text
from prototxt.nets import width

BATCH = {"alexnet": 4, "vgg16": 2}
CERTAIN_STEPS, STEPS = 2, 4
TEST_PHOTOS = 4
CERTAIN = 60  # bias of the last layer, with the other sign for good: exp(-120) is below the smallest float
SHRUNK = {"alexnet": ("conv3", "conv4", "fc6"), "vgg16": ("conv1_1", "conv1_2", "fc6")}

# the largest Euclidean difference that rounding explains
TOLERANCE = {
    "data": 0,  # photos less the mean
    "scores": 1e-4,  # a float's 6e-8, through all layers, in a difference of large sums
    "decay and momentum": 1e-6,  # a few roundings of each element
    "update": 5e-2,  # see above
    "weights": 1e-4,  # of which an update is some thousandth
}


@dataclass(frozen=True)
class Difference:
    """How far Caffe is from PyTorch in one array: its norm as a share of PyTorch's, and the same of the maximum."""

    what: str  # a key of TOLERANCE
    step: int
    blob: str
    euclidean: float
    largest: float
    size: float  # PyTorch's maximum

    @staticmethod
    def between(what: str, step: int, blob: str, ours: np.ndarray, theirs: torch.Tensor) -> "Difference":
        difference = torch.from_numpy(ours) - theirs
        (part, part_maximum), (whole, maximum) = _norms(difference), _norms(theirs)
        return Difference(what, step, blob, _share(part, whole), _share(part_maximum, maximum), maximum)


def _norms(tensor: torch.Tensor) -> tuple[float, float]:
    return vector_norm(tensor).item(), vector_norm(tensor, torch.inf).item()


def _share(part: float, whole: float) -> float:
    if not part:
        return 0.0
    return part / whole if whole else math.inf


class Trial:
    """One network in Caffe and in PyTorch: the same weights, the same photos."""

    def __init__(self, dataset: str, network: str, folder: Path) -> None:
        self.dataset = dataset
        self.network = network
        self.folder = folder
        self.batch = BATCH[network]
        photos = STEPS * self.batch + TEST_PHOTOS
        self.views = np.stack([global_view(draw(seed)) for seed in range(photos)])
        self.labels = np.arange(photos) % 2
        self.labels[: CERTAIN_STEPS * self.batch] = 0
        self.solver = self._build_solver()
        narrower = width(dataset, network)
        with torch.device("meta"):  # no weights yet: they come from Caffe's net
            self.torch_net = NETS[network](narrower.channels, narrower.units, dropout=0)
        self.torch_net.to_empty(device="cpu")
        self.optimizer = optimizer(self.torch_net)
        self._draw_weights()

    def _build_solver(self) -> caffe.SGDSolver:
        """The solver of the committed texts, without what is random, on LMDBs of our photos."""
        run = Run(self.dataset, self.network, "global", seed=1)
        stores = self.folder / run.dataset
        trained = STEPS * self.batch
        crop = stated(f"networks.{self.network}.crop_size")
        write_store(stores / "train_global_lmdb", centre(self.views[:trained], crop), self.labels[:trained])
        write_store(stores / "test_global_lmdb", self.views[trained:], self.labels[trained:])
        texts = resolve(run, self.folder)
        net = parse(texts.net, caffe_pb2.NetParameter())
        for layer in net.layer:
            if layer.type == "Data":
                layer.data_param.batch_size = self.batch
                layer.transform_param.mirror = False
            elif layer.type == "Dropout":
                layer.dropout_param.dropout_ratio = 0
        return caffe.get_solver(str(replace(texts, net=text(net)).write(self.folder)))

    def _draw_weights(self) -> None:
        """Random weights into Caffe's net: of He's size, with which no blob's gradient vanishes, as a new net's would.

        Activations stay of a pixel's size then, as AlexNet's LRN needs them to have any effect; three layers are
        drawn smaller, so that the scores are some 1 in the end.
        """
        rng = np.random.default_rng(1)
        for name, (weights, bias) in self.solver.net.params.items():
            scale = np.float32(np.sqrt(2 / weights.data[0].size) / (8 if name in SHRUNK[self.network] else 1))
            weights.data[...] = scale * rng.standard_normal(weights.data.shape, np.float32)
            bias.data[...] = 0.1 * rng.standard_normal(bias.data.shape, np.float32)

    def steps(self) -> Iterator[Difference]:
        """Take the steps in both nets; PyTorch starts each from Caffe's weights, so that nothing accumulates."""
        for step in range(1, STEPS + 1):
            certain = step <= CERTAIN_STEPS
            self._set_last_bias(CERTAIN if certain else 0.1)
            for _, blob, parameter, _ in self._blobs():
                parameter.data.copy_(torch.from_numpy(blob.data))
            self.solver.step(1)
            data, scores = self._torch_step(slice((step - 1) * self.batch, step * self.batch))
            blobs = self.solver.net.blobs
            yield Difference.between("data", step, "data", blobs["data"].data, data)
            yield Difference.between("scores", step, LAST_LAYER, blobs[LAST_LAYER].data, scores)
            for name, blob, parameter, rate in self._blobs():
                update = rate * self.optimizer.state[parameter]["momentum_buffer"]
                kind = "decay and momentum" if certain else "update"
                yield Difference.between(kind, step, name, blob.diff, update)
                yield Difference.between("weights", step, name, blob.data, parameter.data)

    def _set_last_bias(self, bad: float) -> None:
        self.solver.net.params[LAST_LAYER][1].data[...] = (bad, -bad)

    def _torch_step(self, part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        crop = stated(f"networks.{self.network}.crop_size")
        photos = centre(self.views[part], crop) - np.float32(stated(f"networks.{self.network}.mean_bgr"))
        self.optimizer.zero_grad()
        data = torch.from_numpy(photos.transpose(0, 3, 1, 2))
        scores = self.torch_net(data)
        cross_entropy(scores, torch.from_numpy(self.labels[part])).backward()
        self.optimizer.step()
        return data, scores.detach()

    def _blobs(self) -> Iterator[tuple[str, caffe._caffe.Blob, torch.nn.Parameter, float]]:
        """Name, Caffe's blob, PyTorch's parameter and its rate, of all weights and biases."""
        for group in self.optimizer.param_groups:
            layer, kind = group["name"].split(".")
            (parameter,) = group["params"]
            yield group["name"], self.solver.net.params[layer][kind == "bias"], parameter, group["lr"]

    def p_good(self) -> tuple[np.ndarray, np.ndarray]:
        """p(good) of the test photos after the steps: by our test pass, and by OpenCV from the saved weights."""
        net = self.solver.test_nets[0]
        net.share_with(self.solver.net)
        ours = TestPass(net, self.labels[-TEST_PHOTOS:]).run().p_good
        caffemodel = self.folder / f"{self.network}.caffemodel"
        self.solver.net.save(str(caffemodel))
        return ours, opencv_p_good(self.dataset, self.network, caffemodel, self.views[-TEST_PHOTOS:])


def write_store(folder: Path, pictures: np.ndarray, labels: Iterable[int]) -> None:
    """An LMDB of n x height x width x 3 BGR uint8 pictures."""
    with checkpoint(folder, len(pictures)) as put:
        for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            planes = picture.transpose(2, 0, 1)
            channels, height, width = planes.shape
            datum = Datum(channels=channels, height=height, width=width, data=planes.tobytes(), label=int(label))
            put(i, datum.SerializeToString())


def compare(network: str) -> tuple[list[Difference], np.ndarray, np.ndarray]:
    """The steps of one network at full size, and p(good) after them, Caffe's and OpenCV's."""
    with tempfile.TemporaryDirectory(prefix="faithfulness_") as folder:
        trial = Trial("ava-large", network, Path(folder))
        return list(trial.steps()), *trial.p_good()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faithfulness", description=__doc__.splitlines()[0])
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--blobs", action="store_true", help="every blob of every step, too")
    arguments = parser.parse_args()
    rows, blobs = [], []
    for network in arguments.network:
        differences, ours, theirs = compare(network)
        for what, tolerance in TOLERANCE.items():
            worst = max((d for d in differences if d.what == what), key=lambda d: d.euclidean)
            rows.append((network, what, worst.euclidean, tolerance, worst.largest, f"step {worst.step}, {worst.blob}"))
        apart = float(np.abs(ours - theirs).max())
        rows.append((network, "p(good)", None, P_TOLERANCE, apart, f"p(good) {ours.min():.3f} to {ours.max():.3f}"))
        blobs += [(network, *astuple(difference)) for difference in differences]
    if arguments.blobs:
        print(tabulate(blobs, ["network", *Difference.__annotations__], "pipe", floatfmt=".1e"), end="\n\n")
    header = ["full size", "of", "Euclidean", "allowed", "largest", "where"]
    print(tabulate(rows, header, "pipe", floatfmt=".1e"))


if __name__ == "__main__":
    main()
