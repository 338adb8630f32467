// Checkpoints: DIR/checkpoint-<step>/ with the model (a folder that transformers loads), the optimiser's and the reference's
// tensors in safetensors and state.json. Written beside and renamed as a whole, so a killed run leaves the old or the new one, never
// half of one. Randomness needs no state of its own: every draw comes from the run's seed and a counter in state.json.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "grpo/learn/optimizer.h"
#include "grpo/model/model.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

// Writes DIR/checkpoint-<step>, then deletes all but the newest `keep`. `moments`: AdamW::State's. `reference` and `tokenizer` may be
// null. Weights are whole, whoever holds them in the run.
Status SaveCheckpoint(const std::string& folder, int64_t step, const Json& state,
                      const Model& policy, const std::vector<NamedTensor>& moments,
                      const Model* reference, const Tokenizer* tokenizer, int64_t keep);

// DIR/checkpoint-<step> of the model alone, which `write` writes into the folder that it is given; all but the newest `keep` of its
// kind are deleted. It is none to go on from.
Status SaveModelCheckpoint(const std::string& folder, int64_t step, int64_t keep,
                           const std::function<Status(const std::string& folder)>& write);

// Folders of the whole checkpoints, newest first.
std::vector<std::string> CheckpointFolders(const std::string& folder);
// A checkpoint that cannot be read steps aside: renamed, it is none any more.
void SetAside(const std::string& checkpoint);
// The newest whole checkpoint's folder, or "".
std::string LatestCheckpoint(const std::string& folder);

// Copies the checkpoint's tensors, or of weights that are shared out this process's part, into what is there. Errors: kInput (another model), kIo. Returns state.json.
Result<Json> LoadCheckpoint(const std::string& checkpoint, Model* policy, AdamW* optimizer,
                            const Model* reference);

}  // namespace assay
