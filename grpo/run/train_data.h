// Training data from JSON Lines and from the store: problems for GRPO and evaluation, token rows for SFT, groups sampled
// elsewhere. Without LibTorch. Errors name file and line.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/config/recipe.h"
#include "grpo/learn/sft_row.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

// Problems of all files in order; `limit` > 0: only so many. Plain prompts get the recipe's prefix and suffix.
Result<std::vector<Problem>> LoadProblems(const std::vector<std::string>& files,
                                          const DataSpec& spec, int64_t limit = 0);
// Groups with their samples (and token ids and log-probs where given).
Result<std::vector<Group>> LoadGroups(const std::string& file, const DataSpec& spec);
// Rows of SFT: {"prompt", "completion"}, {"messages"} (the last assistant turn is learned) or {"text"} (all of it); the
// store's data set where the recipe names one. Longer rows keep their start (max_length); rows without a label are dropped.
Result<std::vector<SftRow>> LoadSftRows(const SftRecipe& recipe, const Tokenizer& tokenizer,
                                        int64_t eos_id);

}  // namespace assay
