// SampleFilter: what a selection asks of one sample alone: its verdicts and reward, and its text. Immutable once made; safe from many
// threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/filter/contamination.h"
#include "datagen/filter/minhash.h"
#include "datagen/select/correctness.h"
#include "datagen/select/pool.h"
#include "datagen/select/select_options.h"
#include "datagen/store/store.h"

namespace assay {

// A sample's text, or a problem's prompt, on its way to a thread that looks at it.
struct TextJob {
  uint32_t place = 0;  // in the pool: of the sample, or of the problem
  std::string text;
  std::string prompt;         // where the reply's language must be its prompt's
  bool check_prompt = false;  // only the prompt is looked at

  // What came out.
  Reason reason = Reason::kKept;
  std::string detail;
  std::string prompt_hit, text_hit;  // contamination
  std::vector<uint16_t> signature;   // empty: none wanted, or no words
};

class SampleFilter {
 public:
  // Errors: kUsage for patterns and requirements that cannot be read; as ContaminationIndex::Load.
  static Result<std::unique_ptr<SampleFilter>> Make(const SelectOptions& options);
  ~SampleFilter();

  // By verdicts, reward and how the reply ended. `right`: it passes what decides.
  Reason CheckScore(const StoredGroup& group, const StoredSample& sample, const Deciders& deciders,
                    bool right) const;
  // By the counts of tokens and characters, which `group` has.
  Reason CheckLength(const StoredGroup& group, const StoredSample& sample) const;
  // Patterns, language, repetition, contamination, signature.
  void LookAtText(TextJob* job) const;

  bool wants_signatures() const;
  bool wants_prompts() const;
  const MinHashSettings& minhash() const;

 private:
  SampleFilter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Tokens of a stored sample: of its ids, else what the row's `token_counts` say; empty if unknown.
std::optional<int64_t> TokensOf(const StoredGroup& group, const StoredSample& sample);

}  // namespace assay
