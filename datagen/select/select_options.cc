#include "datagen/select/select_options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

Error Usage(std::string message, std::string hint) {
  return {ErrorCode::kUsage, std::move(message), std::move(hint)};
}

// Options that only some strategies know.
struct Belongs {
  const char* option;
  std::vector<std::string> strategies;
};

const std::vector<Belongs>& StrategyOptions() {
  static const std::vector<Belongs> kTable = {
      {"k", {"shortest-correct", "fastest-correct", "top-k", "diverse", "preference"}},
      {"keep_unscored", {"all"}},
      {"keep_failed", {"best-of-n", "top-k", "diverse"}},
      {"vote", {"majority"}},
      {"vote_without_gold", {"majority"}},
      {"min_vote_share", {"majority"}},
      {"top_within", {"top-k"}},
      {"rejected", {"preference"}},
      {"margin", {"preference"}},
      {"length_unit", {"shortest-correct", "best-of-n"}},
  };
  return kTable;
}

std::string Flag(std::string_view option) {
  std::string flag = StrCat("--", option);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) StrAppend(&out, out.empty() ? "" : ", ", name);
  return out;
}

// The options that are not at their defaults.
Json Changed(const SelectOptions& options) {
  SelectOptions copy = options, initial;
  const Json now = SelectTable(&copy).ToJson(), then = SelectTable(&initial).ToJson();
  Json changed = Json::MakeObject();
  for (const Json::Member& member : *now.AsObject()) {
    const Json* before = then.Find(member.key);
    if (before == nullptr || !(*before == member.value)) changed.Set(member.key, member.value);
  }
  return changed;
}

Status CheckFitsStrategy(const SelectOptions& options) {
  const Json changed = Changed(options);
  for (const Belongs& belongs : StrategyOptions()) {
    const std::vector<std::string>& fits = belongs.strategies;
    if (changed.Find(belongs.option) == nullptr ||
        std::find(fits.begin(), fits.end(), options.strategy) != fits.end())
      continue;
    return Usage(StrCat(Flag(belongs.option), " does not go with ", options.strategy),
                 StrCat("it belongs to ", Joined(fits)));
  }
  if (options.strategy == "best-of-n" && (options.max_per_problem != 0 || options.keep_duplicates))
    return Usage("--max-per-problem and --keep-duplicates do not go with best-of-n",
                 "best-of-n keeps one sample a problem; use all-correct or top-k");
  if ((options.strategy == "top-k" || options.strategy == "diverse") && options.k == 0)
    return Usage(StrCat(options.strategy, " needs --k"), "--k 4 keeps four samples a problem");
  if (options.strategy == "pass-rate" && !options.min_pass_rate && !options.max_pass_rate)
    return Usage("pass-rate needs a band", "--min-pass-rate 0.1 --max-pass-rate 0.9");
  return {};
}

Status CheckBounds(const SelectOptions& options) {
  const auto crossed = [](int64_t low, int64_t high) { return high > 0 && low > high; };
  if (crossed(options.min_chars, options.max_chars))
    return Usage("--min-chars is above --max-chars", "no text could be kept");
  if (crossed(options.min_tokens, options.max_tokens))
    return Usage("--min-tokens is above --max-tokens", "no text could be kept");
  if (options.min_reward && options.max_reward && *options.min_reward > *options.max_reward)
    return Usage("--min-reward is above --max-reward", "no sample could be kept");
  if (options.min_pass_rate && options.max_pass_rate &&
      *options.min_pass_rate > *options.max_pass_rate)
    return Usage("--min-pass-rate is above --max-pass-rate", "no problem could be kept");
  if (options.near_bands * options.near_rows > 4096)
    return Usage("--near-bands times --near-rows is above 4096", "14 and 8 is what others use");
  return {};
}

void AddFilters(SelectOptions* o, Options* table) {
  table->Add("min_reward", &o->min_reward,
             "the least reward worth keeping (best-of-n and top-k: default anything above 0)");
  table->Add("max_reward", &o->max_reward, "the greatest reward that is kept");
  table->Add("require", &o->require,
             "what a verdict must be: math=pass, format=pass|abstain, or its score: format>=0.5");
  table->Add("drop_truncated", &o->drop_truncated,
             "leave out replies that were cut off (finish_reason length)");
  table->Add("finish_reason", &o->finish_reason, "only replies that ended so");
  table->Add("min_chars", &o->min_chars, "the least characters of a reply").AtLeast(0);
  table->Add("max_chars", &o->max_chars, "the most characters of a reply, 0 for any").AtLeast(0);
  table->Add("min_tokens", &o->min_tokens, "the least tokens of a reply").AtLeast(0);
  table->Add("max_tokens", &o->max_tokens, "the most tokens of a reply, 0 for any").AtLeast(0);
  table->Add("match", &o->match, "regular expressions (RE2), all of which a reply must contain");
  table->Add("no_match", &o->no_match, "regular expressions (RE2), none of which it may contain");
  table->Add("language", &o->language,
             "the language that a reply must be in, such as en; prompt: that of its prompt");
  table->Add("min_language_share", &o->min_language_share, "how much of the reply must be in it")
      .Range(0, 1);
  table
      ->Add("max_repetition", &o->max_repetition,
            "the greatest share of runs of words that stood in the reply before")
      .Range(0, 1);
  table->Add("repetition_ngram", &o->repetition_ngram, "words of such a run").Range(1, 100);
  table
      ->Add("min_readability", &o->min_readability,
            "the least score of the verifier readability (quarters of 1)")
      .Range(0, 1);
  using Shape = SelectOptions::Shape;
  table->Add("shape", &o->shape,
             {{"any", Shape::kAny}, {"reasoning-summary", Shape::kReasoningSummary}},
             "reasoning-summary: one block of reasoning in think tags and behind it a shorter "
             "summary of three words at least, nothing else");
  table->Add("min_pass_rate", &o->min_pass_rate, "only problems solved at least so often")
      .Range(0, 1);
  table->Add("max_pass_rate", &o->max_pass_rate, "only problems solved at most so often")
      .Range(0, 1);
}

void AddDuplicates(SelectOptions* o, Options* table) {
  using Text = SelectOptions::Text;
  table->Add("keep_duplicates", &o->keep_duplicates, "keep identical texts of one problem");
  table->Add("duplicates_across", &o->duplicates_across,
             "keep identical texts of different problems once, too");
  table->Add("near_duplicates", &o->near_duplicates,
             "of replies that are near each other (MinHash) keep the one with the highest reward");
  table->Add("near_within_problem", &o->near_within_problem, "compare replies to one problem only");
  table->Add("near_ngram", &o->near_ngram, "words of a shingle").Range(1, 100);
  table->Add("near_bands", &o->near_bands, "bands of MinHash").Range(1, 256);
  table->Add("near_rows", &o->near_rows, "rows of a band").Range(1, 256);
  table->Add("near_passes", &o->near_passes, "bandings of one signature").Range(1, 4);
  table->Add("near_similarity", &o->near_similarity, "estimated similarity of a near duplicate")
      .Range(0, 1);
  table->Add("decontaminate", &o->decontaminate,
             "evaluation sets, NAME=FILE, whose runs of words no problem may share");
  table->Add("decontaminate_text", &o->decontaminate_text,
             {{"prompt", Text::kPrompt}, {"completion", Text::kCompletion}, {"both", Text::kBoth}},
             "what is compared with the sets' prompts");
  table->Add("decontaminate_ngram", &o->decontaminate_ngram, "words of such a run").Range(1, 1000);
  table
      ->Add("decontaminate_short_ngram", &o->decontaminate_short_ngram,
            "words of a run for test prompts that are shorter than that")
      .Range(1, 1000);
}

void AddChoices(SelectOptions* o, Options* table) {
  using Unit = SelectOptions::Unit;
  using Vote = SelectOptions::Vote;
  using Within = SelectOptions::Within;
  using Rejected = SelectOptions::Rejected;
  table->Add("length_unit", &o->length_unit, {{"bytes", Unit::kBytes}, {"tokens", Unit::kTokens}},
             "what makes a reply the shorter one");
  table->Add("vote", &o->vote, {{"one", Vote::kOne}, {"reward", Vote::kReward}},
             "majority: what a sample's vote weighs");
  table->Add("vote_without_gold", &o->vote_without_gold,
             "majority: keep the answer with the most votes, right or not");
  table->Add("min_vote_share", &o->min_vote_share, "majority: share of votes that it must have")
      .Range(0, 1);
  table->Add("top_within", &o->top_within, {{"problem", Within::kProblem}, {"all", Within::kAll}},
             "top-k: the best of each problem, or of everything");
  table->Add("rejected", &o->rejected,
             {{"best-wrong", Rejected::kBestWrong},
              {"worst", Rejected::kWorst},
              {"nearest", Rejected::kNearest},
              {"random", Rejected::kRandom}},
             "preference: the wrong reply with the highest reward, the lowest one, the wrong one "
             "nearest to the chosen one, or any lower one");
  table->Add("margin", &o->margin, "preference: by how much the rewards must differ").AtLeast(0);
  table
      ->Add("max_per_problem", &o->max_per_problem,
            "at most so many of one problem, 0 for all; drawn with the seed unless the strategy "
            "ranks")
      .AtLeast(0);
  table->Add("balance", &o->balance,
             "make even: difficulty (by pass rate), task, language, or a column of the rows");
  table
      ->Add("balance_ratio", &o->balance_ratio,
            "how many times the smallest part the others may be")
      .AtLeast(1);
  table->Add("max_samples", &o->max_samples, "at most so many in all, drawn with the seed; 0: all")
      .AtLeast(0);
  table->Add("split", &o->split, "parts by problem: train=0.9 test=0.1");
}

}  // namespace

bool SelectOptions::NeedsTexts() const {
  const bool filters = min_chars > 0 || max_chars > 0 || min_tokens > 0 || max_tokens > 0 ||
                       !match.empty() || !no_match.empty() || !language.empty() || max_repetition ||
                       min_readability || shape != Shape::kAny;
  return filters || near_duplicates || !decontaminate.empty() || strategy == "fastest-correct" ||
         strategy == "majority" || strategy == "diverse" || length_unit == Unit::kTokens ||
         (strategy == "preference" && rejected == Rejected::kNearest) ||
         (!balance.empty() && balance != "difficulty" && balance != "task");
}

const std::vector<std::string>& SelectStrategies() {
  static const std::vector<std::string> kNames = {
      "all",      "all-correct", "best-of-n", "shortest-correct", "fastest-correct",
      "majority", "pass-rate",   "top-k",     "diverse",          "preference"};
  return kNames;
}

Options SelectTable(SelectOptions* o) {
  Options table("option", " of select");
  table.Add("strategy", &o->strategy, "which samples are worth keeping")
      .OneOf(SelectStrategies())
      .Required("\"all-correct\"");
  table
      .Add("k", &o->k,
           "how many of a problem top-k, diverse, shortest- and fastest-correct keep, "
           "and pairs of preference")
      .AtLeast(0);
  table.Add("keep_failed", &o->keep_failed,
            "also samples that do not pass what decides (partial credit)");
  table.Add("keep_unscored", &o->keep_unscored, "all: also samples without a reward");
  AddFilters(o, &table);
  AddDuplicates(o, &table);
  AddChoices(o, &table);
  return table;
}

std::vector<OptionInfo> SelectOptionInfos() {
  SelectOptions options;
  return SelectTable(&options).Infos();
}

Status CheckSelectOptions(const SelectOptions& options) {
  const std::vector<std::string>& known = SelectStrategies();
  if (std::find(known.begin(), known.end(), options.strategy) == known.end()) {
    return Usage(StrCat("unknown strategy '", options.strategy, "'"),
                 DidYouMean(options.strategy, known));
  }
  if (options.runs.empty()) return Usage("no run to select from", "name one with --run NAME");
  if (options.max_per_problem < 0)
    return Usage("--max-per-problem is negative", "give 0 for no limit");
  if (Status status = CheckFitsStrategy(options); !status.ok()) return status;
  if (Result<std::vector<SplitShare>> splits = ParseSplits(options.split); !splits.ok())
    return splits.error();
  return CheckBounds(options);
}

std::string SelectParams(const SelectOptions& options) {
  Json params = Changed(options);
  params.Erase("strategy");
  return params.Set("seed", options.seed).Dump();
}

Result<std::vector<SplitShare>> ParseSplits(const std::vector<std::string>& specs) {
  std::vector<SplitShare> splits;
  double sum = 0;
  for (const std::string& spec : specs) {
    const size_t equals = spec.find('=');
    const std::string share = equals == std::string::npos ? "" : spec.substr(equals + 1);
    char* end = nullptr;
    const double value = std::strtod(share.c_str(), &end);
    if (equals == 0 || share.empty() || *end != '\0' || !(value > 0 && value <= 1))
      return Usage(StrCat("'", spec, "' is no split"), "--split train=0.9 --split test=0.1");
    splits.push_back({spec.substr(0, equals), value});
    sum += value;
  }
  // Shares such as 0.7 + 0.2 + 0.1 add up to a rounding more than 1.
  if (sum > 1 + 1e-9)
    return Usage(StrCat("the splits' shares add up to ", sum), "they add up to 1 at most");
  return splits;
}

}  // namespace assay
