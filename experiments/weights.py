"""The pretrained models: which file each network starts from, whether it is that very file, and how it comes here."""

from user_error import UserError

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import commands
from caffe_build.cache import lock
from experiments.download import download
from files import sha256, sync
from paper import ROOT, SCRATCH

MODELS = ROOT / "models"


@dataclass(frozen=True)
class Model:
    """One pretrained model of models/registry.toml; those without `urls` are held by the repository itself."""

    name: str
    file: str
    bytes: int
    sha256: str
    urls: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return MODELS / self.file

    @property
    def partial(self) -> Path:
        """Where the file grows until it is known to be whole and right."""
        return MODELS / f"{self.file}.partial"

    @property
    def size(self) -> str:
        return f"{self.bytes / 1e6:.0f} MB"


def registry() -> dict[str, Model]:
    """All registered models by name."""
    path = MODELS / "registry.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Model(name, **entry | {"urls": tuple(entry.get("urls", ()))}) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error}): `git checkout {path.relative_to(ROOT)}`") from None


def pretrained(dataset: str, network: str) -> Model:
    """The model that `network` starts from on `dataset`."""
    name = f"demo-{network}" if dataset == "demo" else network
    try:
        return registry()[name]
    except KeyError:
        path = MODELS / "registry.toml"
        raise UserError(f"{path} has no entry [{name}]: `git checkout {path.relative_to(ROOT)}`") from None


def of_start(dataset: str, network: str, start: str) -> Model | None:
    """The model that a net of this start begins with; None where it begins from its fillers."""
    return None if start == SCRATCH else pretrained(dataset, network)


def check(model: Model) -> Path:
    """The path of a model's file; UserError unless it is there and is byte for byte the registered one."""
    if not model.path.exists():
        have_it = f", or {_from_folder()} if you have the file" if model.urls else ""
        raise UserError(f"{model.path} is missing: type `{_origin(model)}`{have_it}")
    size = model.path.stat().st_size
    if size != model.bytes:
        raise UserError(f"{model.path} has {size:,} bytes, not {model.bytes:,}: {_again(model)}")
    if sha256(model.path) != model.sha256:
        raise UserError(f"{model.path} is not the registered file (sha256 differs): {_again(model)}")
    return model.path


def fetch(model: Model) -> Path:
    """The checked path of a model; a file that is missing is downloaded."""
    if model.path.exists() or not model.urls:
        return check(model)
    require_room(model)
    with _alone(model):
        if model.path.exists():  # by the process that we waited for
            return check(model)
        try:
            download(model.urls, model.partial, model.bytes, model.sha256)
        except UserError as error:
            again = f"type `{_origin(model)}` again, {'which resumes, ' if model.partial.exists() else ''}or"
            by_hand = f"get {_told(model)} elsewhere and put it there ({_from_folder()} finds it in any folder)"
            raise UserError(f"{model.path} could not be fetched ({error}): {again} {by_hand}") from None
        return _named(model)


def take(model: Model, folder: Path) -> Path:
    """The checked path of a model; a file that is missing is copied from anywhere below `folder`, known by its hash."""
    if model.path.exists() or not model.urls:
        return check(model)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: name the one that holds {model.file}")
    found = next((path for path in _files_below(folder, model.bytes) if sha256(path) == model.sha256), None)
    if found is None:
        fetched = f"name another folder, or type `{_origin(model)}` to fetch it"
        raise UserError(f"{model.path} is missing, and not in {folder} ({_told(model)}): {fetched}")
    require_room(model)
    with _alone(model):
        if model.path.exists():
            return check(model)
        shutil.copyfile(found, model.partial)
        if sha256(model.partial) != model.sha256:
            model.partial.unlink()
            raise UserError(f"{found} changed while it was copied: type the same again")
        return _named(model)


def require_room(model: Model) -> None:
    """Raise UserError unless models/ may be written and has room for what is still to come of a model."""
    if not os.access(MODELS, os.W_OK):
        raise UserError(f"{MODELS} may not be written: let its owner get {model.file}, or change its mode")
    lacking = model.bytes - (model.partial.stat().st_size if model.partial.exists() else 0)
    free = shutil.disk_usage(MODELS).free
    if free < lacking:
        need = f"{lacking / 1e6:.0f} MB are needed for {model.file}, {free / 1e6:.0f} MB are free"
        raise UserError(f"{MODELS}: {need}: make room there")


def _alone(model: Model) -> AbstractContextManager[None]:
    """Let one process at a time bring a model here; the others wait."""
    return lock(MODELS / f".{model.file}.lock", waiting=f"another process is getting {model.file}: waiting for it")


def _named(model: Model) -> Path:
    """Give the partial file its name; it is whole and right."""
    sync(model.partial)
    model.partial.replace(model.path)
    sync(model.path.parent)
    return model.path


def _files_below(folder: Path, size: int) -> Iterator[Path]:
    """All files of that size in a folder and its subfolders; what may not be read is passed over."""
    for place, _, names in os.walk(folder):
        for path in sorted(Path(place, name) for name in names):
            with suppress(OSError):
                status = path.stat()
                if status.st_size == size and stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
                    yield path


def _told(model: Model) -> str:
    return f"the file of {model.bytes:,} bytes with the sha256 {model.sha256}"


def _again(model: Model) -> str:
    return f"remove it and type `{_origin(model)}`"


def _origin(model: Model) -> str:
    return commands.make("models") if model.urls else "git checkout models"


def _from_folder() -> str:
    return f"`{commands.make('models', 'FROM=DIR')}`"
