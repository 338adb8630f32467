// A model folder (config.json, safetensors, tokenizer.json) as one GGUF file that llama.cpp loads: names, rotation and shapes as its own
// converter writes them, the tokenizer and the chat template in the metadata. Without LibTorch; one row of weights in memory at a time.
// Models of the llama (Mistral among them), qwen2 and qwen3 kind; norms and biases stay float32.
#pragma once

#include <string>

#include "core/result.h"
#include "grpo/files/gguf_writer.h"

namespace assay {

// "f32", "f16", "bf16", "q8_0". Errors: kUsage with the list.
Result<GgufOut> GgufOutFromName(const std::string& name);

// Matrices in `type`; with kQ8_0 those whose rows are no multiple of 32 in F16. Errors: kIo; kInput (weights or a tokenizer that GGUF or
// llama.cpp has no name for, by name).
Status ExportGguf(const std::string& folder, const std::string& path, GgufOut type);

}  // namespace assay
