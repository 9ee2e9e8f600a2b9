"""From scratch and frozen are other starts of the same runs: their files, bits, and rows below the paper's."""

from dataclasses import replace
from itertools import product

import pytest
import sample
from harness import ALEXNET, RUN, call, final_weights, record, run_folder, stock_weights, weights_in

from experiments.run_folder import Prediction, Result
from experiments.runs import Run
from paper import DATASETS, LAST_LAYER, NETWORKS, PRETRAINED, ROOT, VIEWS, tables
from report import starts
from report.claims import claims
from report.datasets import has_results
from report.provenance import preparations
from report.rows import with_ours
from report.status import status
from report.tables import lines, render

SCRATCH, FROZEN = f"{ALEXNET}_scratch", f"{ALEXNET}_frozen"
OTHERS = ("scratch", "frozen")
DEMO = tables()["demo"]
BIASED = ("conv2", "conv4", "conv5", "fc6", "fc7")  # of AlexNet: these begin at 0.1


@pytest.fixture(scope="module")
def read():
    """read(variant): its committed net and solver, as Caffe reads them."""
    messages = pytest.importorskip("prototxt.messages", reason="Caffe is not built: no one can parse a prototxt")

    def both(variant: str):
        net = messages.read(ROOT / f"prototxt/{variant}/train_val.prototxt", messages.caffe_pb2.NetParameter())
        return net, messages.read(ROOT / f"solvers/{variant}.prototxt", messages.caffe_pb2.SolverParameter())

    return both


def with_weights(net) -> list:
    return [layer for layer in net.layer if layer.param]


def fillers(layer):
    part = layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param
    return part.weight_filler, part.bias_filler


VARIANTS = [f"{dataset}/{network}_{view}" for dataset, network, view in product(DATASETS, NETWORKS, VIEWS)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_from_scratch_every_layer_has_its_filler_and_all_learn_at_one_rate(read, variant):
    net, solver = read(f"{variant}_scratch")
    network = "alexnet" if "alexnet" in variant else "vgg16"
    assert solver.base_lr == pytest.approx({"alexnet": 0.01, "vgg16": 0.0003}[network])
    layers = with_weights(net)
    assert len(layers) == {"alexnet": 8, "vgg16": 16}[network]
    for layer in layers:
        assert [(param.lr_mult, param.decay_mult) for param in layer.param] == [(1, 1), (1, 0)], layer.name
        weights, bias = fillers(layer)
        if layer.name == LAST_LAYER:
            assert (weights.type, bias.value) == ("xavier", 0)
        elif network == "vgg16" and layer.type == "Convolution" and layer.name != "conv1_1":
            assert (weights.type, weights.std, weights.variance_norm, bias.value) == ("msra", 1, 0, 0)
        else:
            assert weights.type == "gaussian"
            assert weights.std == pytest.approx(0.005 if layer.type == "InnerProduct" else 0.01)
            assert bias.value == pytest.approx(0.1 if layer.name in BIASED else 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_frozen_the_last_layer_alone_learns_at_the_papers_rate(read, variant):
    net, solver = read(f"{variant}_frozen")
    assert solver.base_lr == pytest.approx(0.0001)
    *body, last = with_weights(net)
    assert {(param.lr_mult, param.decay_mult) for layer in body for param in layer.param} == {(0, 0)}
    assert [(param.lr_mult, param.decay_mult) for param in last.param] == [(10, 1), (10, 0)]
    assert last.name == LAST_LAYER
    assert not net.force_backward
    papers, _ = read(variant)
    assert [fillers(layer) for layer in with_weights(net)] == [fillers(layer) for layer in with_weights(papers)]


@pytest.mark.parametrize("start", OTHERS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_another_start_changes_nothing_but_rates_and_fillers(read, variant, start):
    papers, ours = read(variant), read(f"{variant}_{start}")
    for net, solver in (papers, ours):
        net.ClearField("name")
        for field in ("net", "snapshot_prefix", "base_lr"):
            solver.ClearField(field)
        for layer in with_weights(net):
            layer.ClearField("param")
            for filler in fillers(layer):
                filler.Clear()
    assert ours == papers


@pytest.mark.parametrize(("start", "said"), [("scratch", ", from scratch: "), ("frozen", ", frozen: ")])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_files_name_the_commands_that_run_them_and_no_number_of_the_papers(variant, start, said):
    dataset, name = variant.split("/")
    network, view = name.split("_")
    for path in (f"solvers/{variant}_{start}.prototxt", f"prototxt/{variant}_{start}/train_val.prototxt"):
        head = [line for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if line.startswith("#")][:6]
        assert "%" not in head[2]
        assert said in head[2]
        assert f"--dataset {dataset} --network {network} --view {view} --start {start}" in head[3]
        assert f"--solver=solvers/{variant}_{start}.prototxt" in head[5]
        assert ("--weights=" in head[5]) == (start == "frozen")


def test_vgg16_can_have_alexnets_gaussians_too(monkeypatch):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from dataset import find
    from prototxt import nets, starts
    from prototxt.messages import caffe_pb2, parse

    monkeypatch.setattr(starts, "stated", lambda name: "gaussian" if name.endswith(".filler") else 1)
    text = nets.train_val(find("ava-large", ROOT / "data"), "vgg16", "global", "scratch")
    *body, _ = with_weights(parse(text, caffe_pb2.NetParameter()))
    assert {fillers(layer)[0].type for layer in body} == {"gaussian"}


def test_names_of_the_papers_start_stay_and_others_have_their_start_in_them():
    assert Run("demo", "alexnet", "global", 1).name == "demo/alexnet_global/seed-1"
    assert Run("demo", "alexnet", "global", 1, "scratch").name == "demo/alexnet_global_scratch/seed-1"


def test_a_run_from_scratch_needs_no_model_and_resumes_in_the_bits_of_stock_caffe(checkout):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    for model in (checkout / "models/demo").glob("*.caffemodel"):
        model.unlink()
    asked = (*RUN, "--start", "scratch")
    said = call(checkout, *asked, "--max-iter", "5")
    assert f"{SCRATCH}/seed-1: from scratch, every layer from its filler\n" in said
    call(checkout, *asked)
    assert final_weights(checkout, SCRATCH) == stock_weights(checkout, SCRATCH, model=None)
    kept = record(checkout, SCRATCH)
    assert (kept["run"]["start"], kept["weights"], kept["transfer"]["copied"]) == ("scratch", None, [])
    assert "weights" not in kept["inputs"]
    assert kept["edited"] == {"train_val": True, "solver": True}  # the harness makes batches small


@pytest.mark.parametrize(("start", "asks"), [("pretrained", True), ("frozen", True), ("scratch", False)])
def test_doctor_looks_for_the_model_where_a_net_begins_from_it(tmp_path, start, asks):
    pytest.importorskip("prototxt.messages", reason="Caffe is not built here")
    from experiments import doctor
    from experiments.planning import Options

    options = Options(tmp_path, tmp_path / "results", gpus=None, command="")
    found = doctor.examine([Run("demo", "alexnet", "global", 1, start)], options)
    assert any(finding.subject == "model" for finding in found) is asks


def test_frozen_layers_keep_the_models_bits_and_compute_no_gradient(checkout):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    call(checkout, *RUN, "--start", "frozen")
    model = weights_in(checkout / "models/demo/alexnet.caffemodel")
    ours = final_weights(checkout, FROZEN)
    body = [layer for layer in ours if layer != LAST_LAYER]
    assert len(body) == 7
    assert {layer: ours[layer] for layer in body} == {layer: model[layer] for layer in body}
    assert ours[LAST_LAYER] == stock_weights(checkout, FROZEN)[LAST_LAYER]
    log = (run_folder(checkout, FROZEN) / "caffe.log").read_text()
    for layer in ("conv1", "relu1", "norm1", "pool5", "fc6", "drop7"):
        assert f"{layer} does not need backward computation." in log
    assert f"{LAST_LAYER} needs backward computation." in log


def claims_of_the_paper(results) -> list:
    """Those on fine-tuned nets alone."""
    return [claim for claim in claims(DEMO, results) if claim.name != "sooner"]


def test_rows_from_scratch_are_below_the_papers_and_leave_them_as_they_are(tmp_path):
    sample.run(tmp_path, ALEXNET)
    before = (
        lines(DEMO, tmp_path),
        render(DEMO, tmp_path, "json"),
        claims_of_the_paper(tmp_path),
        status([DEMO], tmp_path),
    )
    assert with_ours(DEMO, tmp_path) == DEMO
    sample.run(tmp_path, SCRATCH, rows=sample.predictions(7))
    assert (lines(DEMO, tmp_path), render(DEMO, tmp_path, "json"), claims_of_the_paper(tmp_path)) == before[:3]
    shown = lines(with_ours(DEMO, tmp_path), tmp_path)
    (place,) = (number for number, line in enumerate(shown) if line.method == "Global view, AlexNet, from scratch")
    assert shown[place - 1].method == "Global view, AlexNet"
    assert (shown[place].paper, shown[place].difference) == (None, None)
    assert shown[:place] + shown[place + 1 :] == before[0]
    text = render(with_ours(DEMO, tmp_path), tmp_path, "text")
    assert "- From scratch: every layer begins from its filler" in text
    listed = status([DEMO], tmp_path).splitlines()
    (added,) = {" ".join(line.split()) for line in listed} - {" ".join(line.split()) for line in before[3].splitlines()
                if not line.startswith("-")} - {" ".join(listed[1].split())}  # fmt: skip
    assert added.startswith(f"demo {SCRATCH}/seed-1 done 400 of 400")


def test_a_number_of_the_papers_is_never_beside_a_run_of_another_start(tmp_path):
    three = tables()["III"]
    for start in OTHERS:
        sample.run(tmp_path, f"ava-large/vgg16_local_{start}", iteration=10_000)
    shown = lines(with_ours(three, tmp_path), tmp_path)
    assert [line.method for line in shown][1:4] == [
        "Local view, VGGNet", "Local view, VGGNet, from scratch", "Local view, VGGNet, frozen"
    ]  # fmt: skip
    assert [line.paper for line in shown if line.ours is not None] == [None, None]


def test_where_the_numbers_come_from_says_scratch_in_the_place_of_a_models_sha256(tmp_path):
    folder = sample.run(tmp_path, SCRATCH)
    kept = folder.record()
    del kept["inputs"]["weights"]
    (preparation,) = preparations([("a", folder, kept | {"run": {"start": "scratch"}})])
    assert preparation.origins[0].weights == "scratch"


def test_starts_that_are_asked_for_are_shown_alone_with_dashes_for_what_is_missing(tmp_path):
    sample.run(tmp_path, SCRATCH)
    shown = lines(with_ours(DEMO, tmp_path, ["scratch"]), tmp_path)
    assert [line.status for line in shown] == ["missing", "missing", "done", "missing"]
    assert {row.start for row in with_ours(DEMO, tmp_path, [PRETRAINED]).rows} == {PRETRAINED}
    assert status([DEMO], tmp_path, ["scratch"]).count("_scratch/seed-1") == 4
    assert has_results("mine", tmp_path) is False
    (tmp_path / "mine/vgg16_local_scratch").mkdir(parents=True)
    assert has_results("mine", tmp_path) is True


def test_one_answer_for_all_is_said_and_no_better_than_chance_is_not_learnt():
    labels = [1, 0] * 50
    flat = Result(400, [Prediction(str(n), label, 0.7, 1) for n, label in enumerate(labels)], {})
    told = replace(flat, predictions=[replace(p, p_good=0.6 + 0.2 * p.label) for p in flat.predictions])
    both = replace(flat, predictions=[replace(p, predicted=p.label) for p in flat.predictions])
    bad = replace(flat, predictions=[replace(p, predicted=0) for p in flat.predictions])
    assert starts.learnt_nothing([flat, flat]) == "did not learn: says good for all"
    assert starts.learnt_nothing([bad]) == "did not learn: says bad for all"
    assert starts.learnt_nothing([told]) == "says good for all"
    assert [starts.learnt_nothing(each) for each in ([both], [flat, bad], [])] == [""] * 3


def test_a_net_that_did_not_learn_is_a_result_with_a_mark(tmp_path):
    rows = [replace(p, p_good=0.7, predicted=1) for p in sample.predictions(1)]
    sample.run(tmp_path, SCRATCH, rows=rows)
    (line,) = (line for line in lines(with_ours(DEMO, tmp_path), tmp_path) if line.ours is not None)
    assert line.status == "did not learn: says good for all"
    assert line.ours == pytest.approx(line.majority)
    assert "; did not learn: says good for all" in status([DEMO], tmp_path)
