// SelectOptions: what `assay select` and a pipeline's stage may ask of a selection, as one table (core/options.h). Plain data.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/options.h"
#include "core/result.h"

namespace assay {

struct SelectOptions {
  // --- Not in the table: where from, where to.
  std::vector<std::string> runs;  // taken together; problems that are the same are one
  std::string dataset;
  bool replace = false;
  uint64_t seed = 0;
  std::string tool_version;
  int jobs = 1;  // threads that look at texts
  const std::atomic<bool>* interrupted =
      nullptr;  // set by a signal handler: an error, and no data set

  // --- The table. Defaults stand here alone.
  std::string strategy;
  int64_t k = 0;  // 0: the strategy's own
  bool keep_unscored = false;
  bool keep_failed = false;
  bool keep_duplicates = false;

  std::optional<double> min_reward, max_reward;
  std::vector<std::string> require;
  bool drop_truncated = false;
  std::vector<std::string> finish_reason;
  int64_t min_chars = 0, max_chars = 0, min_tokens = 0, max_tokens = 0;  // 0: no bound
  std::vector<std::string> match, no_match;
  std::string language;
  double min_language_share = 0.9;
  std::optional<double> max_repetition;
  int64_t repetition_ngram = 4;
  std::optional<double> min_readability;
  enum class Shape { kAny, kReasoningSummary } shape = Shape::kAny;
  std::optional<double> min_pass_rate, max_pass_rate;

  bool duplicates_across = false;
  bool near_duplicates = false;
  bool near_within_problem = false;
  int64_t near_ngram = 5, near_bands = 14, near_rows = 8, near_passes = 2;
  double near_similarity = 0.7;
  std::vector<std::string> decontaminate;
  enum class Text { kPrompt, kCompletion, kBoth } decontaminate_text = Text::kPrompt;
  int64_t decontaminate_ngram = 13, decontaminate_short_ngram = 8;

  enum class Unit { kBytes, kTokens } length_unit = Unit::kBytes;
  enum class Vote { kOne, kReward } vote = Vote::kOne;
  bool vote_without_gold = false;
  double min_vote_share = 0;
  enum class Within { kProblem, kAll } top_within = Within::kProblem;
  enum class Rejected { kBestWrong, kWorst, kNearest, kRandom } rejected = Rejected::kBestWrong;
  double margin = 0;

  int64_t max_per_problem = 0;
  std::string balance;
  double balance_ratio = 1;
  int64_t max_samples = 0;
  std::vector<std::string> split;

  bool Interrupted() const { return interrupted != nullptr && interrupted->load(); }
  // True if anything asked for looks at texts, evidence or columns of the rows.
  bool NeedsTexts() const;
};

const std::vector<std::string>& SelectStrategies();

Options SelectTable(SelectOptions* options);
// For docs, schemas and help.
std::vector<OptionInfo> SelectOptionInfos();

// Errors: kUsage for an unknown strategy and options that do not fit it or one another.
Status CheckSelectOptions(const SelectOptions& options);

// What the data set's `params` keep: every option that is not at its default, and the seed. JSON.
std::string SelectParams(const SelectOptions& options);

// "train=0.9" parted into name and share; shares add up to at most 1, and what is left over has no split.
struct SplitShare {
  std::string name;
  double share = 0;
};
Result<std::vector<SplitShare>> ParseSplits(const std::vector<std::string>& specs);

}  // namespace assay
