"""A pretrained model is used only when it is the registered file, however it came here."""

from user_error import UserError

import hashlib
import os
import re
import threading
from types import SimpleNamespace

import pytest
from harness import call

from experiments import weights
from experiments.weights import Model, check, fetch, pretrained, registry, take
from files import locked
from paper import DATASETS, NETWORKS

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def model(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(weights, "MODELS", folder)
    return Model("m", "m.caffemodel", len(CONTENT), DIGEST, (f"{tmp_path.as_uri()}/elsewhere",))


@pytest.fixture
def source(model, tmp_path):
    """The file that the model's address leads to."""
    path = tmp_path / "elsewhere"
    path.write_bytes(CONTENT)
    return path


def models_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_file_put_there_by_hand_is_checked_and_used(model):
    model.path.write_bytes(CONTENT)
    assert fetch(model) == model.path


def test_missing_file_is_fetched(model, source):
    assert fetch(model).read_bytes() == CONTENT
    assert models_in(model.path.parent) == ["m.caffemodel"]


def test_two_processes_fetch_once(model, source, capfd):
    lock = model.path.with_name(f".{model.file}.lock")
    with locked(lock):
        other = threading.Thread(target=fetch, args=[model])
        other.start()
        while "waiting for it" not in capfd.readouterr().out:
            assert other.is_alive()
        source.unlink()
        model.path.write_bytes(CONTENT)
    other.join()
    assert check(model) == model.path


@pytest.mark.parametrize("content", [b"weighty", b"weight"])
@pytest.mark.parametrize("get", [check, fetch])
def test_other_file_is_refused_in_one_line_that_says_the_fix(model, content, get):
    model.path.write_bytes(content)
    with pytest.raises(UserError, match=r"remove it and type `make .*models`") as error:
        get(model)
    assert "\n" not in str(error.value)
    assert model.path.read_bytes() == content


def test_missing_file_is_refused_with_where_to_get_it(model):
    with pytest.raises(UserError, match=r"m.caffemodel is missing: type `make .*models`, or `make .*FROM=DIR`"):
        check(model)


def test_failed_download_says_which_file_belongs_where_and_leaves_nothing(model):
    with pytest.raises(UserError) as error:
        fetch(model)
    for said in (str(model.path), "elsewhere", "of 7 bytes", DIGEST, "FROM=DIR"):
        assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert models_in(model.path.parent) == []


def test_failed_download_keeps_what_has_come_and_says_how_to_resume(model):
    model.partial.write_bytes(CONTENT[:2])
    with pytest.raises(UserError, match=r"type `make .*models` again, which resumes"):
        fetch(model)
    assert model.partial.read_bytes() == CONTENT[:2]


def test_disk_that_is_too_small_is_seen_before_anything_is_fetched(model, source, monkeypatch):
    model.partial.write_bytes(CONTENT[:2])
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: SimpleNamespace(free=4))
    with pytest.raises(UserError, match="make room"):
        fetch(model)
    assert model.partial.read_bytes() == CONTENT[:2]
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    assert fetch(model) == model.path


def test_folder_that_may_not_be_written_is_seen_before_anything_is_fetched(model, source, monkeypatch):
    monkeypatch.setattr(weights.os, "access", lambda _, mode: mode != os.W_OK)
    with pytest.raises(UserError, match="models may not be written"):
        fetch(model)


def test_file_that_changes_while_it_is_copied_does_not_get_the_name(model, tmp_path, monkeypatch):
    (tmp_path / "mine").write_bytes(CONTENT)
    monkeypatch.setattr(weights.shutil, "copyfile", lambda _, copy: copy.write_bytes(b"weighty"))
    with pytest.raises(UserError, match="mine changed while it was copied"):
        take(model, tmp_path)
    assert models_in(model.path.parent) == []


def test_file_under_another_name_is_found_by_its_content_and_stays(model, tmp_path):
    folder = tmp_path / "mine" / os.fsdecode(b"a\xff b")
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"weighty")
    (folder / "gone").symlink_to("nowhere")
    (folder / "model (1).caffemodel").write_bytes(CONTENT)
    assert take(model, tmp_path / "mine").read_bytes() == CONTENT
    assert len(list(folder.iterdir())) == 3
    assert models_in(model.path.parent) == ["m.caffemodel"]


def test_folder_without_the_file_is_told_with_what_was_looked_for(model, tmp_path):
    (tmp_path / "m.caffemodel").write_bytes(b"weighty")
    with pytest.raises(UserError, match=rf"m.caffemodel is missing, and not in .*7 bytes .*{DIGEST}"):
        take(model, tmp_path)
    with pytest.raises(UserError, match="nowhere is not a folder"):
        take(model, tmp_path / "nowhere")


def test_every_network_has_its_model_on_every_dataset():
    for dataset in DATASETS:
        for network in NETWORKS:
            assert pretrained(dataset, network) in registry().values()


def test_models_of_the_paper_have_several_addresses():
    for network in NETWORKS:
        assert len(set(pretrained("ava-large", network).urls)) > 1


def test_models_of_the_demo_are_in_the_repository_and_small():
    for network in NETWORKS:
        assert check(pretrained("demo", network)).stat().st_size <= 3_000_000


def test_command_says_of_each_model_where_it_stands(checkout, tmp_path):
    output = call(checkout, "models", "--from", str(tmp_path), status=2)
    assert re.findall(r"(\w+)\.caffemodel: 2 MB, as registered", output) == ["alexnet", "vgg16"]
    assert re.findall(r"error: \S.*/(\w+)\.caffemodel is missing", output) == ["bvlc_alexnet", "VGG_ILSVRC_16_layers"]
