// Why: the BLAS of the wheel `scipy-openblas32` has a prefix to its names. This header stands before its own on the
// include path and gives Caffe the names that it calls.
#pragma once

#include_next <cblas.h>

#define cblas_sasum scipy_cblas_sasum
#define cblas_saxpy scipy_cblas_saxpy
#define cblas_scopy scipy_cblas_scopy
#define cblas_sdot scipy_cblas_sdot
#define cblas_sgemm scipy_cblas_sgemm
#define cblas_sgemv scipy_cblas_sgemv
#define cblas_sscal scipy_cblas_sscal
#define cblas_dasum scipy_cblas_dasum
#define cblas_daxpy scipy_cblas_daxpy
#define cblas_dcopy scipy_cblas_dcopy
#define cblas_ddot scipy_cblas_ddot
#define cblas_dgemm scipy_cblas_dgemm
#define cblas_dgemv scipy_cblas_dgemv
#define cblas_dscal scipy_cblas_dscal
