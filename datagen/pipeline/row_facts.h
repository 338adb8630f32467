// How many rows an input of a stage has and how long they are, before anything has run: files are read, some problems drawn, and what
// stages make of them is reckoned from their options, at most where they leave rows out. Rough by nature. Remembers what it has read; one
// thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "datagen/pipeline/recipe.h"

namespace assay {

struct RowFacts {
  double rows = 0;      // 0: not known
  double problems = 0;  // of groups: how many
  // Of one row, on average.
  double prompt_bytes = 0, reply_bytes = 0;

  // A token is taken as three bytes: words of plain English have four, digits and what is written without spaces fewer.
  double prompt_tokens() const { return prompt_bytes / 3; }
  double reply_tokens() const { return reply_bytes / 3; }
};

class RowReckoner {
 public:
  explicit RowReckoner(const PipelineRecipe& recipe) : recipe_(recipe) {}

  // Of a stage's output, or of a file.
  RowFacts Of(const std::string& name);
  // Of all of them together.
  RowFacts OfAll(const std::vector<std::string>& names);

 private:
  RowFacts Reckon(const std::string& name);
  RowFacts OfStage(const StageSpec& stage);

  const PipelineRecipe& recipe_;
  std::map<std::string, RowFacts, std::less<>> known_;
};

// Of a completion of at most so many tokens about half are written.
constexpr double kWrittenShare = 0.5;

}  // namespace assay
