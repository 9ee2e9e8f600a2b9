"""Runs Caffe's own tests of pycaffe on the Caffe in .venv.

`.venv/bin/python -m caffe_build.selftest [OPTIONS OF PYTEST]`
"""

import sys

import pytest

from caffe_build.build import SHARE
from caffe_build.install import VENV


def main() -> int:
    """Run the tests; returns pytest's exit status."""
    tests = VENV / SHARE / "python" / "caffe" / "test"
    quiet = ["-p", "no:cacheprovider", "-W", "ignore"]
    return pytest.main([str(tests), *quiet, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
