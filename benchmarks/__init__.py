"""What is measured, against whom; each part says how. `python -m benchmarks` prints one table of all of them."""

import os

from experiments import gpus

os.environ |= gpus.NUMBERING
os.environ.setdefault("GLOG_minloglevel", "2")  # before Caffe is loaded: its log is no part of a table
