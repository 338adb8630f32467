// The embedded sources of our kernels, for GetKernel. Each is the text of kernels/common.cu followed by the named file.
#pragma once

namespace assay::cuda {

extern const char
    kDecodeSource[];  // kernels/decode.cu and sample.cu: decoding steps and drawing tokens
extern const char
    kTrainSource[];  // kernels/train.cu: a layer and the head's log-softmax, there and back

}  // namespace assay::cuda
