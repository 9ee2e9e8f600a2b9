// Why: Caffe asks cuDNN for a convolution algorithm within a workspace limit, by calls that cuDNN 8 took out. This header
// stands before cuDNN's own on the include path and gives them back, on top of the `_v7` calls.
#pragma once

// Caffe's CMake reads the version in this file; it has to be cuDNN's own, or the compiler complains.
#define CUDNN_MAJOR 9

#include <cstdint>
#include_next <cudnn.h>

enum {
  CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_FILTER_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_DATA_SPECIFY_WORKSPACE_LIMIT,
};

// Picks the first algorithm (`list` gives the fastest first) that fits into `limit` bytes, or the smallest if none does.
// `size` is asked, as Caffe asks it next: the memory in the list may be that of a math type other than the convolution's.
template <typename Listed, typename Algorithm, typename List, typename Size>
cudnnStatus_t caffePickAlgorithm(size_t limit, Algorithm* picked, List list, Size size) {
  Listed listed[16];
  int count = 0;
  cudnnStatus_t status = list(16, &count, listed);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  size_t least = SIZE_MAX;
  for (int i = 0; i < count && least > limit; ++i) {
    size_t bytes = 0;
    if (listed[i].status == CUDNN_STATUS_SUCCESS && size(listed[i].algo, &bytes) == CUDNN_STATUS_SUCCESS &&
        bytes < least) {
      least = bytes;
      *picked = listed[i].algo;
    }
  }
  return least == SIZE_MAX ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
}

inline cudnnStatus_t cudnnGetConvolutionForwardAlgorithm(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t conv,
    cudnnTensorDescriptor_t y, int, size_t limit, cudnnConvolutionFwdAlgo_t* picked) {
  return caffePickAlgorithm<cudnnConvolutionFwdAlgoPerf_t>(
      limit, picked,
      [=](int most, int* count, cudnnConvolutionFwdAlgoPerf_t* listed) {
        return cudnnGetConvolutionForwardAlgorithm_v7(handle, x, w, conv, y, most, count, listed);
      },
      [=](cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, conv, y, algorithm, bytes);
      });
}

inline cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t conv,
    cudnnFilterDescriptor_t dw, int, size_t limit, cudnnConvolutionBwdFilterAlgo_t* picked) {
  return caffePickAlgorithm<cudnnConvolutionBwdFilterAlgoPerf_t>(
      limit, picked,
      [=](int most, int* count, cudnnConvolutionBwdFilterAlgoPerf_t* listed) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, x, dy, conv, dw, most, count, listed);
      },
      [=](cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, x, dy, conv, dw, algorithm, bytes);
      });
}

inline cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm(
    cudnnHandle_t handle, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t conv,
    cudnnTensorDescriptor_t dx, int, size_t limit, cudnnConvolutionBwdDataAlgo_t* picked) {
  return caffePickAlgorithm<cudnnConvolutionBwdDataAlgoPerf_t>(
      limit, picked,
      [=](int most, int* count, cudnnConvolutionBwdDataAlgoPerf_t* listed) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, w, dy, conv, dx, most, count, listed);
      },
      [=](cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardDataWorkspaceSize(handle, w, dy, conv, dx, algorithm, bytes);
      });
}
