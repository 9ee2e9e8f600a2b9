"""What a person changed in the prototxts of a variant, against what the writer gives for this very variant."""

import difflib
import re
from pathlib import Path

from dataset import find
from experiments.prototxts import Prototxts, nameless_text
from experiments.runs import Run
from prototxt.messages import caffe_pb2, parse, text
from prototxt.nets import train_val
from prototxt.solver import solver

HUNK = re.compile(r"@@ -(\d+)")
LAYER_NAME = re.compile(r'  name: "(.*)"')


def differences(run: Run, prototxts: Prototxts, data: Path) -> dict[str, str]:
    """Unified diffs 'generated -> yours' of `train_val` and `solver`, those that differ.

    The writer is asked about the dataset as it is in `data`. Comments and the order of fields do not count.
    """
    names = (find(run.dataset, data), run.network, run.view, run.start)
    found = {
        "train_val": _diff(
            nameless_text(parse(train_val(*names), caffe_pb2.NetParameter())), prototxts.written_net, prototxts.net_file
        ),
        "solver": _diff(
            text(parse(solver(*names), caffe_pb2.SolverParameter())), prototxts.written_solver, prototxts.solver_file
        ),
    }
    return {name: diff for name, diff in found.items() if diff}


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
