"""A named edit: copied, edited by hand, run under its name, and shown below the net that it is an edit of."""

from user_error import UserError

import re

import pytest
import sample
from harness import ALEXNET, RUN_ALL, call, edit, final_weights, record, stock_weights

from dataset import find
from paper import tables, variant_name, variant_parts
from report.rows import with_ours
from report.status import status
from report.tables import lines, render

pytest.importorskip("caffe", reason="Caffe is not built here")

from prototxt.named_edit import copy
from prototxt.writer import of_dataset

EDIT = "lr-0.0005"
VARIANT = f"{ALEXNET}+{EDIT}"
RUN = (*RUN_ALL, "--variant", f"alexnet_global+{EDIT}")
DEMO = tables()["demo"]


def test_the_parts_of_a_variants_name_are_found_again_or_there_is_none():
    for names in (("alexnet", "global", "pretrained", ""), ("vgg16", "local", "scratch", "a.b")):
        assert variant_parts(variant_name(*names)) == names
    for name in ("alexnet", "alexnet_global+", "alexnet_global+a b", "alexnet_global+../x", "alexnet_global+a+b", ""):
        assert variant_parts(name) is None


def test_a_copy_differs_from_the_generated_files_in_its_heading_and_its_own_name(checkout):
    assert copy(ALEXNET, EDIT, checkout / "data", checkout, checkout) == [
        f"prototxt/{VARIANT}/train_val.prototxt",
        f"solvers/{VARIANT}.prototxt",
    ]
    copied = (checkout / f"solvers/{VARIANT}.prototxt").read_text().splitlines()
    origin = (checkout / f"solvers/{ALEXNET}.prototxt").read_text().replace(f"/{ALEXNET}", f"/{VARIANT}").splitlines()
    rules = [line for line in origin if not line.startswith("#")]
    assert [line for line in copied if not line.startswith("#")] == rules
    assert f"--variant alexnet_global+{EDIT}" in copied[2]
    assert "generated" not in copied[0]
    for path in (f"prototxt/{VARIANT}/train_val.prototxt", f"solvers/{VARIANT}.prototxt"):
        assert f"solvers/{VARIANT}.prototxt" in (checkout / path).read_text()


def test_a_copy_keeps_what_a_person_wrote_and_follows_the_solver_to_its_net(checkout):
    solver = checkout / f"solvers/{ALEXNET}.prototxt"
    edit(solver, "net: .*", "# net: \"no\"\n  net : 'mine.prototxt' # 网络")
    edit(solver, "base_lr: .*", "base_lr: 0.5 # bold\r")
    (checkout / "mine.prototxt").write_bytes("# 我的 ".encode("gbk") + b'\nname: "mine"\n')
    copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    copied = (checkout / f"solvers/{VARIANT}.prototxt").read_text()
    assert f'# net: "no"\n  net : "prototxt/{VARIANT}/train_val.prototxt" # 网络\n' in copied
    assert "base_lr: 0.5 # bold\n" in copied
    net = (checkout / f"prototxt/{VARIANT}/train_val.prototxt").read_bytes()
    assert net.endswith("# 我的 ".encode("gbk") + b'\nname: "mine"\n')


@pytest.mark.parametrize(
    ("origin", "name", "said"),
    [
        ("demo/alexnet", EDIT, "give a dataset and a variant, as in ava-large/alexnet_global"),
        (VARIANT, "again", f"solvers/{VARIANT}.prototxt is not there"),
        (ALEXNET, "frozen", "and no --start"),
        ("nowhere/alexnet_global", EDIT, "there is no dataset 'nowhere'"),
        (ALEXNET, "a b", "letters, digits, '-', '_' and '.'"),
        (ALEXNET, "../up", "letters, digits, '-', '_' and '.'"),
    ],
)
def test_what_cannot_be_copied_is_refused_and_nothing_is_written(checkout, origin, name, said):
    before = sorted(checkout.rglob("*"))
    with pytest.raises(UserError, match=re.escape(said)):
        copy(origin, name, checkout / "data", checkout, checkout)
    assert sorted(checkout.rglob("*")) == before


def test_an_edit_can_be_copied_too(checkout):
    copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    edit(checkout / f"solvers/{VARIANT}.prototxt", "base_lr: .*", "base_lr: 0.0005")
    copy(VARIANT, "again", checkout / "data", checkout, checkout)
    text = (checkout / f"solvers/{ALEXNET}+again.prototxt").read_text()
    assert "base_lr: 0.0005" in text
    assert EDIT not in text


def test_a_copy_of_which_one_file_is_there_is_completed(checkout):
    paths = copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    net = checkout / f"prototxt/{VARIANT}/train_val.prototxt"
    net.write_text("# mine\n" + net.read_text())
    (checkout / f"solvers/{VARIANT}.prototxt").unlink()
    assert copy(ALEXNET, EDIT, checkout / "data", checkout, checkout) == paths[1:]
    assert net.read_text().startswith("# mine")


def test_a_copy_never_overwrites_one(checkout):
    copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    with pytest.raises(UserError, match="is there already: edit it, or give another name with --as"):
        copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)


def test_make_prototxt_leaves_a_named_edit_alone(checkout):
    copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    assert VARIANT not in {file.name for file in of_dataset(find("demo", checkout / "data"))}


def test_an_edit_runs_under_its_name_in_stock_caffes_bits_and_says_what_was_changed(checkout):
    said = call(checkout, *RUN, status=2)
    assert f"prototxt --copy {ALEXNET} --as {EDIT} --data" in said
    assert f"` copies {ALEXNET}, to be edited" in said
    copy(ALEXNET, EDIT, checkout / "data", checkout, checkout)
    edit(checkout / f"solvers/{VARIANT}.prototxt", "base_lr: .*", "base_lr: 0.0005")
    edit(checkout / f"prototxt/{VARIANT}/train_val.prototxt", "dropout_ratio: 0.5", "dropout_ratio: 0.25", count=1)
    call(checkout, *RUN)
    held = record(checkout, VARIANT)
    assert held["run"]["edit"] == EDIT
    assert held["changes"][0] == "base_lr 0.0005"
    assert "drop6: dropout_ratio 0.25" in held["changes"]
    assert not [change for change in held["changes"] if "net" in change.split() or "snapshot_prefix" in change]
    assert final_weights(checkout, VARIANT) == stock_weights(checkout, VARIANT)
    assert "done already" in call(checkout, *RUN)
    (checkout / f"results/{VARIANT}").rename(checkout / f"results/{ALEXNET}")
    said = call(checkout, *RUN_ALL, "--network", "alexnet", "--view", "global", status=2)
    assert f"holds the run {VARIANT}/seed-1, whose place it is not: move it back" in said


def test_what_a_variants_name_says_already_is_refused(checkout):
    output = call(checkout, *RUN, "--network", "alexnet", status=2)
    assert "--variant names a network, a view and a start: leave out --network" in output
    assert "a network, a view and more, as in alexnet_global" in call(
        checkout, *RUN_ALL, "--variant", "alexnet", status=2
    )


def edited_run(results, variant, rows, changes):
    folder = sample.run(results, variant, edited=True, rows=rows)
    folder.write_record(folder.record() | {"changes": changes})


def test_an_edit_stands_below_its_origin_with_its_change_and_mcnemars_test_and_is_never_the_papers_row(tmp_path):
    theirs = sample.predictions(1)
    right = [n for n, p in enumerate(theirs) if p.label == p.predicted][:3]
    wrong = [n for n, p in enumerate(theirs) if p.label != p.predicted][:2]
    ours = list(theirs)
    for n in (*right, *wrong):
        p = ours[n]
        ours[n] = type(p)(p.photo_id, p.label, 1 - p.p_good, 1 - p.predicted)
    assert (len(right), len(wrong)) == (3, 2)
    sample.run(tmp_path, ALEXNET, rows=theirs)
    edited_run(tmp_path, VARIANT, ours, ["base_lr 0.0005"])
    edited_run(tmp_path, "demo/alexnet_global+many", theirs, [f"fc{n}: num_output 7" for n in range(6, 11)])
    shown = with_ours(DEMO, tmp_path)
    at = {line.method: line for line in lines(shown, tmp_path)}
    assert list(at)[2:5] == [
        "Global view, AlexNet",
        f"Global view, AlexNet, {EDIT}",
        "Global view, AlexNet, many",
    ]
    usual, line, many = list(at.values())[2:5]
    assert (usual.status, usual.seeds, usual.origin) == ("done", 1, None)
    assert (line.paper, line.difference, line.status) == (None, None, "base_lr 0.0005")
    assert many.status == "fc6: num_output 7, fc7: num_output 7, fc8: num_output 7 and 2 more"
    assert line.origin_difference == pytest.approx(100 * -1 / sample.PHOTOS)
    assert line.origin_p == 1.0  # 3 against 2: every outcome is as likely
    said = "-1.67 points (2 photos right against 3, p = 1.000)"
    text = " ".join(render(shown, tmp_path, "text").split())
    assert f"Global view, AlexNet, {EDIT} (base_lr 0.0005), beside Global view, AlexNet: {said}; McNemar's" in text
    assert re.search(rf"{re.escape(VARIANT)}/seed-1 +done", status([DEMO], tmp_path))


def test_an_edit_without_its_origin_says_so(tmp_path):
    edited_run(tmp_path, VARIANT, None, ["base_lr 0.0005"])
    text = render(with_ours(DEMO, tmp_path), tmp_path, "text")
    assert "beside Global view, AlexNet: that was not run." in text


@pytest.mark.parametrize("moved", ["demo/alexnet_global_frozen", "demo/vgg16_global", VARIANT])
def test_a_run_whose_folder_was_renamed_is_no_result_of_another(tmp_path, moved):
    sample.run(tmp_path, ALEXNET)
    assert lines(DEMO, tmp_path)[2].status == "done"
    (tmp_path / ALEXNET).rename(tmp_path / moved)
    text = render(with_ours(DEMO, tmp_path), tmp_path, "text")
    assert f"holds the run {ALEXNET}/seed-1, whose place it is not: move it back" in text
    assert not any(line.seeds for line in lines(with_ours(DEMO, tmp_path), tmp_path))
    assert "whose place it is not" in status([DEMO], tmp_path)
