"""The card of an exported net (readme.md): what it is, how good, made of what; in the form of Caffe's Model Zoo."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from dataset import one_line, preparation_notes
from deploy.export_caffe import MODEL
from deploy.export_check import LARGEST, Check
from deploy.net import ScoringNet
from deploy.pair import MEAN
from experiments.run_folder import Result
from files import sha256
from paper import SCRATCH, STARTS, stated, tables
from report.line import DASH
from report.measures import measures

TEMPLATE = Path(__file__).with_name("card.md.jinja")


@dataclass(frozen=True)
class Pretrained:
    """What a net was fine-tuned from, and what its authors allow."""

    name: str
    licence: str  # a word for the front matter
    terms: str


PRETRAINED = {
    "alexnet": Pretrained(
        "bvlc_alexnet, trained on ImageNet by BVLC",
        "unrestricted",
        "bvlc_alexnet is released for unrestricted use, as its readme in Caffe's Model Zoo says.",
    ),
    "vgg16": Pretrained(
        "VGG_ILSVRC_16_layers, trained on ImageNet by the Visual Geometry Group of Oxford",
        "CC-BY",
        "VGG_ILSVRC_16_layers is released under the Creative Commons Attribution License; its authors, K. Simonyan and"
        " A. Zisserman, ask to cite arXiv:1409.1556.",
    ),
    "demo": Pretrained(
        "the harness's own small net, trained on drawn scenes",
        "BSD-2-Clause",
        "the demonstration's own, under the harness's BSD 2-Clause licence.",
    ),
}


TRAINED = dict(zip(STARTS, ("fine-tuned", "trained from scratch", "its last layer alone trained"), strict=True))


def text(folder: Path, net: ScoringNet, prob: str, record: dict[str, Any], result: Result | None, check: Check) -> str:
    """The card of the pair and the model in `folder`; `result` is that of the iteration whose weights they hold."""
    template, start = _template(), record["run"].get("start")  # which early runs lack
    names = {"train_val": "its net", "solver": "its solver"}
    return template.render(
        net=net,
        title=", ".join(
            (stated(f"networks.{net.network}.name"), f"{net.view} view", net.dataset, *_what_else(record["run"]))
        ),
        architecture="AlexNet" if net.network == "alexnet" else "VGG-16",
        trained=TRAINED[start or STARTS[0]],
        caffemodel=net.weights.name,
        prob=prob,
        onnx=MODEL,
        sha1=_sha1(net.weights),
        caffe_commit=_caffe_commit(record),
        mean=_mean(net),
        measures=measures(result.predictions) if result else None,
        percent=lambda rate: f"{100 * rate:.2f} %",
        confidence=f"{100 * stated('evaluation.confidence'):g}",
        dash=DASH,
        paper=_papers(net, start),
        seed=record["run"]["seed"],
        net_notes=[one_line(note) for note in net.notes],
        photos=record["dataset"]["photos"],
        rule=one_line(str(record["dataset"]["rule"])),
        labels=_labels(net.dataset),
        data_notes=[note.removesuffix(".") for note in preparation_notes(record["dataset"])],
        pretrained=None if start == SCRATCH else PRETRAINED["demo" if net.dataset == "demo" else net.network],
        edited=" and ".join(name for key, name in names.items() if record.get("edited", {}).get(key)),
        changes=[one_line(str(change)) for change in record.get("changes", ())],
        marks=[one_line(mark) for mark in record.get("marks", ())],
        provenance=dict(_provenance(folder, record)),
        check=check,
        limit=LARGEST,
        onnxruntime_version=version("onnxruntime"),
    )


def _what_else(run: dict[str, Any]) -> Iterator[str]:
    """What sets a run apart from the paper's."""
    if run.get("edit"):
        yield str(run["edit"])
    if run.get("to"):
        yield f"to iteration {run['to']:,}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _mean(net: ScoringNet) -> str:
    if net.mean_file:
        return f"picture in `{MEAN}`"
    return f"{', '.join(f'{value:g}' for value in net.transform.mean.ravel())} (blue, green, red)"


def _labels(dataset: str) -> str | None:
    """Which photos are good, where the rule of the lists does not say it."""
    if dataset in ("ava-large", "demo"):
        highest = stated("labels.highest_score")
        return f"Good is a mean vote of at least {stated('labels.threshold')} of {highest}, bad is one below."
    return "Good is CUHKPQ's high quality, bad its low quality." if dataset.startswith("cuhkpq-") else None


def _papers(net: ScoringNet, start: str | None) -> str | None:
    """What the paper says of this variant, and where."""
    for table in tables().values():
        for row in table.rows if table.dataset == net.dataset else ():
            if (row.network, row.view) != (net.network, net.view) or start not in (None, row.start):
                continue
            if row.accuracy is not None:
                return f"{row.accuracy:.2f} % (Table {table.name})"
    return None


def _provenance(folder: Path, record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of what a reader needs to argue about a number; what the run did not keep is a dash."""
    last = (record.get("attempts") or [{}])[-1]
    git, caffe = last.get("git") or {}, last.get("caffe") or {}
    yield "commit of the harness", f"{git.get('commit', DASH)}{', and changes' if git.get('dirty') else ''}"
    yield "Caffe", ", ".join(str(caffe[key]) for key in ("caffe", "source", "variant", "blas") if key in caffe) or DASH
    yield "GPU", (last.get("gpu") or {}).get("name") or "none: CPU"
    yield "trained", f"{last.get('started', DASH)[:10]} to {record.get('finished', DASH)[:10]}"
    yield "resumed", f"{len(record.get('attempts', [0])) - 1} times"
    for split, digest in record["dataset"].get("lists_sha256", {}).items():
        yield f"SHA-256 of the {split} list", digest
    yield "SHA-256 of the dataset", record["inputs"].get("dataset", DASH)
    yield "SHA-256 of the pretrained weights", record["inputs"].get("weights", DASH)  # none from scratch
    for path in sorted(folder.iterdir()):
        yield f"SHA-256 of {path.name}", sha256(path)


def _caffe_commit(record: dict[str, Any]) -> str | None:
    source = ((record.get("attempts") or [{}])[-1].get("caffe") or {}).get("source", "")
    found = re.search(r"[0-9a-f]{40}", source)
    return found and found[0]


def _sha1(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()
