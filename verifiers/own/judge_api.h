// What a judge at an endpoint is asked, and what its answer says: an OpenAI-style chat model with a template and a pattern for the score,
// a reward model behind vLLM's /pooling, or plain JSON. Pure; thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "verifiers/own/sample_json.h"

namespace assay::own {

enum class JudgeKind { kChat, kPooling, kJson };

struct JudgeSettings {
  std::string url;
  JudgeKind api = JudgeKind::kChat;
  std::string model;
  std::string system;  // chat: the system message; empty: none
  std::string
      judge_template;  // chat: the user message, with {prompt}, {completion}, {answer} and the row's columns
  std::string score_pattern;  // chat: RE2 with one group; its last match in the answer is the score
  double score_min = 0, score_max = 10;
  bool answer_only = false;  // what stands before </think> is not shown
  Json request;              // further keys of the request
};

// The address that is posted to.
std::string JudgeUrl(const JudgeSettings& settings);

// The template that is used where none is given.
extern const char kJudgeTemplate[];
extern const char kScorePattern[];

// Errors: kUsage for a pattern or template that cannot be used.
Status CheckJudge(const JudgeSettings& settings);

// The body of one request. Chat and pooling take one sample, JSON any number.
std::string JudgeRequest(const JudgeSettings& settings, const std::vector<SampleRef>& samples);

// What an answer says of one sample.
struct Judgement {
  enum class Kind { kScore, kNone, kNonsense };
  Kind kind = Kind::kNonsense;
  double score = 0;  // within [0, 1]
  Json evidence;     // what the judge said, shortened
};
// Empty: the answer is not of the agreed form for `count` samples.
std::optional<std::vector<Judgement>> ReadJudgements(const JudgeSettings& settings,
                                                     std::string_view body, size_t count);

}  // namespace assay::own
