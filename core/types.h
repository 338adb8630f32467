// The nouns of the line that everything is on:
//   Problem -> Group{Sample x n} -> Verifier -> Verdict -> Rubric -> Reward -> Advantage -> Trainer
// Plain value types; immutable by convention once built; no locks. They know nothing of files, SQLite,
// sandboxes or tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace assay {

struct Message {
  std::string role;     // "system", "user", "assistant", "tool"
  std::string content;  // its text
  Json
      source{};  // the message as it came where it says more (tool calls, reasoning, parts); else null
};

struct Problem {
  std::string id;
  bool id_is_number = false;  // in the row; results say it as a number again
  std::string task;    // "math", "code", ...: picks the verifier when no rubric does; may be empty
  std::string prompt;  // the prompt's text; for chat, the contents of all messages joined by "\n\n"
  std::vector<Message> messages;  // empty unless the prompt was chat messages
  std::vector<std::string>
      answers;             // reference answers, any of which counts; empty if none was given
  Json verification_info;  // an object (a JSON string in the row was parsed), or null
  Json options;            // the row's "options": {"math": {"mode": "bare"}}, or null
  Json extra;              // every key not understood here, in input order; an object
};

struct Sample {
  std::string text;  // what verifiers read
  Json messages{};   // the chat messages that it came as where they say more than `text`; else null
  // Where several lines make a group: what this one's line says of itself, its `id` and its other keys, if the first line says something
  // else; else null.
  Json line{};
  std::string finish_reason;  // "stop", "length", ...; empty if unknown
  std::string model;          // which model made it; empty if unknown
  std::optional<int64_t> seed;
  std::vector<int64_t> token_ids;  // empty if unknown
  std::vector<double> logprobs;    // as long as token_ids, or empty
  bool truncated() const { return finish_reason == "length"; }
};

// One problem and all of its samples.
struct Group {
  Problem problem;
  std::vector<Sample> samples;
  bool flat = false;  // the row was a flat sample ("completion"), so results are written flat too
};

enum class Outcome : uint8_t {
  kPass,
  kFail,  // wrong, unparseable, over a limit, a broken protocol: whatever the candidate's bytes can bring about
  kAbstain,  // not applicable by routing; the term is skipped
  kFault,    // ours: no worker, no jail, a gold that does not parse; nulls the whole reward
};
const char* OutcomeName(Outcome outcome);  // "pass", "fail", "abstain", "fault"
std::optional<Outcome> OutcomeFromName(std::string_view name);

// What one verifier says of one sample.
struct Verdict {
  Outcome outcome = Outcome::kFault;
  double score = 0;    // in [0, 1] (a user's own: any); 0 unless kPass or (partial scores) kFail
  std::string reason;  // stable, machine-readable ("wrong_value"); see docs/reasons.md
  std::string detail;  // a sentence for people
  Json evidence;       // an object: the extracted answer, the failing test, ...; or null
  double ms = 0;       // what it cost, wall clock, milliseconds

  static Verdict Pass(std::string reason = "ok", double score = 1.0);
  static Verdict Fail(std::string reason, std::string detail = "", double score = 0.0);
  static Verdict Abstain(std::string reason, std::string detail = "");
  static Verdict Fault(std::string reason, std::string detail = "");
};

// The record that `score` prints and the store keeps; `with_ms` false leaves times out.
Json VerdictToJson(const Verdict& verdict, bool with_ms);

// Empty: not scored (a fault of ours, or nothing applied), never 0.
using Reward = std::optional<double>;

struct Advantage {
  double value = 0;
  bool mask = false;  // false: not scored; out of loss, KL and normaliser
};

}  // namespace assay
