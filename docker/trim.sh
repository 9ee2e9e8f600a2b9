#!/usr/bin/env bash
# Takes out of a .venv what its wheels bring along and nothing here loads: of MKL and OpenMP the parts for SYCL, MPI,
# offloading, other threads and 64-bit indices; of pip pip itself.
set -euo pipefail
cd "$1/lib"
rm -rf lib{ur_,omptarget,archer,umf}* libmkl_{tbb,gnu}_thread* libmkl_*ilp64* libmkl_{blacs,scalapack,cdft}* \
    ./*.a ./*.dbg cmake pkgconfig python3.11/site-packages/pip
