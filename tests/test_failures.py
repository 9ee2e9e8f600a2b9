"""A child's death is explained in one line: Caffe's own words, and what a user can do."""

import pytest

from experiments.failures import last_words

PREFIX = "I1124 10:00:00.000000    77 solver.cpp:239] Iteration 20, loss = 0.6\nF1124 10:00:01.000000    77 "
STACK = "\n*** Check failure stack trace: ***\n    @     0x7f google::LogMessage::Fail()\n"


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("syncedmem.cpp:71] Check failed: error == cudaSuccess (2 vs. 0)  out of memory", "--per-gpu"),
        (
            "im2col.cu:61] Check failed: error == cudaSuccess (209 vs. 0)  no kernel image is available",
            "make setup CUDA=1",
        ),
        (
            "common.cpp:152] Check failed: error == cudaSuccess (46 vs. 0)  CUDA-capable device(s) is/are busy or"
            " unavailable",
            "compute mode",
        ),
        ("common.cpp:152] Check failed: error == cudaSuccess (802 vs. 0)  system not yet initialized", "fabricmanager"),
        (
            "common.cpp:152] Check failed: error == cudaSuccess (803 vs. 0)  system has unsupported display driver /"
            " cuda driver combination",
            "cuda-compat",
        ),
        ("syncedmem.cpp:71] Check failed: error == cudaSuccess (214 vs. 0)  uncorrectable ECC error", "ECC"),
        ("math.cu:9] Check failed: error == cudaSuccess (700 vs. 0)  an illegal memory access was", "Xid"),
        ("math.cu:9] Check failed: error == cudaSuccess (719 vs. 0)  unspecified launch failure", "Xid"),
        (
            "common.cpp:9] Check failed: status == CUBLAS_STATUS_SUCCESS (3 vs. 0)  CUBLAS_STATUS_ALLOC_FAILED",
            "--per-gpu",
        ),
        (
            "common.cpp:9] Check failed: status == CURAND_STATUS_SUCCESS (201 vs. 0)  CURAND_STATUS_LAUNCH_FAILURE",
            "Xid",
        ),
        *(
            (f"conv.cu:9] Check failed: status == CUDNN_STATUS_SUCCESS (4 vs. 0)  CUDNN_STATUS_{name}: said so", advice)
            for name, advice in [
                ("INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "--per-gpu"),
                ("INTERNAL_ERROR_HOST_ALLOCATION_FAILED", "fewer runs side by side"),
                ("INTERNAL_ERROR_COMPILATION_FAILED", "make setup CUDA=1"),
                ("NOT_SUPPORTED_ARCH_MISMATCH", "older"),
                ("NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER", "install a newer one"),
                ("NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE", "another cuDNN"),
                ("SUBLIBRARY_VERSION_MISMATCH", "another cuDNN"),
                ("EXECUTION_FAILED_CUDART", "Xid"),
                ("NOT_INITIALIZED", "nvidia-smi"),
            ]
        ),
        (
            "conv.cu:9] Check failed: status == CUDNN_STATUS_SUCCESS (3009 vs. 0)  Unknown cudnn status",
            "LD_LIBRARY_PATH",
        ),
        (
            "common.cpp:152] Check failed: error == cudaSuccess (804 vs. 0)  forward compatibility was attempted on non"
            " supported HW",
            "cuda-compat",
        ),
        ("common.cpp:152] Check failed: error == cudaSuccess (999 vs. 0)  unknown error", "start the machine"),
        (
            "common.cpp:152] Check failed: error == cudaSuccess (35 vs. 0)  CUDA driver version is insufficient for"
            " CUDA runtime version",
            "install a newer one",
        ),
        (
            "im2col.cu:61] Check failed: error == cudaSuccess (222 vs. 0)  the provided PTX was compiled with an"
            " unsupported toolchain.",
            "install a newer one",
        ),
        ("common.cpp:152] Check failed: error == cudaSuccess (100 vs. 0)  no CUDA-capable device is detected", "--cpu"),
        ("common.cpp:152] Check failed: error == cudaSuccess (101 vs. 0)  invalid device ordinal", "lists them"),
        ("math.cu:9] Check failed: error == cudaSuccess (702 vs. 0)  the launch timed out and was", "display"),
        ("math.cu:9] Check failed: error == cudaSuccess (716 vs. 0)  misaligned address", "Xid"),
        (
            "common.cpp:9] Check failed: status == CUBLAS_STATUS_SUCCESS (1 vs. 0)  CUBLAS_STATUS_NOT_INITIALIZED",
            "memory is full",
        ),
        (
            "common.cpp:9] Check failed: status == CUBLAS_STATUS_SUCCESS (8 vs. 0)  CUBLAS_STATUS_ARCH_MISMATCH",
            "older",
        ),
        (
            "math.cu:9] Check failed: status == CUBLAS_STATUS_SUCCESS (13 vs. 0)  CUBLAS_STATUS_EXECUTION_FAILED",
            "Xid",
        ),
        ("math.cu:9] Check failed: status == CUBLAS_STATUS_SUCCESS (14 vs. 0)  CUBLAS_STATUS_INTERNAL_ERROR", "Xid"),
        (
            "common.cpp:9] Check failed: status == CURAND_STATUS_SUCCESS (102 vs. 0)  CURAND_STATUS_ALLOCATION_FAILED",
            "--per-gpu",
        ),
        (
            "common.cpp:9] Check failed: status == CURAND_STATUS_SUCCESS (203 vs. 0)"
            "  CURAND_STATUS_INITIALIZATION_FAILED",
            "Xid",
        ),
        (
            "conv.cu:9] Check failed: status == CUDNN_STATUS_SUCCESS (4 vs. 0)  CUDNN_STATUS_ALLOC_FAILED",
            "--per-gpu",
        ),
        ("common.cpp:66] Cannot use GPU in CPU-only Caffe: check mode.", "make setup CUDA=1"),
        ("io.cpp:69] Check failed: proto.SerializeToOstream(&output) ", "make room"),
        ("data_transformer.cpp:257] Check failed: channels == img_channels (3 vs. 1) ", "cannot be decoded"),
    ],
)
def test_caffes_fatal_line_comes_with_its_advice(said, advice):
    said_of_it = last_words(PREFIX + said + STACK, -6)
    assert said_of_it.startswith(f"Caffe says: {said.partition('] ')[2].strip()}: ")
    assert advice in said_of_it
    assert len(said_of_it.splitlines()) == 1


def test_a_fatal_line_without_a_known_advice_is_said_as_it_is():
    assert last_words(f"{PREFIX}net.cpp:1] Check failed: a == b (1 vs. 2) {STACK}", -6) == (
        "Caffe says: Check failed: a == b (1 vs. 2)"
    )


def test_a_signal_is_named():
    assert last_words("", -9).startswith("ended by SIGKILL: the kernel does so when memory runs out")


def test_without_a_fatal_line_the_last_line_counts():
    assert last_words("one\nImportError: no caffe\n", 1) == "ImportError: no caffe"
    assert last_words("", 1) == "exit status 1"


def test_the_layer_that_caffe_was_making_is_named_and_a_list_of_all_types_is_not_printed():
    log = "I1 1 net.cpp:84] Creating Layer conv1\nI1 1 net.cpp:84] Creating Layer relu1\n"
    fatal = (
        "F1124 10:00:01.000000    77 layer_factory.hpp:81] Unknown layer type: ReLUU (known types: AbsVal, Accuracy)\n"
    )
    assert last_words(log + fatal + STACK, -6) == "Caffe says of layer relu1: Unknown layer type: ReLUU"
    built = "I1 1 net.cpp:257] Network initialization done.\n"
    assert last_words(log + built + fatal, -6) == "Caffe says: Unknown layer type: ReLUU"
