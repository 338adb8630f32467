#include "datagen/problems/problems.h"

#include <algorithm>

#include "core/hash.h"
#include "core/rng.h"
#include "core/text.h"
#include "datagen/problems/kinds.h"
#include "datagen/problems/solution.h"

namespace assay {
namespace {

struct Kind {
  ProblemKindInfo info;
  DrawnProblem (*draw)(int64_t level, std::string_view language, Rng* rng);
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kKinds = {
      {{"arithmetic",
        "sums with carries, later products, step by step",
        8,
        {"en", "zh", "de", "fr", "es"},
        true},
       DrawArithmetic},
      {{"countdown", "numbers and a target to be made of them", 4, {"en", "zh"}, true},
       DrawCountdown},
      {{"words", "short stories about numbers", 5, {"en", "zh", "de", "fr", "es"}, true},
       DrawWordProblem},
      {{"lists", "programs over lists, with tests", 4, {"en"}, true}, DrawListProgram},
      {{"strings", "programs over texts, with tests", 4, {"en"}, true}, DrawStringProgram},
      {{"units", "units turned into others", 4, {"en", "de"}, true}, DrawUnits},
      {{"logic", "orders, and islanders who lie", 6, {"en"}, false}, DrawLogic},
      {{"tables", "questions about a small table", 4, {"en"}, true}, DrawTable}};
  return kKinds;
}

// One problem in so many is held out.
constexpr uint64_t kHeldOutEvery = 10;

bool IsHeldOut(std::string_view kind, const std::string& content) {
  return HashBytes64(StrCat(kind, "\n", content)) % kHeldOutEvery == 0;
}

const ChoiceNames<SolutionStyle>& StyleNames() {
  static const ChoiceNames<SolutionStyle> kNames = {
      {"none", SolutionStyle::kNone},     {"direct", SolutionStyle::kDirect},
      {"worked", SolutionStyle::kWorked}, {"terse", SolutionStyle::kTerse},
      {"mixed", SolutionStyle::kMixed},   {"natural", SolutionStyle::kNatural}};
  return kNames;
}

Result<std::vector<std::string>> LanguagesOf(const ProblemOptions& options,
                                             const ProblemKindInfo& kind) {
  const std::vector<std::string> known(kind.languages.begin(), kind.languages.end());
  if (options.languages == "all") return known;
  std::vector<std::string> languages;
  for (std::string_view piece : SplitChar(options.languages, ',')) {
    const std::string name(Trim(piece));
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error{ErrorCode::kUsage,
                   StrCat("problems of kind '", kind.name, "' are not written in '", name, "'"),
                   DidYouMean(name, known)};
    languages.push_back(name);
  }
  return languages;
}

Result<std::vector<int64_t>> LevelsOf(const ProblemOptions& options, const ProblemKindInfo& kind) {
  std::vector<int64_t> levels;
  if (options.level == "all") {
    for (int64_t level = 1; level <= kind.levels; ++level) levels.push_back(level);
    return levels;
  }
  for (std::string_view piece : SplitChar(options.level, ',')) {
    const std::string text(Trim(piece));
    const bool digit = text.size() == 1 && text[0] >= '1' && text[0] - '0' <= kind.levels;
    if (!digit)
      return Error{ErrorCode::kUsage,
                   StrCat("problems of kind '", kind.name, "' have no level '", text, "'"),
                   StrCat("levels are 1 to ", kind.levels, ", \"2,3\" or \"all\"")};
    levels.push_back(text[0] - '0');
  }
  return levels;
}

}  // namespace

std::string FillIn(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t close = text[at] == '{' ? text.find('}', at) : std::string_view::npos;
    const std::string_view key =
        close == std::string_view::npos ? "" : text.substr(at + 1, close - at - 1);
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& value) { return value.first == key; });
    if (key.empty() || found == values.end()) {
      out.push_back(text[at++]);
      continue;
    }
    out += found->second;
    at = close + 1;
  }
  return out;
}

const std::vector<ProblemKindInfo>& ProblemKinds() {
  static const std::vector<ProblemKindInfo> kInfos = [] {
    std::vector<ProblemKindInfo> infos;
    for (const Kind& kind : Kinds()) infos.push_back(kind.info);
    return infos;
  }();
  return kInfos;
}

Options ProblemOptionTable(ProblemOptions* options) {
  std::vector<std::string> kinds;
  for (const Kind& kind : Kinds()) kinds.emplace_back(kind.info.name);
  Options table;
  table.Add("kind", &options->kind, "what kind of problems").OneOf(std::move(kinds));
  table.Add("count", &options->count, "how many").Range(1, 1e9);
  table.Add("level", &options->level, "difficulty from 1, in turn: \"2\", \"2,3\", or \"all\"");
  table.Add("languages", &options->languages, "of the prompts, in turn: \"en,zh\", or \"all\"");
  table.Add("split", &options->split, "one problem in ten is held out, by its content")
      .OneOf({"train", "heldout"});
  table.Add(
      "solutions", &options->solutions, StyleNames(),
      "a completion too: the answer alone, worked in sentences, terse, in mixed languages, or "
      "any of these");
  table.Add("form", &options->form, "of solutions: <think>..</think> before the answer, or no tags")
      .OneOf({"think", "none"});
  return table;
}

Result<ProblemSource> ProblemSource::Make(const ProblemOptions& options) {
  ProblemSource source;
  source.options_ = options;
  std::vector<std::string> names;
  for (size_t i = 0; i < Kinds().size(); ++i) {
    names.emplace_back(Kinds()[i].info.name);
    if (names.back() == options.kind) source.kind_ = &ProblemKinds()[i], source.kind_index_ = i;
  }
  if (source.kind_ == nullptr)
    return Error{ErrorCode::kUsage, StrCat("unknown kind of problems '", options.kind, "'"),
                 DidYouMean(options.kind, names)};
  const ProblemKindInfo& kind = *source.kind_;
  if (options.split != "train" && options.split != "heldout")
    return Error{ErrorCode::kUsage, StrCat("unknown split '", options.split, "'"),
                 DidYouMean(options.split, {"train", "heldout"})};
  if (options.solutions != SolutionStyle::kNone && !kind.worked)
    return Error{ErrorCode::kUsage,
                 StrCat("problems of kind '", kind.name, "' come without solutions"), ""};
  Result<std::vector<std::string>> languages = LanguagesOf(options, kind);
  if (!languages.ok()) return languages.error();
  source.languages_ = std::move(*languages);
  Result<std::vector<int64_t>> levels = LevelsOf(options, kind);
  if (!levels.ok()) return levels.error();
  source.levels_ = std::move(*levels);
  return source;
}

Json ProblemSource::Row(int64_t index) const {
  const Kind& kind = Kinds()[kind_index_];
  Rng rng(options_.seed, StrCat("problems ", kind.info.name), static_cast<uint64_t>(index));
  const auto languages = static_cast<int64_t>(languages_.size());
  const std::string& language = languages_[static_cast<size_t>(index % languages)];
  const int64_t level = levels_[static_cast<size_t>(index / languages) % levels_.size()];
  const bool held_out = options_.split == "heldout";
  DrawnProblem problem;
  do {
    problem = kind.draw(level, language, &rng);
  } while (IsHeldOut(kind.info.name, problem.content) != held_out);
  Json row;
  row.Set("id", StrCat(kind.info.name, "-",
                       HashBytes128(StrCat(language, problem.content)).Hex().substr(0, 12)))
      .Set("task", problem.task)
      .Set("kind", kind.info.name)
      .Set("level", level)
      .Set("language", language)
      .Set("split", options_.split)
      .Set("prompt", problem.prompt);
  // What a countdown's numbers make can be written in many ways: its verifier computes, and knows no answer.
  if (problem.verification_info.IsNull()) row.Set("answer", problem.answer);
  if (!problem.verification_info.IsNull()) row.Set("verification_info", problem.verification_info);
  if (!problem.options.IsNull()) row.Set("options", problem.options);
  if (options_.solutions != SolutionStyle::kNone)
    row.Set("completion",
            WriteSolution(problem, language, options_.solutions, options_.form == "think", &rng));
  return row;
}

}  // namespace assay
