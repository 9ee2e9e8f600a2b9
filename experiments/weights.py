"""The pretrained models: which file each network starts from, and whether it is that very file."""

from user_error import UserError

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pooch

from files import sha256
from paper import ROOT

MODELS = ROOT / "models"


@dataclass(frozen=True)
class Model:
    """One pretrained model of models/registry.toml; `url` is None for those that the repository holds."""

    name: str
    file: str
    bytes: int
    sha256: str
    url: str | None = None

    @property
    def path(self) -> Path:
        return MODELS / self.file


def registry() -> dict[str, Model]:
    """All registered models by name."""
    path = MODELS / "registry.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Model(name=name, **fields) for name, fields in entries.items()}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}): `git checkout {path.relative_to(ROOT)}`") from None


def pretrained(dataset: str, network: str) -> Model:
    """The model that `network` starts from on `dataset`."""
    name = f"demo-{network}" if dataset == "demo" else network
    try:
        return registry()[name]
    except KeyError:
        path = MODELS / "registry.toml"
        raise UserError(f"{path} has no entry [{name}]: `git checkout {path.relative_to(ROOT)}`") from None


def check(model: Model) -> Path:
    """The path of a model's file; UserError unless it is there and is byte for byte the registered one."""
    if not model.path.exists():
        by_hand = f", or put the file there by hand ({model.url})" if model.url else ""
        raise UserError(f"{model.path} is missing: type `{_origin(model)}`{by_hand}")
    size = model.path.stat().st_size
    if size != model.bytes:
        raise UserError(f"{model.path} has {size:,} bytes, not {model.bytes:,}: {_renew(model)}")
    if sha256(model.path) != model.sha256:
        raise UserError(f"{model.path} is not the registered file (sha256 differs): {_renew(model)}")
    return model.path


def fetch(model: Model) -> Path:
    """The checked path of a model; the file is downloaded unless it is there."""
    if not model.path.exists() and model.url:
        try:
            pooch.retrieve(model.url, f"sha256:{model.sha256}", model.file, MODELS, progressbar=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{model.url} could not be fetched ({error}); put the file at {model.path} by hand"
            ) from None
    return check(model)


def _renew(model: Model) -> str:
    return f"remove it and type `{_origin(model)}`"


def _origin(model: Model) -> str:
    return "make models" if model.url else "git checkout models"
