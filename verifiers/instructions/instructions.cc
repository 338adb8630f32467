#include <array>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/instructions/constraint.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

enum class Mode { kStrict, kLoose };

constexpr size_t kConstraintsMax = 100;  // of one row
constexpr int64_t kTurnsMax = 20;

// Where a row's constraints stand: their names and, in the same order, their parameters.
struct RowConstraints {
  const Json* ids = nullptr;
  const Json* parameters = nullptr;
  Json held_ids, held_parameters;  // where the row holds them as JSON text
};

// `instructions`: does a reply follow the constraints that its row names?
struct InstructionsJudge {
  struct Settings {
    Mode mode = Mode::kStrict;
    bool partial = false;
    int64_t turn = 0;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("instructions");
    table.Add("mode", &s->mode,
              ChoiceNames<Mode>{{"strict", Mode::kStrict}, {"loose", Mode::kLoose}},
              "strict: the reply as it is; loose: also without its first or last line and without "
              "stars");
    table.Add("partial", &s->partial,
              "a reply that fails scores the share of constraints that it "
              "follows");
    table
        .Add("turn", &s->turn,
             "of a row with turns (turn_1_instruction_id_list), the turn that was answered; 0: "
             "the last one")
        .Range(0, static_cast<double>(kTurnsMax));
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  InstructionsJudge(const Settings& s, const Problem& problem) : settings(s) {
    if (!Find(problem, &row)) {
      complaint = "the row has no instruction_id_list";
      return;
    }
    const Json::Array* ids = row.ids->AsArray();
    if (ids == nullptr || ids->empty() || ids->size() > kConstraintsMax) {
      complaint = "instruction_id_list is no list of names";
      return;
    }
    parameters.resize(ids->size(), Json::MakeObject());
    for (size_t i = 0; i < ids->size() && complaint.empty(); ++i) Add(problem, (*ids)[i], i);
  }

  void Add(const Problem& problem, const Json& id, size_t i) {
    const std::string name = id.AsString() == nullptr ? "" : *id.AsString();
    const ConstraintKind* kind = FindConstraint(name);
    if (kind == nullptr) {
      complaint = StrCat("unknown constraint '", Shorten(name, 80),
                         "': ", DidYouMean(name, ConstraintNames()));
      return;
    }
    if (!ReadParameters(i)) {
      complaint = StrCat("the kwargs of ", name, " are no object");
      return;
    }
    // The published rows leave it out where it is the prompt itself.
    const bool repeats =
        std::string_view(kind->parameters).find("prompt_to_repeat") != std::string_view::npos;
    if (repeats && parameters[i].StringOr("prompt_to_repeat", "").empty())
      parameters[i].Set("prompt_to_repeat", problem.prompt);
    const std::string wrong = ConstraintParameters(parameters[i]).Complaint(kind->parameters);
    if (!wrong.empty()) complaint = StrCat("the kwargs of ", name, ": ", wrong);
    kinds.push_back(kind);
  }

  // One constraint's parameters: an object, or one as JSON text; null is none.
  bool ReadParameters(size_t i) {
    const Json::Array* all = row.parameters == nullptr ? nullptr : row.parameters->AsArray();
    if (all == nullptr || i >= all->size() || (*all)[i].IsNull()) return true;
    Json one = (*all)[i];
    if (one.AsString() != nullptr) {
      Result<Json> read = ParseJson(*one.AsString());
      if (!read.ok()) return false;
      one = std::move(*read);
    }
    if (one.IsNull()) return true;
    if (!one.IsObject()) return false;
    parameters[i] = std::move(one);
    return true;
  }

  bool Find(const Problem& problem, RowConstraints* out) const {
    for (const Json* object : {&problem.verification_info, &problem.extra}) {
      if (settings.turn == 0 && Take(*object, "instruction_id_list", "kwargs", out)) return true;
      if (settings.turn == 0 && Take(*object, "instruction_id", "kwargs", out)) return true;
      for (int64_t turn = settings.turn == 0 ? kTurnsMax : settings.turn; turn > 0; --turn) {
        if (Take(*object, StrCat("turn_", turn, "_instruction_id_list"),
                 StrCat("turn_", turn, "_kwargs"), out))
          return true;
        if (settings.turn != 0) break;
      }
    }
    return FindInAnswer(problem, out);
  }

  // IF-RLVR keeps them as text in its ground truth: [{"instruction_id": [..], "kwargs": [..]}].
  static bool FindInAnswer(const Problem& problem, RowConstraints* out) {
    if (problem.answers.empty()) return false;
    Result<Json> read = ParseJson(problem.answers[0]);
    if (!read.ok()) return false;
    const Json* object = &*read;
    if (object->AsArray() != nullptr && !object->AsArray()->empty())
      object = &(*object->AsArray())[0];
    for (const char* name : {"instruction_id_list", "instruction_id"}) {
      if (!Take(*object, name, "kwargs", out)) continue;
      out->held_ids = *out->ids;  // `read` goes
      out->ids = &out->held_ids;
      if (out->parameters != nullptr) {
        out->held_parameters = *out->parameters;
        out->parameters = &out->held_parameters;
      }
      return true;
    }
    return false;
  }

  static bool Take(const Json& object, std::string_view ids, std::string_view kwargs,
                   RowConstraints* out) {
    const Json* found = object.Find(ids);
    if (found == nullptr || found->IsNull()) return false;
    out->ids = Opened(found, &out->held_ids);
    const Json* parameters = object.Find(kwargs);
    out->parameters = parameters == nullptr ? nullptr : Opened(parameters, &out->held_parameters);
    return true;
  }

  // What JSON text holds, or the value itself.
  static const Json* Opened(const Json* value, Json* held) {
    if (value->AsString() == nullptr) return value;
    Result<Json> read = ParseJson(*value->AsString());
    if (!read.ok()) return value;
    *held = std::move(*read);
    return held;
  }

  Verdict operator()(const Sample& sample) const {
    if (!complaint.empty()) return Verdict::Fault("gold_bad_instructions", complaint);
    const std::string_view reply = AnswerPart(sample.text);
    if (reply.empty()) return Verdict::Fail("no_answer", "there is no answer part");
    const std::vector<std::string> variants =
        settings.mode == Mode::kLoose ? Loosened(reply) : std::vector<std::string>();
    const ReplyText strict(reply);
    size_t followed = 0;
    std::string first_missed;
    Json list = Json::MakeArray();
    for (size_t i = 0; i < kinds.size(); ++i) {
      const bool ok = Follows(*kinds[i], ConstraintParameters(parameters[i]), strict, variants);
      if (ok) ++followed;
      if (!ok && first_missed.empty()) first_missed = kinds[i]->id;
      list.Append(Json().Set("id", kinds[i]->id).Set("followed", ok));
    }
    const double share = static_cast<double>(followed) / static_cast<double>(kinds.size());
    Verdict verdict =
        followed == kinds.size()
            ? Verdict::Pass()
            : Verdict::Fail("not_followed",
                            StrCat(kinds.size() - followed, " of ", kinds.size(),
                                   " constraints are not followed, first ", first_missed),
                            settings.partial ? share : 0);
    verdict.evidence = Json().Set("instructions", std::move(list));
    return verdict;
  }

  static bool Follows(const ConstraintKind& kind, const ConstraintParameters& given,
                      const ReplyText& strict, const std::vector<std::string>& variants) {
    if (kind.follows(strict, given)) return true;
    for (const std::string& variant : variants) {
      if (!Trim(variant).empty() && kind.follows(ReplyText(variant), given)) return true;
    }
    return false;
  }

  // IFEval's loose accuracy (2311.07911, section 2.3): without the first line, the last, both, and each of these without stars.
  static std::vector<std::string> Loosened(std::string_view reply) {
    const size_t first = std::min(reply.find('\n'), reply.size());
    const size_t last = reply.rfind('\n');
    const std::string_view no_first = reply.substr(std::min(first + 1, reply.size()));
    const std::string_view no_last = last == std::string_view::npos ? "" : reply.substr(0, last);
    const std::string_view neither = last == std::string_view::npos || last <= first
                                         ? ""
                                         : reply.substr(first + 1, last - first - 1);
    std::vector<std::string> variants;
    for (std::string_view one : {reply, no_first, no_last, neither}) {
      one = Trim(one);
      std::string bare;
      for (char c : one) {
        if (c != '*') bare.push_back(c);
      }
      if (one.size() != reply.size()) variants.emplace_back(one);
      if (bare.size() != one.size()) variants.push_back(std::move(bare));
    }
    return variants;
  }

  Settings settings;
  RowConstraints row;
  std::vector<const ConstraintKind*> kinds;
  std::vector<Json> parameters;
  std::string complaint;
};

}  // namespace

std::vector<OptionInfo> InstructionsOptionInfos() {
  return TextVerifierOptionInfos<InstructionsJudge>();
}
Result<std::unique_ptr<Verifier>> MakeInstructionsVerifier(const Json& options,
                                                           const VerifierEnv& env) {
  return MakeTextVerifier<InstructionsJudge>(options, env);
}

}  // namespace assay
