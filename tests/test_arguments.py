"""Numbers and folders on the command line."""

import argparse
from pathlib import Path

import pytest

from arguments import count, gpu_ids, named_folder, positive


def test_a_gpu_that_is_named_twice_is_one():
    assert gpu_ids("1,0,1") == [1, 0]


@pytest.mark.parametrize("text", ["", "0,", "0,,1", "-1", "1.5", "²", "0 1"])
def test_what_is_no_list_of_gpus_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        gpu_ids(text)


def test_zero_is_a_count_and_not_positive():
    assert (count("0"), positive("1")) == (0, 1)
    with pytest.raises(argparse.ArgumentTypeError, match="'0' is not a whole number from 1"):
        positive("0")


def test_a_variable_that_is_not_set_is_no_folder():
    assert named_folder("./disk") == Path("disk")
    with pytest.raises(argparse.ArgumentTypeError, match="is a variable not set"):
        named_folder("")
