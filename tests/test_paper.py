"""What the paper states and what we chose in its place, written down a second time by hand and held against what runs.

The values below come from the paper's text, not from paper.toml: a change there, or in the code that uses it, fails
here unless this page says the same. They are held against the written prototxts and solvers as Caffe reads them, and
against what the data preparation does.
"""

from user_error import UserError

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import data_prep.__main__
from data_prep import datums, views
from data_prep.photos import Photo
from data_prep.pictures import Place
from data_prep.readers import ava, cuhkpq, partitions
from data_prep.records import Wanted, make_records
from paper import DATASETS, NETWORKS, ROOT, VIEWS, PaperClaim, claims, statements, tables
from report.measures import interval

OURS = "ours"  # where the paper is silent
NUMBERS = {  # name in paper.toml: (value, section of the paper)
    "labels.threshold": (5, "III-A"),
    "labels.lowest_score": (1, "III-A"),
    "labels.highest_score": (10, "III-A"),
    "labels.delta_excludes_test_photos": (False, OURS),
    "views.size": (256, "III-C"),
    "views.small_photo": ("enlarge", OURS),
    "photos.largest_pixels": (200_000_000, OURS),
    "photos.largest_bytes": (500_000_000, OURS),
    "photos.most_pixels_per_byte": (5_000, OURS),
    "photos.most_scans": (100, OURS),
    "partitions.seed": (2016, OURS),
    "partitions.same_picture.ava": ("report", OURS),
    "partitions.same_picture.others": ("drop", OURS),
    "partitions.ava.photos": (255_530, OURS),
    "partitions.ava-large.train": (230_000, "IV-A.2"),
    "partitions.ava-large.test": (20_000, "IV-A.2"),
    "partitions.ava-large.test_list": ("generic_test.jpgl", OURS),
    "partitions.ava-small.train": (19_308, "IV-A.2"),
    "partitions.ava-small.test": (19_308, "IV-A.2"),
    "partitions.ava-small.share": (0.1, "III-A"),
    "partitions.ava-small.small_rule": ("decile-193k", OURS),
    "partitions.ava-small.drawn": (193_080, OURS),
    "partitions.cuhkpq.high": ([953, 595, 678, 820, 353, 594, 531], OURS),
    "partitions.cuhkpq.low": ([2_292, 1_290, 2_470, 1_950, 1_356, 1_803, 2_005], OURS),
    "partitions.cuhkpq-small.train": (8_845, "IV-A.1"),
    "partitions.cuhkpq-small.test": (8_845, "IV-A.1"),
    "partitions.cuhkpq-small.odd_cells": ("alternate", OURS),
    "partitions.cuhkpq-large.train": (14_845, "IV-A.1"),
    "partitions.cuhkpq-large.test": (14_845, "IV-A.1"),
    "partitions.cuhkpq-large.extra": (12_000, OURS),
    "partitions.own.test_share": (0.1, OURS),
    "partitions.demo.train": (2_000, OURS),
    "partitions.demo.test": (600, OURS),
    "partitions.demo.seed": (7, OURS),
    "finetuning.learning_rate": (0.0001, "III-B.2"),
    "finetuning.last_layer_learning_rate": (0.001, "III-B.2"),
    "finetuning.last_layer_filler": ("xavier", "III-B.2"),
    "finetuning.classes": (2, "III-B.2"),
    "finetuning.max_iter": (10_000, "III-B.2"),
    "finetuning.sufficient_iter": (5_000, "IV-D"),
    "finetuning.lr_policy": ("fixed", OURS),
    "finetuning.momentum": (0.9, OURS),
    "finetuning.weight_decay": (0.0005, OURS),
    "finetuning.weight_decay_mult": (1, OURS),
    "finetuning.bias_decay_mult": (0, OURS),
    "finetuning.bias_lr_mult": (1, OURS),
    "finetuning.mirror": (True, OURS),
    "finetuning.seed": (1, OURS),
    "finetuning.minutes.alexnet": (30, "III-B.2"),
    "finetuning.minutes.vgg16": (60, "III-B.2"),
    "finetuning.batch_size.alexnet": (50, "III-C"),
    "finetuning.batch_size.vgg16": (20, "III-C"),
    "scratch.alexnet.learning_rate": (0.01, OURS),
    "scratch.alexnet.filler": ("gaussian", OURS),
    "scratch.vgg16.learning_rate": (0.0003, OURS),
    "scratch.vgg16.filler": ("msra", OURS),
    "evaluation.every": (1_000, OURS),
    "evaluation.early": ([0, 100, 200, 500], OURS),
    "evaluation.snapshot_every": (1_000, OURS),
    "evaluation.confidence": (0.95, OURS),
    "evaluation.bootstrap.draws": (10_000, OURS),
    "evaluation.bootstrap.seed": (2016, OURS),
    "evaluation.largest_batch": (50, OURS),
    "evaluation.crop": ("centre", OURS),
    "evaluation.batch_size.ava-large": (50, OURS),
    "evaluation.batch_size.ava-small": (12, OURS),
    "evaluation.batch_size.cuhkpq-large": (5, OURS),
    "evaluation.batch_size.cuhkpq-small": (5, OURS),
    "evaluation.batch_size.demo": (50, OURS),
    "evidence.level": (0.05, OURS),
    "evidence.margin": (1, OURS),  # points
    "evidence.fall": (0.5, OURS),
    "evidence.about": (1.2, OURS),
    "networks.alexnet.name": ("AlexNet", "III-B.1"),
    "networks.alexnet.crop_size": (227, OURS),
    "networks.alexnet.mean_bgr": ([104, 117, 123], OURS),  # blue, green, red
    "networks.vgg16.name": ("VGGNet", "III-B.1"),
    "networks.vgg16.crop_size": (224, OURS),
    "networks.vgg16.mean_bgr": ([103.939, 116.779, 123.68], OURS),  # blue, green, red
    "demo.max_iter": (400, OURS),
    "demo.evaluate_every": (100, OURS),
    "demo.snapshot_every": (100, OURS),
    "demo.threads": (1, OURS),
    "demo.alexnet.channels": (8, OURS),
    "demo.alexnet.units": (16, OURS),
    "demo.vgg16.channels": (16, OURS),
    "demo.vgg16.units": (16, OURS),
}

TABLES = {  # name: (section, dataset, rows in the paper's order)
    "I": ("IV-B", "cuhkpq-large", """\
Local view, AlexNet  83.24
Local view, VGGNet   87.90
Global view, AlexNet 86.72
Global view, VGGNet  91.43"""),
    "II": ("IV-B", "cuhkpq-small", """\
Local view, AlexNet  88.56
Local view, VGGNet   91.47
Global view, AlexNet 91.20
Global view, VGGNet  93.52
method in [5]        91.93"""),
    "III": ("IV-C", "ava-large", """\
Local view, AlexNet         74.99
Local view, VGGNet          82.00
Local view, method in [14]  71.20
Global view, AlexNet        74.36
Global view, VGGNet         79.00
Global view, method in [14] 67.79"""),
    "IV": ("IV-C", "ava-small", """\
Local view, AlexNet  78.72
Local view, VGGNet   81.13
Global view, AlexNet 83.24
Global view, VGGNet  85.41
method in [5]        83.52"""),
    "demo": (None, "demo", """\
Local view, AlexNet  -
Local view, VGGNet   -
Global view, AlexNet -
Global view, VGGNet  -"""),
}  # fmt: skip
ALL_FOUR = "cuhkpq-large cuhkpq-small ava-large ava-small"
CLAIMS = {  # name: (section, what it compares, the paper's datasets, others of which we ask it)
    "vggnet-cuhkpq": ("IV-B", "network vgg16 > network alexnet", "cuhkpq-large cuhkpq-small", "demo own"),
    "vggnet-ava": ("IV-C", "network vgg16 > network alexnet", "ava-large ava-small", ""),
    "global-cuhkpq": ("IV-B", "view global > view local", "cuhkpq-large cuhkpq-small", "demo own"),
    "global-ava": ("IV-C", "view global > view local", "ava-small", ""),
    "local-ava": ("IV-C", "network vgg16 view local > ", "ava-large", ""),
    "above-5-cuhkpq": ("IV-B", "network vgg16 view global > method in [5]", "cuhkpq-small", ""),
    "above-5-ava": ("IV-C", "network vgg16 view global > method in [5]", "ava-small", ""),
    "above-14": ("IV-C", "network vgg16 view global > method in [14]", "ava-large", ""),
    "loss-falls": ("IV-D", "fall", ALL_FOUR, "demo own"),
    "sooner": ("IV-D", "sooner", "ava-large ava-small cuhkpq-large cuhkpq-small", "demo own"),
    "sufficient": ("IV-D", "sufficient", ALL_FOUR, "own"),
    "stable": ("IV-D", "stable", ALL_FOUR, "own"),
    "overfits": ("IV-D", "overfits", ALL_FOUR, "own"),
    "minutes-alexnet": ("III-B.2", "network alexnet: minutes", ALL_FOUR, "own"),
    "minutes-vgg16": ("III-B.2", "network vgg16: minutes", ALL_FOUR, "own"),
}
LABELS = {
    ("alexnet", "local"): "Local view, AlexNet",
    ("vgg16", "local"): "Local view, VGGNet",
    ("alexnet", "global"): "Global view, AlexNet",
    ("vgg16", "global"): "Global view, VGGNet",
}

LAST = "fc8_aesthetics"
FOLDER = Path("photos")


def number(name: str) -> Any:
    """What the table above says."""
    return NUMBERS[name][0]


# paper.toml


def test_every_number_is_traced_to_the_paper_or_named_as_our_assumption():
    for statement in statements().values():
        assert (statement.source is None) != (statement.assumption is None), statement.name
        assert statement.source or len(statement.assumption) > 2, statement.name


def test_every_number_and_its_section_are_those_of_the_second_writing():
    assert {name: (s.value, s.source or OURS) for name, s in statements().items()} == NUMBERS


def paper_row(line: str) -> tuple[str, float | None]:
    label, _, accuracy = line.rpartition(" ")
    return label.strip(), None if accuracy == "-" else float(accuracy)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_the_papers_rows_in_the_papers_order(name):
    section, dataset, text = TABLES[name]
    table = tables()[name]
    assert (table.source, table.dataset) == (section, dataset)
    assert [(row.label, row.accuracy) for row in table.rows] == [paper_row(line) for line in text.splitlines()]
    ours = {(row.network, row.view): row.label for row in table.rows if row.network}
    assert ours == LABELS


def test_there_are_the_papers_four_tables_and_the_demos_and_each_dataset_has_one():
    assert list(tables()) == list(TABLES)
    assert sorted(table.dataset for table in tables().values()) == sorted(DATASETS)


def compared(claim: PaperClaim) -> str:
    better, worse = (" ".join(f"{key} {value}" for key, value in part.items()) for part in (claim.better, claim.worse))
    if claim.kind in ("pairs", "cited"):
        return f"{better} > {claim.cited or worse}"
    return f"{better}: {claim.kind}" if better else claim.kind


def test_every_claim_its_section_and_its_datasets_are_those_of_the_second_writing():
    assert {claim.name: (claim.source, compared(claim)) for claim in claims()} == {
        name: row[:2] for name, row in CLAIMS.items()
    }
    for claim in claims():
        assert set(claim.datasets) == set(CLAIMS[claim.name][2].split()), claim.name
        assert claim.also == tuple(CLAIMS[claim.name][3].split()), claim.name


# the written nets and solvers


@dataclass(frozen=True)
class Written:
    """A variant's files as Caffe reads them; layers by name, the Data layers by phase."""

    dataset: str
    network: str
    view: str
    net: Any
    solver: Any

    @property
    def learning(self) -> list:
        return [layer for layer in self.net.layer if layer.param]

    @property
    def body(self) -> list:
        return [layer for layer in self.learning if layer.name != LAST]

    @property
    def data(self) -> list:
        """The Data layers: TRAIN's, TEST's."""
        return [layer for layer in self.net.layer if layer.type == "Data"]

    def layer(self, name: str) -> Any:
        (found,) = (layer for layer in self.net.layer if layer.name == name)
        return found

    def rates(self, layers: list) -> list[float]:
        return [self.solver.base_lr * param.lr_mult for layer in layers for param in layer.param]


@pytest.fixture(scope="module")
def read() -> Callable[[str, str], Any]:
    """read(path, kind): a committed file, as the message of that kind."""
    messages = pytest.importorskip("prototxt.messages", reason="Caffe is not built: no one can parse a prototxt")
    return lambda path, kind: messages.read(ROOT / path, getattr(messages.caffe_pb2, kind)())


@pytest.fixture(scope="module")
def written(read) -> list[Written]:
    """All variants: five datasets x two networks x two views."""
    return [
        Written(
            dataset,
            network,
            view,
            read(f"prototxt/{dataset}/{network}_{view}/train_val.prototxt", "NetParameter"),
            read(f"solvers/{dataset}/{network}_{view}.prototxt", "SolverParameter"),
        )
        for dataset in DATASETS
        for network in NETWORKS
        for view in VIEWS
    ]


FIRST_LAYER = {"alexnet": ("conv1", 96), "vgg16": ("conv1_1", 64)}
IS_DEMO, IS_THE_PAPERS = (lambda w: w.dataset == "demo"), (lambda w: w.dataset != "demo")
FOUND = [  # number, where it stands in a variant's files, in which variants
    ("finetuning.learning_rate", lambda w: w.rates(w.body)),
    ("finetuning.last_layer_learning_rate", lambda w: w.rates([w.layer(LAST)])),
    ("finetuning.last_layer_filler", lambda w: [w.layer(LAST).inner_product_param.weight_filler.type]),
    ("finetuning.classes", lambda w: [w.layer(LAST).inner_product_param.num_output]),
    ("finetuning.max_iter", lambda w: [w.solver.max_iter], IS_THE_PAPERS),
    ("demo.max_iter", lambda w: [w.solver.max_iter], IS_DEMO),
    ("finetuning.lr_policy", lambda w: [w.solver.lr_policy]),
    ("finetuning.momentum", lambda w: [w.solver.momentum]),
    ("finetuning.weight_decay", lambda w: [w.solver.weight_decay]),
    ("finetuning.weight_decay_mult", lambda w: [layer.param[0].decay_mult for layer in w.learning]),
    ("finetuning.bias_decay_mult", lambda w: [layer.param[1].decay_mult for layer in w.learning]),
    ("finetuning.bias_lr_mult", lambda w: [lr.param[1].lr_mult / lr.param[0].lr_mult for lr in w.learning]),
    ("finetuning.mirror", lambda w: [w.data[0].transform_param.mirror]),
    ("finetuning.seed", lambda w: [w.solver.random_seed]),
    ("finetuning.batch_size.{network}", lambda w: [w.data[0].data_param.batch_size * w.solver.iter_size]),
    ("evaluation.every", lambda w: [w.solver.test_interval], IS_THE_PAPERS),
    ("demo.evaluate_every", lambda w: [w.solver.test_interval], IS_DEMO),
    ("evaluation.snapshot_every", lambda w: [w.solver.snapshot], IS_THE_PAPERS),
    ("demo.snapshot_every", lambda w: [w.solver.snapshot], IS_DEMO),
    ("evaluation.batch_size.{dataset}", lambda w: [w.data[1].data_param.batch_size]),
    ("partitions.{dataset}.test", lambda w: [n * w.data[1].data_param.batch_size for n in w.solver.test_iter]),
    ("networks.{network}.name", lambda w: [w.net.name.split()[0]]),
    ("networks.{network}.crop_size", lambda w: [data.transform_param.crop_size for data in w.data]),
    ("networks.{network}.mean_bgr", lambda w: [list(data.transform_param.mean_value) for data in w.data]),
    ("demo.{network}.channels", lambda w: [narrowing(w, *FIRST_LAYER[w.network])], IS_DEMO),
    ("demo.{network}.units", lambda w: [narrowing(w, "fc6", 4096), narrowing(w, "fc7", 4096)], IS_DEMO),
]


def narrowing(w: Written, layer: str, paper: int) -> float:
    """How many times as many outputs the paper's layer has."""
    layer = w.layer(layer)
    return paper / (layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param).num_output


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found[0])
def test_the_written_files_hold_the_number(written, found):
    name, values, *only = found
    for w in written:
        if only and not only[0](w):
            continue
        expected = number(name.format(network=w.network, dataset=w.dataset))
        there = values(w)
        assert there, (w.dataset, w.network, w.view)
        for value in there:
            assert value == pytest.approx(expected), (w.dataset, w.network, w.view)


def test_a_solver_is_plain_sgd_and_says_nothing_that_is_not_named_here(written):
    for w in written:
        assert w.solver.type == "SGD"
        assert w.solver.regularization_type == "L2"
        assert w.solver.display == 20
        assert {field.name for field, _ in w.solver.ListFields()} == {
            "net", "type", "base_lr", "lr_policy", "momentum", "weight_decay", "max_iter", "random_seed", "test_iter",
            "test_interval", "display", "snapshot", "snapshot_prefix",
        }  # fmt: skip
        variant = f"{w.dataset}/{w.network}_{w.view}"
        assert w.solver.net == f"prototxt/{variant}/train_val.prototxt"
        assert w.solver.snapshot_prefix == f"solvers/{variant}"


def test_each_net_reads_its_own_view_in_both_phases_and_mirrors_in_training_alone(written):
    for w in written:
        train, test = w.data
        phases = [[rule.phase for rule in layer.include] for layer in w.data]
        assert phases == [[0], [1]]  # TRAIN, TEST
        for layer, split in ((train, "train"), (test, "test")):
            assert layer.data_param.source == f"data/{w.dataset}/{split}_{w.view}_lmdb"
            assert layer.data_param.backend == 1  # LMDB
            assert list(layer.top) == ["data", "label"]
            assert layer.transform_param.scale == 1
            assert not layer.transform_param.mean_file
        assert (train.transform_param.mirror, test.transform_param.mirror) == (True, False)


def test_a_new_two_class_softmax_ends_every_net_and_accuracy_is_of_the_test_phase_alone(written):
    for w in written:
        last, accuracy, loss = list(w.net.layer)[-3:]
        assert (last.name, last.type, list(last.bottom)) == (LAST, "InnerProduct", ["fc7"])
        assert (accuracy.type, list(accuracy.bottom)) == ("Accuracy", [LAST, "label"])
        assert [rule.phase for rule in accuracy.include] == [1]  # TEST
        assert (loss.type, list(loss.bottom)) == ("SoftmaxWithLoss", [LAST, "label"])
        assert not loss.include
        filler = last.inner_product_param.bias_filler
        assert (filler.type, filler.value) == ("constant", 0)


def test_weights_and_bias_of_every_layer_have_a_rate_of_their_own_and_only_the_last_differs(written):
    for w in written:
        assert len(w.learning) == {"alexnet": 8, "vgg16": 16}[w.network]
        for layer in w.learning:
            factor = 10 if layer.name == LAST else 1
            assert [param.lr_mult for param in layer.param] == [factor, factor], layer.name
        for layer in w.net.layer:
            assert (len(layer.param) == 2) == (layer.type in ("Convolution", "InnerProduct")), layer.name


def test_alexnet_normalises_before_it_pools(written):
    for w in written:
        if w.network == "alexnet":
            for i in "12":
                assert list(w.layer(f"norm{i}").bottom) == [f"conv{i}"]
                assert list(w.layer(f"pool{i}").bottom) == [f"norm{i}"]


def test_dropout_of_a_half_follows_both_fully_connected_layers(written):
    for w in written:
        dropped = {
            layer.bottom[0]: layer.dropout_param.dropout_ratio for layer in w.net.layer if layer.type == "Dropout"
        }
        assert dropped == {"fc6": 0.5, "fc7": 0.5}


def test_layers_that_start_from_scratch_start_as_in_caffes_alexnet(written):
    for w in written:
        for layer in w.body:
            shape = layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param
            std = 0.01 if layer.type == "Convolution" else 0.005
            assert (shape.weight_filler.type, shape.bias_filler.type) == ("gaussian", "constant")
            assert shape.weight_filler.std == pytest.approx(std), layer.name
            bias = 0.1 if layer.name in ("conv2", "conv4", "conv5", "fc6", "fc7") else 0
            assert shape.bias_filler.value == pytest.approx(bias), layer.name


@pytest.mark.parametrize("network", NETWORKS)
def test_a_deployed_net_is_the_trained_one_with_a_picture_in_and_two_probabilities_out(written, read, network):
    for w in written:
        if w.network != network:
            continue
        folder = f"demo/{network}" if w.dataset == "demo" else network
        net = read(f"prototxt/{folder}/deploy.prototxt", "NetParameter")
        picture, *layers, prob = net.layer
        crop = number(f"networks.{network}.crop_size")
        assert picture.type == "Input"
        assert [list(shape.dim) for shape in picture.input_param.shape] == [[10, 3, crop, crop]]
        assert (prob.name, prob.type, list(prob.bottom)) == ("prob", "Softmax", [LAST])
        assert layers == list(w.net.layer)[2:-2]  # between the Data layers and accuracy and loss
        assert net.name == number(f"networks.{network}.name")


def test_each_file_opens_with_the_papers_number_and_the_commands_that_make_it():
    accuracies = {
        (dataset, *paper_row(line)): name for name, (_, dataset, text) in TABLES.items() for line in text.splitlines()
    }
    for (dataset, label, accuracy), table in accuracies.items():
        for (network, view), own_label in LABELS.items():
            if own_label != label:
                continue
            variant = f"{dataset}/{network}_{view}"
            for path in (f"solvers/{variant}.prototxt", f"prototxt/{variant}/train_val.prototxt"):
                lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
                head = [line for line in lines if line.startswith("#")][:6]
                if accuracy is None:
                    assert head[2] == f"# {label}"
                else:
                    assert head[1].startswith(f"# Table {table} (")
                    assert head[2] == f"# {label}: {accuracy:.2f} % at iteration 10,000"
                assert f"--dataset {dataset} --network {network} --view {view}" in head[3]
                assert ("--cpu" in head[3]) == (dataset == "demo")
                assert f"--solver=solvers/{variant}.prototxt" in head[5]
                if path.startswith("solvers/"):
                    photos, batch = number(f"partitions.{dataset}.test"), number(f"evaluation.batch_size.{dataset}")
                    assert f"# {photos:,} test photos in batches of {batch}" in lines
                weights = {"alexnet": "bvlc_alexnet.caffemodel", "vgg16": "VGG_ILSVRC_16_layers.caffemodel"}[network]
                assert (f"--weights=models/{weights}" in head[5]) == (dataset != "demo")


# labels and partitions


def photo(name: object, total: int = 0, votes: int = 0, cell: str = "", label: int = 0) -> Photo:
    return Photo(str(name), FOLDER, f"{name}.jpg", label, total, votes, votes, cell)


def names(photos) -> list[str]:
    return [photo.photo_id for photo in photos]


def test_a_mean_of_exactly_5_is_good_and_a_vote_below_it_is_bad(tmp_path, ava_line):
    votes = {
        1: [0, 0, 0, 0, 3, 0, 0, 0, 0, 0],
        2: [0, 0, 0, 1, 998, 1, 0, 0, 0, 0],
        3: [0, 0, 0, 1, 999, 0, 0, 0, 0, 0],
    }
    only = {10: [1] + [0] * 9, 11: [0] * 9 + [1]}
    (tmp_path / "AVA.txt").write_text("".join(ava_line(1, name, counts) for name, counts in (votes | only).items()))
    photos = ava.Copy(tmp_path, "large", 1).photos
    assert [photo.label for photo in photos] == [1, 1, 0, 0, 1]
    assert [photo.score for photo in photos] == ["15/3", "5000/1000", "4999/1000", "1/1", "10/1"]


@pytest.mark.parametrize("delta", [Fraction(1, 2), Fraction(1), Fraction(1, 3)])
def test_training_photos_with_a_mean_of_exactly_5_minus_or_plus_delta_are_left_out(delta):
    """The paper trains on scores larger than 5 + delta and smaller than 5 - delta (III-A)."""
    votes = 600  # a vote more or less moves the mean by 1/600
    limits = {"lower": 5 - delta, "upper": 5 + delta}
    totals = {name: int(limit * votes) for name, limit in limits.items()}
    assert all(Fraction(totals[name], votes) == limits[name] for name in limits)
    candidates = [
        photo("lower", totals["lower"], votes),
        photo("upper", totals["upper"], votes),
        photo("inside lower", totals["lower"] + 1, votes),
        photo("inside upper", totals["upper"] - 1, votes),
        photo("five", 5 * votes, votes),
        photo("outside lower", totals["lower"] - 1, votes),
        photo("outside upper", totals["upper"] + 1, votes),
    ]
    test = [photo("test lower", totals["lower"], votes), photo("test five", 5, 1), photo("test 9", 9, 1)]
    partition = partitions.ava_large(candidates + test, names(test), 1, delta)
    assert sorted(names(partition.train)) == ["outside lower", "outside upper"]
    assert sorted(name.photo_id for name, _ in partition.excluded) == [
        "five", "inside lower", "inside upper", "lower", "upper",
    ]  # fmt: skip
    assert sorted(names(partition.test)) == sorted(names(test))  # whatever their scores


def test_without_delta_no_photo_is_left_out():
    photos = [photo(n, 500 + n, 100) for n in range(-5, 6)]
    partition = partitions.ava_large(photos, ["-5"], 1, Fraction(0))
    assert len(partition.train) == 10
    assert not partition.excluded


@pytest.fixture(scope="module")
def all_of_ava() -> list[Photo]:
    """255,530 photos, each with a mean of its own, and labels that say nothing."""
    count = number("partitions.ava.photos")
    return [photo(n, 5 * count + n - 120_000, count, label=n % 2) for n in range(count)]


def test_ava_small_is_the_top_and_the_bottom_10_percent_in_halves_of_the_papers_size(all_of_ava):
    partition = partitions.ava_small(all_of_ava, "decile-193k", 1)
    assert (len(partition.train), len(partition.test)) == (19_308, 19_308)
    chosen = sorted(int(photo.photo_id) for photo in partition.train + partition.test)
    between = [int(photo.photo_id) for photo, reason in partition.excluded if reason != "not drawn"]
    bad, good = chosen[:19_308], chosen[19_308:]
    assert len(chosen) + len(between) == 193_080
    assert max(bad) < min(between) <= max(between) < min(good)
    labels = {int(photo.photo_id): photo.label for photo in partition.train + partition.test}
    assert {labels[name] for name in bad} == {0}  # whatever side of 5 their means are on
    assert {labels[name] for name in good} == {1}
    for split in partition.splits().values():
        assert sum(photo.label for photo in split) == 19_308 // 2


def test_a_smaller_copy_of_ava_is_drawn_from_in_the_same_shares(all_of_ava):
    small = all_of_ava[::100]  # 2,556
    partition = partitions.ava_small(small, "decile-193k", 1)
    drawn = round(2_556 * 193_080 / 255_530)
    assert [reason for _, reason in partition.excluded].count("not drawn") == 2_556 - drawn
    assert (len(partition.train), len(partition.test)) == (drawn // 10, drawn // 10)
    partition = partitions.ava_small(small, "extreme", 1)
    side = round(2_556 * 19_308 / 255_530)
    assert (len(partition.train), len(partition.test)) == (side, side)
    partition = partitions.ava_large(small, None, 1, Fraction(0))
    assert len(partition.test) == round(2_556 * 20_000 / 250_000)
    assert len(partition.train) == 2_556 - len(partition.test)
    assert len(partitions.ava_large(all_of_ava[:40_000], None, 1, Fraction(0)).test) == 20_000
    assert len(partitions.ava_large(all_of_ava[:39_999], None, 1, Fraction(0)).test) == 3_200  # else under half train
    with pytest.raises(UserError, match="too few"):
        partitions.ava_small(all_of_ava[:19], "decile", 1)  # one at each end


def test_ava_large_tests_on_20000_and_trains_on_all_the_rest(all_of_ava):
    partition = partitions.ava_large(all_of_ava[:250_000], None, 1, Fraction(0))
    assert (len(partition.train), len(partition.test)) == (230_000, 20_000)
    assert ava.find_test_list(FOLDER, FOLDER) == FOLDER / "aesthetics_image_lists" / "generic_test.jpgl"


CUHKPQ = [  # photos of high and of low quality in each category, of the real dataset; six cells are odd
    ("animal", 953, 2292), ("architecture", 595, 1290), ("human", 678, 2470), ("landscape", 820, 1950),
    ("night", 353, 1356), ("plant", 594, 1803), ("static", 531, 2005),
]  # fmt: skip


def test_cuhkpqs_odd_cells_round_up_and_down_in_turn_which_gives_the_papers_sizes():
    cells = {
        f"{quality}/{category}": count
        for category, high, low in CUHKPQ
        for quality, count in (("HighQuality", high), ("LowQuality", low))
    }
    photos = [photo(f"{cell}/{n}", cell=cell) for cell, count in cells.items() for n in range(count)]
    small = partitions.cuhkpq(photos, [], 1)
    assert (len(small.train), len(small.test)) == (8_845, 8_845)
    odd = sorted(cell for cell, count in cells.items() if count % 2)
    ups = [sum(photo.cell == cell for photo in small.train) - cells[cell] // 2 for cell in odd]
    assert ups == [1, 0, 1, 0, 1, 0]
    extra = [photo(f"extra/{n}", cell=f"extra/{n % 2}") for n in range(12_000)]
    large = partitions.cuhkpq(photos, extra, 1)
    assert (len(large.train), len(large.test)) == (14_845, 14_845)
    assert "17,690 and 12,000 more" in str(cuhkpq.refuse_without_extra())


def test_records_are_stored_in_a_random_order(all_of_ava):
    photos = all_of_ava[:4000]
    by_list = partitions.ava_large(photos, names(photos[:2000]), 1, Fraction(0))
    by_rank = partitions.ava_small(photos, "decile", 1)
    cells = partitions.cuhkpq([photo(n, cell=str(n // 1000)) for n in range(4000)], [], 1)
    for partition in (by_list, by_rank, cells):
        for split in partition.splits().values():
            order = [int(photo.photo_id) for photo in split]
            assert abs(np.corrcoef(order, range(len(order)))[0, 1]) < 0.2


class Asked(Exception):
    """What a command line asks for, instead of doing it."""


@pytest.fixture
def asked(monkeypatch, make_ava, tmp_path):
    """asked(module, function, *words): the arguments with which `python -m data_prep` calls that function."""

    def refuse(*arguments, **_):
        raise Asked(arguments)

    def ask(target: str, *words: object) -> tuple:
        with monkeypatch.context() as patch:
            patch.setattr(target, refuse)
            patch.setattr(sys, "argv", ["data_prep", *map(str, words)])
            with pytest.raises(Asked) as stopped:
                data_prep.__main__.main()
        return stopped.value.args[0]

    return ask


def test_a_call_without_options_takes_our_seed_our_rule_and_no_delta(asked, make_ava, make_cuhkpq, tmp_path):
    root = ("--root", make_ava(4, pictures=False), "--out", tmp_path, "--dry-run")
    lists = "data_prep.readers.partitions"
    assert asked(f"{lists}.ava_small", "ava", "--partition", "small", *root)[1:] == ("decile-193k", 2016)
    assert asked(f"{lists}.ava_large", "ava", "--partition", "large", *root)[1:] == (None, 2016, 0)
    root = ("--root", make_cuhkpq({"HighQuality": (1,) * 7, "LowQuality": (1,) * 7}), "--out", tmp_path, "--dry-run")
    assert asked(f"{lists}.cuhkpq", "cuhkpq", "--partition", "small", *root)[1:] == ([], 2016)
    assert asked("demo.dataset.draw_dataset", "demo", "--out", tmp_path)[1:3] == (2_600, 7)


# views and records


def bilinear(picture: np.ndarray, size: int) -> np.ndarray:
    """Each pixel from the four around its centre, whatever the scale: no antialiasing. Height x width x 3 -> floats."""

    def places(side: int) -> tuple:
        centre = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
        below = np.minimum(np.floor(centre).astype(int), side - 1)
        return below, np.minimum(below + 1, side - 1), centre - below

    (top, bottom, down), (left, right, across) = places(picture.shape[0]), places(picture.shape[1])
    rows = picture[top] * (1 - down)[:, None, None] + picture[bottom] * down[:, None, None]
    return rows[:, left] * (1 - across)[:, None] + rows[:, right] * across[:, None]


@pytest.mark.parametrize(("width", "height"), [(999, 701), (300, 1200), (640, 427), (90, 200)])
def test_the_global_view_is_the_whole_picture_in_256x256_by_plain_bilinear_resizing(width, height):
    picture = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    view = views.global_view(picture)
    assert (view.shape, view.dtype) == ((256, 256, 3), np.uint8)
    assert np.abs(view - bilinear(picture, 256)).max() <= 2  # OpenCV's weights have 11 bits


def test_the_local_view_is_the_central_256x256_pixels_of_the_picture_as_it_is():
    picture = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert np.array_equal(views.local_view(picture), picture[22:278, 72:328])


@pytest.mark.parametrize(
    ("width", "height", "large"),
    [
        (128, 200, (256, 400)),
        (320, 64, (1280, 256)),
        (300, 255, (301, 256)),
        (130, 100, (333, 256)),
        (321, 64, (1284, 256)),
    ],
)
def test_a_photo_with_a_side_under_256_is_enlarged_until_its_shorter_side_is_256_and_then_cut(width, height, large):
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    enlarged = cv2.resize(picture, large, interpolation=cv2.INTER_LINEAR)
    left, top = (large[0] - 256) // 2, (large[1] - 256) // 2
    assert np.array_equal(views.local_view(picture), enlarged[top : top + 256, left : left + 256])


def test_an_encoded_record_holds_a_jpeg_of_quality_95_as_convert_imageset_makes_it(tmp_path, draw_picture):
    cv2.imwrite(str(tmp_path / "a.png"), draw_picture(1, 320, 300))
    place = memoryview(bytearray(datums.RECORD_BYTES))
    _, (length,) = make_records(Place(str(tmp_path / "a.png")), 1, Wanted(("local",), encoded=True), [place])
    jpeg = datums.Datum.FromString(bytes(place[:length])).data
    _, expected = cv2.imencode(".jpg", draw_picture(1, 320, 300)[22:278, 32:288], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert jpeg == expected.tobytes()
    first_table = jpeg[jpeg.index(b"\xff\xdb") + 5 :]
    assert list(first_table[:3]) == [2, 1, 1]  # a tenth of the standard's 16, 11, 12, rounded: quality 95


# results


def test_an_accuracy_stands_in_wilsons_95_percent_interval():
    assert interval(480, 600) == pytest.approx((0.766130, 0.830055), abs=1e-5)
