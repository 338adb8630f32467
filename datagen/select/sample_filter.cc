#include "datagen/select/sample_filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/reasoning.h"
#include "core/text.h"
#include "datagen/filter/word_hashes.h"
#include "verifiers/verifier.h"
#include "verifiers/words.h"

namespace assay {
namespace {

// One `--require`: a verdict's outcomes, or its least or greatest score.
struct Requirement {
  std::string label;
  std::vector<Outcome> outcomes;  // empty: the score counts
  double lowest = 0, highest = 1;

  // A term that the run does not have, or that is a fault, is never what it should be.
  bool Holds(const std::vector<std::string>& labels, const std::vector<Verdict>& verdicts) const {
    const auto found = std::find(labels.begin(), labels.end(), label);
    const auto place = static_cast<size_t>(found - labels.begin());
    if (found == labels.end() || place >= verdicts.size()) return false;
    const Verdict& verdict = verdicts[place];
    if (!outcomes.empty())
      return std::find(outcomes.begin(), outcomes.end(), verdict.outcome) != outcomes.end();
    return verdict.outcome != Outcome::kFault && verdict.outcome != Outcome::kAbstain &&
           verdict.score >= lowest && verdict.score <= highest;
  }
};

Error BadRequirement(const std::string& text) {
  return {ErrorCode::kUsage, StrCat("'", text, "' says nothing of a verdict"),
          "--require math=pass, format=pass|abstain, format>=0.5 or length<=0.9"};
}

Result<Requirement> ParseRequirement(const std::string& text) {
  Requirement out;
  const size_t bound = text.find_first_of("<>");
  if (bound != std::string::npos && bound > 0 && bound + 1 < text.size() &&
      text[bound + 1] == '=') {
    out.label = text.substr(0, bound);
    char* end = nullptr;
    const double value = std::strtod(text.c_str() + bound + 2, &end);
    if (*end != '\0' || end == text.c_str() + bound + 2) return BadRequirement(text);
    (text[bound] == '>' ? out.lowest : out.highest) = value;
    return out;
  }
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return BadRequirement(text);
  out.label = text.substr(0, equals);
  const std::string names = text.substr(equals + 1);
  for (const std::string_view name : SplitChar(names, '|')) {
    const std::optional<Outcome> outcome = OutcomeFromName(name);
    if (!outcome) return BadRequirement(text);
    out.outcomes.push_back(*outcome);
  }
  return out;
}

Status AddPatterns(const std::vector<std::string>& sources,
                   std::vector<std::unique_ptr<RE2>>* patterns) {
  for (const std::string& source : sources) {
    RE2::Options options;
    options.set_log_errors(false);
    patterns->push_back(std::make_unique<RE2>(source, options));
    if (!patterns->back()->ok()) {
      return Error{ErrorCode::kUsage,
                   StrCat("pattern '", source, "' cannot be read: ", patterns->back()->error()),
                   "patterns are RE2's; (?s) lets . match line ends, (?i) ignores case"};
    }
  }
  return {};
}

// Why a reply is not one block of reasoning and a summary of it; empty: it is.
std::string WhyNoSummary(std::string_view reply) {
  constexpr size_t kWordsLeast = 3;
  const std::optional<ReasonedReply> parts = SplitReasoning(reply);
  if (!parts) return "no single block of reasoning";
  const size_t reasoning = WordsOf(parts->reasoning).size();
  const size_t summary = WordsOf(parts->summary).size();
  if (summary < kWordsLeast) return "no summary";
  return summary < reasoning ? "" : "the summary is longer than the reasoning";
}

}  // namespace

struct SampleFilter::Impl {
  SelectOptions options;
  std::vector<Requirement> requirements;
  std::vector<std::unique_ptr<RE2>> match, no_match;
  std::unique_ptr<Verifier> language, readability;
  std::unique_ptr<ContaminationIndex> contamination;
  MinHashSettings minhash;
  std::optional<MinHasher> hasher;

  Status Prepare();
  Status PrepareLanguage();
  bool SpeaksLanguage(const TextJob& job) const;
};

Status SampleFilter::Impl::Prepare() {
  for (const std::string& text : options.require) {
    Result<Requirement> requirement = ParseRequirement(text);
    if (!requirement.ok()) return requirement.error();
    requirements.push_back(std::move(*requirement));
  }
  if (Status status = AddPatterns(options.match, &match); !status.ok()) return status;
  if (Status status = AddPatterns(options.no_match, &no_match); !status.ok()) return status;
  if (Status status = PrepareLanguage(); !status.ok()) return status;
  if (options.min_readability) {
    Result<std::unique_ptr<Verifier>> made = MakeVerifier("readability", Json(), VerifierEnv{});
    if (!made.ok()) return made.error();
    readability = std::move(*made);
  }
  minhash = {static_cast<int>(options.near_ngram), static_cast<int>(options.near_bands),
             static_cast<int>(options.near_rows), static_cast<int>(options.near_passes),
             options.near_similarity};
  const bool distances =
      options.strategy == "diverse" ||
      (options.strategy == "preference" && options.rejected == SelectOptions::Rejected::kNearest);
  if (options.near_duplicates || distances) hasher.emplace(minhash);
  if (options.decontaminate.empty()) return {};
  Result<std::unique_ptr<ContaminationIndex>> index = ContaminationIndex::Load(
      options.decontaminate, {static_cast<int>(options.decontaminate_ngram),
                              static_cast<int>(options.decontaminate_short_ngram)});
  if (!index.ok()) return index.error();
  contamination = std::move(*index);
  return {};
}

Status SampleFilter::Impl::PrepareLanguage() {
  if (options.language.empty()) return {};
  Json settings = Json().Set("part", "all");
  if (options.language != "prompt") settings.Set("language", options.language);
  Result<std::unique_ptr<Verifier>> made = MakeVerifier("language", settings, VerifierEnv{});
  if (!made.ok()) return made.error();
  language = std::move(*made);
  return {};
}

bool SampleFilter::Impl::SpeaksLanguage(const TextJob& job) const {
  Group group;
  group.problem.prompt = job.prompt;
  group.samples.emplace_back().text = job.text;
  const std::vector<Verdict> verdicts = language->Verify(group, nullptr);
  // Nothing to tell a language from (a bare formula) is no other language.
  return verdicts[0].outcome == Outcome::kAbstain ||
         verdicts[0].score >= options.min_language_share;
}

SampleFilter::SampleFilter() : impl_(std::make_unique<Impl>()) {}
SampleFilter::~SampleFilter() = default;

Result<std::unique_ptr<SampleFilter>> SampleFilter::Make(const SelectOptions& options) {
  std::unique_ptr<SampleFilter> filter(new SampleFilter());
  filter->impl_->options = options;
  if (Status status = filter->impl_->Prepare(); !status.ok()) return status.error();
  return filter;
}

Reason SampleFilter::CheckScore(const StoredGroup& group, const StoredSample& sample,
                                const Deciders& deciders, bool right) const {
  const SelectOptions& options = impl_->options;
  const std::string& strategy = options.strategy;
  const SampleScore& score = sample.score;
  if (!score.reward && !options.keep_unscored) return Reason::kNotScored;
  if (options.drop_truncated && sample.sample.truncated()) return Reason::kTruncated;
  if (!options.finish_reason.empty() &&
      std::find(options.finish_reason.begin(), options.finish_reason.end(),
                sample.sample.finish_reason) == options.finish_reason.end())
    return Reason::kFinishReason;
  if (strategy == "all-correct" && !deciders.Correct(group.labels, score))
    return deciders.Fails(group.labels, score) ? Reason::kFailed : Reason::kAbstained;
  const bool wants_right = strategy == "best-of-n" || strategy == "top-k" ||
                           strategy == "diverse" || strategy == "shortest-correct" ||
                           strategy == "fastest-correct";
  if (wants_right && !options.keep_failed && !right) return Reason::kFailed;
  const bool wants_reward = strategy == "best-of-n" || strategy == "top-k";
  if (score.reward) {
    const bool enough = options.min_reward ? *score.reward >= *options.min_reward
                                           : !wants_reward || *score.reward > 0;
    if (!enough) return Reason::kRewardTooLow;
    if (options.max_reward && *score.reward > *options.max_reward) return Reason::kRewardTooHigh;
  }
  for (const Requirement& requirement : impl_->requirements) {
    if (!requirement.Holds(group.labels, score.verdicts)) return Reason::kVerdict;
  }
  return Reason::kKept;
}

Reason SampleFilter::CheckLength(const StoredGroup& group, const StoredSample& sample) const {
  const SelectOptions& options = impl_->options;
  if (options.min_chars > 0 || options.max_chars > 0) {
    const int64_t characters = CharactersOf(sample.sample.text);
    if (characters < options.min_chars) return Reason::kTooShort;
    if (options.max_chars > 0 && characters > options.max_chars) return Reason::kTooLong;
  }
  const bool counts_tokens = options.min_tokens > 0 || options.max_tokens > 0 ||
                             options.length_unit == SelectOptions::Unit::kTokens;
  if (!counts_tokens) return Reason::kKept;
  const std::optional<int64_t> tokens = TokensOf(group, sample);
  if (!tokens) return Reason::kNoTokenCount;
  if (*tokens < options.min_tokens) return Reason::kTooShort;
  if (options.max_tokens > 0 && *tokens > options.max_tokens) return Reason::kTooLong;
  return Reason::kKept;
}

void SampleFilter::LookAtText(TextJob* job) const {
  const SelectOptions& options = impl_->options;
  const auto drop = [job](Reason reason, std::string detail) {
    job->reason = reason;
    job->detail = std::move(detail);
  };
  if (job->check_prompt) {
    if (const auto hit = impl_->contamination->Find(job->prompt)) job->prompt_hit = hit->ToText();
    return;
  }
  for (const auto& pattern : impl_->match) {
    if (!RE2::PartialMatch(job->text, *pattern)) return drop(Reason::kNoMatch, pattern->pattern());
  }
  for (const auto& pattern : impl_->no_match) {
    if (RE2::PartialMatch(job->text, *pattern))
      return drop(Reason::kForbiddenMatch, pattern->pattern());
  }
  if (impl_->language != nullptr && !impl_->SpeaksLanguage(*job))
    return drop(Reason::kLanguage, "");
  if (options.max_repetition) {
    const double share = RepeatedShare(job->text, static_cast<int>(options.repetition_ngram));
    if (share > *options.max_repetition) return drop(Reason::kRepetition, FixedDigits(share, 3));
  }
  if (impl_->readability != nullptr) {
    Group group;
    group.samples.emplace_back().text = job->text;
    const Verdict verdict = impl_->readability->Verify(group, nullptr)[0];
    if (verdict.score < *options.min_readability) return drop(Reason::kReadability, verdict.detail);
  }
  if (options.shape == SelectOptions::Shape::kReasoningSummary) {
    if (std::string wrong = WhyNoSummary(job->text); !wrong.empty())
      return drop(Reason::kShape, std::move(wrong));
  }
  if (impl_->contamination != nullptr &&
      options.decontaminate_text != SelectOptions::Text::kPrompt) {
    if (const auto hit = impl_->contamination->Find(job->text)) job->text_hit = hit->ToText();
  }
  if (impl_->hasher) {
    job->signature.resize(static_cast<size_t>(impl_->minhash.size()));
    if (!impl_->hasher->Sign(job->text, job->signature.data())) job->signature.clear();
  }
}

bool SampleFilter::wants_signatures() const { return impl_->hasher.has_value(); }
bool SampleFilter::wants_prompts() const {
  return impl_->contamination != nullptr &&
         impl_->options.decontaminate_text != SelectOptions::Text::kCompletion;
}
const MinHashSettings& SampleFilter::minhash() const { return impl_->minhash; }

std::optional<int64_t> TokensOf(const StoredGroup& group, const StoredSample& sample) {
  if (!sample.sample.token_ids.empty()) return static_cast<int64_t>(sample.sample.token_ids.size());
  for (const Json* columns : {&sample.sample.line, &group.problem.extra}) {
    const Json* counts = columns->Find("token_counts");
    if (counts == nullptr) counts = columns->Find("token_count");
    if (counts == nullptr) continue;
    if (counts->IsInt()) return *counts->AsInt();
    const Json::Array* list = counts->AsArray();
    if (list != nullptr && sample.index < static_cast<int64_t>(list->size())) {
      const Json& count = (*list)[static_cast<size_t>(sample.index)];
      if (count.IsInt()) return *count.AsInt();
    }
  }
  return std::nullopt;
}

}  // namespace assay
