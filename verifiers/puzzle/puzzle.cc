#include <memory>
#include <string>

#include "core/text.h"
#include "verifiers/puzzle/puzzles.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

// What reasoning-gym calls these kinds.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"number_sorting", "ordering"}, {"word_sorting", "ordering"}, {"mini_sudoku", "sudoku"},
    {"n_queens", "queens"},         {"graph_color", "coloring"},  {"tower_of_hanoi", "hanoi"},
    {"zebra", "assignment"}};

// `puzzle`: the answer keeps the rules of the row's puzzle.
struct PuzzleJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    std::string kind;
    bool partial = false;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("puzzle");
    AddAnswerPlace(&s->from, &table);
    std::vector<std::string> names = {"row"};
    for (const PuzzleKind& kind : PuzzleKinds()) names.emplace_back(kind.name);
    if (s->kind.empty()) s->kind = "row";
    table
        .Add("kind", &s->kind,
             "which puzzle; row: what the row's `puzzle_kind`, `kind` or "
             "`source_dataset` says")
        .OneOf(names);
    table.Add("partial", &s->partial,
              "kind assignment: a reply that fails scores the share of places that are right");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  PuzzleJudge(const Settings& s, const Problem& problem) : settings(s) {
    for (const Json* object : {&problem.verification_info, &problem.extra}) {
      if (puzzle != nullptr || object->AsObject() == nullptr) continue;
      const Json* inner = object->Find("metadata");
      const Json& row = inner != nullptr && inner->IsObject() ? *inner : *object;
      const std::string name = KindOf(*object, row);
      for (const PuzzleKind& kind : PuzzleKinds()) {
        if (name == kind.name) puzzle = kind.read(row);
      }
    }
  }

  std::string KindOf(const Json& object, const Json& row) const {
    if (settings.kind != "row" && !settings.kind.empty()) return settings.kind;
    std::string_view name;
    for (const Json* one : {&object, &row}) {
      for (const char* key : {"puzzle_kind", "kind", "source_dataset"}) {
        if (name.empty()) name = one->StringOr(key, "");
      }
    }
    for (const auto& [other, own] : kOtherNames) {
      if (name == other) return std::string(own);
    }
    return std::string(name);
  }

  Verdict operator()(const Sample& sample) const {
    if (puzzle == nullptr) {
      return Verdict::Fault("gold_bad_puzzle",
                            "the row names no puzzle that is known, or describes it wrongly");
    }
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    const PuzzleResult result = puzzle->Look(found.text);
    if (result.kind == PuzzleResult::Kind::kSolved) return Verdict::Pass();
    if (result.kind == PuzzleResult::Kind::kUnreadable)
      return Verdict::Fail("unparseable", result.detail);
    return Verdict::Fail("wrong_value", result.detail, settings.partial ? result.share : 0);
  }

  Settings settings;
  std::unique_ptr<Puzzle> puzzle;
};

}  // namespace

std::vector<OptionInfo> PuzzleOptionInfos() { return TextVerifierOptionInfos<PuzzleJudge>(); }
Result<std::unique_ptr<Verifier>> MakePuzzleVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<PuzzleJudge>(options, env);
}

}  // namespace assay
