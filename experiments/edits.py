"""What a person changed in the prototxts of a variant, against what the writer gives for this very variant."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from dataset import find
from experiments.prototxts import WITHOUT_EFFECT, Prototxts, nameless_text
from experiments.runs import Run
from prototxt.messages import caffe_pb2, parse, text
from prototxt.nets import train_val
from prototxt.solver import solver

HUNK = re.compile(r"@@ -(\d+)")
LAYER_NAME = re.compile(r'  name: "(.*)"')
NOT_SET = "not set"


def differences(run: Run, prototxts: Prototxts, data: Path) -> dict[str, str]:
    """Unified diffs 'generated -> yours' of `train_val` and `solver`, those that differ.

    The writer is asked about the dataset as it is in `data`. Comments and the order of fields do not count.
    """
    net, rules = _generated(run, data)
    found = {
        "train_val": _diff(nameless_text(net), prototxts.written_net, prototxts.net_file),
        "solver": _diff(text(rules), prototxts.written_solver, prototxts.solver_file),
    }
    return {name: diff for name, diff in found.items() if diff}


def changes(run: Run, prototxts: Prototxts, data: Path) -> list[str]:
    """What of it decides the result, in words, the solver's first: 'base_lr 0.0005', 'fc6: num_output 128'."""
    net, rules = _generated(run, data)
    yours = parse(prototxts.written_solver, caffe_pb2.SolverParameter())
    for message in (rules, yours):
        for field in set(WITHOUT_EFFECT) - {"max_iter"}:
            message.ClearField(field)
    found = list(_changed(_fields(rules), _fields(yours)))
    ours, theirs = map(_layers, (net, parse(prototxts.written_net, caffe_pb2.NetParameter())))
    for key in dict.fromkeys([*ours, *theirs]):
        name = key[0]
        if key not in theirs or key not in ours:
            found.append(f"layer {name} {'added' if key in theirs else 'removed'}")
        else:
            found += (f"{name}: {change}" for change in _changed(ours[key], theirs[key]))
    return list(dict.fromkeys(found))


def _generated(run: Run, data: Path) -> tuple[Message, Message]:
    """The net and the solver that the writer gives for a run's variant."""
    names = (find(run.dataset, data), run.network, run.view, run.start)
    return (
        parse(train_val(*names), caffe_pb2.NetParameter()),
        parse(solver(*names, run.edit), caffe_pb2.SolverParameter()),
    )


def _diff(generated: str, yours: str, path: str) -> str:
    ours, theirs = generated.splitlines(), yours.splitlines()
    lines = difflib.unified_diff(ours, theirs, "generated", f"yours: {path}", n=1, lineterm="")
    return "\n".join(line + _place(line, ours) for line in lines)


def _place(line: str, generated: list[str]) -> str:
    """For a line @@ the name of the layer in which the difference begins; as git has it, behind the numbers."""
    begin = HUNK.match(line)
    if not begin:
        return ""
    above = [name[1] for name in map(LAYER_NAME.match, generated[: int(begin[1]) + 1]) if name]
    return f" layer {above[-1]}" if above else ""


def _layers(net: Message) -> dict[tuple[str, int], dict[str, str]]:
    """The fields of each layer, by its name and how many of this name are before it: the data layers share one."""
    seen: Counter[str] = Counter()
    found = {}
    for layer in net.layer:
        found[layer.name, seen[layer.name]] = _fields(layer)
        seen[layer.name] += 1
    return found


def _fields(message: Message) -> dict[str, str]:
    """The values of a message's fields as Caffe's text format has them, by their path: 'param.1.lr_mult'."""
    found: dict[str, str] = {}
    blocks: list[str] = []
    seen: Counter[str] = Counter()
    for line in text(message).splitlines():
        if line.endswith("{"):
            path = ".".join([*blocks, line.strip(" {")])
            blocks.append(f"{line.strip(' {')}.{seen[path]}")
            seen[path] += 1
        elif line.strip() == "}":
            blocks.pop()
        else:
            name, _, value = line.strip().partition(": ")
            path = ".".join([*blocks, name])
            found[f"{path}.{seen[path]}" if seen[path] else path] = value
            seen[path] += 1
    return found


def _changed(ours: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    for path in dict.fromkeys([*theirs, *ours]):
        if ours.get(path) != theirs.get(path):
            *_, name = (part for part in path.split(".") if not part.isdecimal())
            yield f"{name} {theirs.get(path, NOT_SET)}"
