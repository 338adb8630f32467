// Precompiled for the files of grpo/ that use LibTorch: narrow headers, not torch/torch.h, which costs 20 s a file.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
