"""What a person changed in the prototxts of a variant, against what the writer gives for this very variant."""

import difflib

from google.protobuf.message import Message

from experiments.prototxts import Prototxts
from experiments.runs import Run
from prototxt.messages import caffe_pb2, parse, text
from prototxt.nets import train_val
from prototxt.solver import solver


def differences(run: Run, prototxts: Prototxts) -> dict[str, str]:
    """Unified diffs 'generated -> yours' of `train_val` and `solver`, those that differ.

    Comments and the order of fields do not count.
    """
    names = (run.dataset, run.network, run.view)
    found = {
        "train_val": _diff(
            _plain(train_val(*names), caffe_pb2.NetParameter()), prototxts.written_net, prototxts.net_file
        ),
        "solver": _diff(
            _plain(solver(*names), caffe_pb2.SolverParameter()), prototxts.written_solver, prototxts.solver_file
        ),
    }
    return {name: diff for name, diff in found.items() if diff}


def _plain(generated: str, message: Message) -> str:
    return text(parse(generated, message))


def _diff(generated: str, yours: str, path: str) -> str:
    lines = difflib.unified_diff(
        generated.splitlines(), yours.splitlines(), "generated", f"yours: {path}", n=1, lineterm=""
    )
    return "\n".join(lines)
