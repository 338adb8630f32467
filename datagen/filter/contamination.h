// Contamination: does a text share a run of words with an evaluation set? An index over the sets' prompts, made once; Find() is safe
// from many threads. Words are what white space parts, in small letters (HashSpacedWords). Not a judge of paraphrases.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay {

struct ContaminationSettings {
  int ngram = 13;  // words in a row that must not be shared
  // Of test texts of fewer words than `ngram`, so many in a row; shorter ones still count where a whole text is the same (letters and
  // digits alone are compared).
  int short_ngram = 8;
};

struct ContaminationHit {
  std::string set;   // the evaluation set's name
  std::string row;   // the id of the test row, or its line
  int ngram = 0;     // 0: the whole text is the same
  std::string gram;  // as it stands in the text that was looked at

  std::string ToText() const;
};

class ContaminationIndex {
 public:
  // `sets`: "NAME=FILE" or FILE (its name without folder and endings is the set's). Any file that `assay score` reads the problems of.
  // Errors: kUsage for a name given twice, kIo, kInput for a file without a single prompt.
  static Result<std::unique_ptr<ContaminationIndex>> Load(const std::vector<std::string>& sets,
                                                          const ContaminationSettings& settings);
  ~ContaminationIndex();

  // The first run of words in `text` that any test row has.
  std::optional<ContaminationHit> Find(std::string_view text) const;

  int64_t rows() const;  // test rows
  int64_t runs() const;  // distinct runs of words

 private:
  ContaminationIndex();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
