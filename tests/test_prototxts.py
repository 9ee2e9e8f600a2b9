"""What really runs: paths made absolute, fields that the driver sets itself, a hash of whatever decides the result."""

from user_error import UserError

from pathlib import Path

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import edits, prototxts
from experiments.prototxts import FILE_FIELDS, NEVER, resolve, resolved_net
from experiments.runs import Run, runs
from paper import DATASETS, LAST_LAYER
from prototxt.messages import caffe_pb2, parse, text

RUN = Run("demo", "alexnet", "global", 5)


@pytest.fixture
def rules(data, tmp_path, monkeypatch):
    """rules(line): the SHA-256 of the rules of RUN's solver with this line in the place of its own."""
    written = RUN.solver.read_text(encoding="utf-8").splitlines()

    def digest(line: str) -> str:
        place = tmp_path / "solver.prototxt"
        place.write_text("\n".join([*(each for each in written if each.split(":")[0] != line.split(":")[0]), line]))
        monkeypatch.setattr(Run, "solver", place)
        return resolve(RUN, data).inputs["rules"]

    return digest


@pytest.mark.parametrize(
    "line",
    [
        "base_lr: 0.1", 'lr_policy: "step"', "gamma: 0.5", "stepsize: 9", "momentum: 0.5", "weight_decay: 0.1",
        "iter_size: 2", 'type: "Adam"', "momentum2: 0.9", 'regularization_type: "L1"', "clip_gradients: 1",
    ],
)  # fmt: skip
def test_another_rule_makes_another_run(rules, line):
    assert rules(line) != rules("")


@pytest.mark.parametrize(
    "line",
    [
        "max_iter: 7", "display: 7", "test_interval: 7", "snapshot: 7", "random_seed: 7", "average_loss: 7",
        'snapshot_prefix: "mine"', "debug_info: true", "test_iter: 7", "solver_mode: CPU", "device_id: 1",
    ],
)  # fmt: skip
def test_a_field_that_decides_no_weight_makes_no_other_run(rules, line):
    assert rules(line) == rules("")


def test_the_driver_alone_tests_and_takes_snapshots():
    fields = """max_iter: 9 snapshot: 3 test_interval: 3 test_iter: 12 solver_mode: GPU device_id: 3 random_seed: 7
                snapshot_format: HDF5 snapshot_prefix: "mine" """
    solver = prototxts.driven(RUN, parse(fields, caffe_pb2.SolverParameter()), None)
    assert (solver.snapshot, solver.snapshot_after_train, solver.test_initialization) == (0, False, False)
    assert (solver.test_interval, solver.snapshot_format) == (NEVER, caffe_pb2.SolverParameter.BINARYPROTO)
    assert (solver.random_seed, solver.max_iter) == (5, 9)
    assert not solver.HasField("solver_mode")
    assert not solver.HasField("device_id")


def test_the_command_line_decides_over_the_solver(data):
    texts = resolve(RUN, data)
    assert (texts.max_iter, texts.evaluate_every, texts.snapshot_every) == (400, 100, 100)
    texts = resolve(RUN, data, max_iter=70, evaluate_every=7)
    assert (texts.max_iter, texts.evaluate_every, texts.snapshot_every) == (70, 7, 100)


def test_inputs_are_the_same_wherever_the_dataset_lies(data, tmp_path):
    for store in (RUN.store(tmp_path, "train"), RUN.store(tmp_path, "test")):
        store.mkdir(parents=True)
    here, there = resolve(RUN, data), resolve(RUN, tmp_path)
    assert here.net != there.net
    assert [here.inputs[name] for name in ("net", "rules")] == [there.inputs[name] for name in ("net", "rules")]


def test_every_field_of_a_layer_that_names_a_file_is_known():
    """A field that caffe.proto has and we do not would be looked for in another folder, and not hashed."""
    named = {
        (part.name, field.name)
        for part in caffe_pb2.LayerParameter.DESCRIPTOR.fields
        for field in (part.message_type.fields if part.message_type else ())
        if field.name in ("source", "file_name", "root_folder") or field.name.endswith("_file")
    }
    assert named == set(FILE_FIELDS)


NET = f"""layer {{ name: "data" type: "ImageData" transform_param {{ mean_file: "data/mean" }}
                  image_data_param {{ source: "data/list.txt" root_folder: "data/photos/" batch_size: 4 }} }}
          layer {{ name: "{LAST_LAYER}" type: "InnerProduct" bottom: "data" }}"""


@pytest.fixture
def files(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "mean").write_text("m")
    (tmp_path / "list.txt").write_text("a.jpg 1\n")
    return tmp_path


def test_files_that_a_net_names_are_found_in_the_data_folder_and_a_root_folder_ends_in_a_slash(files):
    (layer, _) = resolved_net(Path("net"), parse(NET, caffe_pb2.NetParameter()), files).layer
    assert layer.transform_param.mean_file == f"{files}/mean"
    assert layer.image_data_param.source == f"{files}/list.txt"
    assert layer.image_data_param.root_folder == f"{files}/photos/"


@pytest.mark.parametrize("name", ["mean", "list.txt"])
def test_another_content_of_a_file_that_the_net_names_makes_another_run(files, name):
    def digest() -> str:
        written = parse(NET, caffe_pb2.NetParameter())
        net = resolved_net(Path("net"), written, files)
        return prototxts._inputs(written, net, caffe_pb2.SolverParameter())["files"]

    before = digest()
    (files / name).write_text("other")
    assert digest() != before
    (files / name).unlink()
    with pytest.raises(UserError, match=f"layer data names {files / name}, which is not there"):
        digest()


@pytest.mark.parametrize(
    "field",
    ["net_param { }", 'train_net: "a"', "train_net_param { }", 'test_net: "a"', "test_net_param { }", 'weights: "a"'],
)
def test_a_solver_that_has_its_net_otherwise_is_refused(tmp_path, field):
    with pytest.raises(UserError, match=rf"solver: `{field.split()[0].rstrip(':')}` is not supported"):
        prototxts.net_path(Path("solver"), parse(f'net: "a" {field}', caffe_pb2.SolverParameter()))


def test_nothing_is_said_of_the_prototxts_that_the_writer_gives(data, tmp_path):
    for dataset in DATASETS:
        (tmp_path / dataset).symlink_to(data / "demo")
        for run in runs(dataset, seeds=[1]):
            texts = resolve(run, tmp_path)
            assert texts.overridden == texts.warnings == texts.marks == texts.unrepeatable == []
            assert edits.differences(run, texts, tmp_path) == {}


def test_what_is_written_into_the_runs_folder_is_what_caffe_is_to_read_there(data, tmp_path):
    texts = resolve(RUN, data)
    solver = parse(texts.write(tmp_path).read_text(encoding="utf-8"), caffe_pb2.SolverParameter())
    assert Path(solver.net).read_text(encoding="utf-8") == texts.net == text(parse(texts.net, caffe_pb2.NetParameter()))
    assert solver.snapshot_prefix == f"{tmp_path}/snapshots/demo_alexnet_global"
