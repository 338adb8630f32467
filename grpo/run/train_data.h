// Training data from JSON Lines: problems for GRPO and evaluation, groups sampled elsewhere; and how a prompt becomes tokens. Rows may have
// any form that `assay score` reads. Without LibTorch. Errors name file and line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "grpo/config/recipe.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

// Calls `visit` for every row of the files; false ends the reading.
Status ForEachRow(const std::vector<std::string>& files,
                  const std::function<Result<bool>(const Json& row)>& visit);

// Problems of all files in order; `limit` > 0: only so many. Plain prompts get the recipe's prefix and suffix, or become chats where it has
// a system prompt.
Result<std::vector<Problem>> LoadProblems(const std::vector<std::string>& files,
                                          const DataSpec& spec, int64_t limit = 0);
// A plain prompt as it came, without the recipe's prefix and suffix: what judges see, to whom the words around it mean nothing (their language
// is not the problem's).
void Undress(const DataSpec& spec, Problem* problem);
// A problem out of one row that holds one, dressed as LoadProblems does it.
Result<Problem> MakeProblem(const Json& row, const DataSpec& spec);
// What the recipe puts around a plain prompt, or makes of it.
void DressPrompt(const DataSpec& spec, Problem* problem);
// Groups with their samples (and token ids and log-probs where given).
Result<std::vector<Group>> LoadGroups(const std::string& file, const DataSpec& spec);

// Tokens of a plain text in front of which the tokenizer puts its BOS, unless the text begins with one.
std::vector<int64_t> EncodePlain(const Tokenizer& tokenizer, const std::string& text);
// Puts the recipe's system prompt in front of messages that begin with none; true if it did.
bool AddSystemPrompt(const DataSpec& spec, Json* messages);
// The recipe's chat_template_kwargs with a row's own on top; null if there are none.
Json MergedKwargs(const DataSpec& spec, const Json& of_row);

// What became of prompts that are too long.
struct PromptLengths {
  int64_t dropped = 0, cut = 0;
  std::string first;  // the id of the first of them
};
// The prompts as tokens, in the problems' order; those of more than `most` tokens (0: any length) are dropped with their problem, cut at
// their start, or an error that names the problem, as data.overlong_prompts says.
Result<std::vector<std::vector<int64_t>>> EncodePrompts(const Tokenizer& tokenizer,
                                                        const DataSpec& spec, int64_t most,
                                                        std::vector<Problem>* problems,
                                                        PromptLengths* lengths);

}  // namespace assay
