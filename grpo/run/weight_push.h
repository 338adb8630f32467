// The policy's weights for a server that samples: written to the folder that the recipe names, which the server then loads. One thread.
#pragma once

#include "core/result.h"
#include "grpo/config/run_spec.h"
#include "grpo/run/run_setup.h"

namespace assay {

// Replaces server.weights_dir by the policy (its weights whole) as safetensors with its config and tokenizer, in the dtype of the computation, and has the
// server load it. Errors: SaveModel's, LoadServerWeights'; kIo when the folder cannot be replaced.
Status PushWeights(const ServerSpec& server, const PolicySetup& setup, const TrainEnv& env);

}  // namespace assay
