// The embedded sources of our kernels, for GetKernel. Each is the text of kernels/common.cu followed by the named file.
#pragma once

namespace assay::cuda {

extern const char
    kDecodeSource[];  // kernels/products.cu, decode.cu, sample.cu: decoding steps, drawing tokens
extern const char
    kTrainSource[];  // kernels/train.cu: a layer and the head's log-softmax, there and back

}  // namespace assay::cuda
