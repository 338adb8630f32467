// What verifiers share that look at nothing but text: reading the row's options over their own, one judgement a sample, its time. Such
// a verifier is a struct of options with its table and one function; MakeTextVerifier makes a Verifier of them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/verifier.h"

namespace assay {

// The part of a reply that answers: what stands behind the last </think>, or all of it where there is none. Empty where reasoning was
// opened and never closed. White space at both ends is taken off.
std::string_view AnswerPart(std::string_view reply);

// Where an answer stands in a reply.
enum class AnswerPlace {
  kAuto,  // the tag, else the box, else the whole answer part
  kPart,  // the whole answer part
  kTag,   // between <answer> and </answer>
  kBox,   // in \boxed{}
  kLine   // the last line of the answer part
};
// A reply's answer, or why there is none: a verdict "no_answer". Two tags or two boxes are none: nobody gets two tries.
struct FoundAnswer {
  std::string_view text;
  std::optional<Verdict> refusal;
};
FoundAnswer FindAnswer(std::string_view reply, AnswerPlace place);
// The option `from`, which names the place.
void AddAnswerPlace(AnswerPlace* place, Options* table);

// `Judge` is a struct with
//   using Settings = ..;                                          copied for a row that has options of its own
//   static Options Table(Settings*);
//   static Status Check(const Settings&);                          what the table cannot say; a row's fault or an error when made
//   Judge(const Settings&, const Problem&);                        made once for each group: reads the gold
//   Verdict operator()(const Sample&) const;                      a fault of the gold is for every sample the same
template <typename Judge>
class TextVerifier : public Verifier {
 public:
  explicit TextVerifier(typename Judge::Settings options) : options_(std::move(options)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    typename Judge::Settings own;
    if (row_options != nullptr) {
      own = options_;
      Status status = Judge::Table(&own).Read(*row_options);
      if (status.ok()) status = Judge::Check(own);
      if (!status.ok()) return BadRowOptions(status.error(), group.samples.size());
    }
    using Clock = std::chrono::steady_clock;
    Clock::time_point start = Clock::now();
    const Judge judge(row_options != nullptr ? own : options_, group.problem);
    std::vector<Verdict> verdicts;
    verdicts.reserve(group.samples.size());
    for (const Sample& sample : group.samples) {
      verdicts.push_back(judge(sample));
      const Clock::time_point end = Clock::now();
      verdicts.back().ms = std::chrono::duration<double, std::milli>(end - start).count();
      start = end;
    }
    return verdicts;
  }

 private:
  typename Judge::Settings options_;
};

template <typename Judge>
Result<std::unique_ptr<Verifier>> MakeTextVerifier(const Json& options, const VerifierEnv&) {
  typename Judge::Settings read;
  if (Status status = Judge::Table(&read).Read(options); !status.ok()) return status.error();
  if (Status status = Judge::Check(read); !status.ok()) return status.error();
  return std::unique_ptr<Verifier>(std::make_unique<TextVerifier<Judge>>(std::move(read)));
}

template <typename Judge>
std::vector<OptionInfo> TextVerifierOptionInfos() {
  typename Judge::Settings defaults;
  return Judge::Table(&defaults).Infos();
}

}  // namespace assay
