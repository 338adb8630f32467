// assay agree: how often our rewards agree with labels that the rows carry.
#include <CLI/CLI.hpp>
#include <cmath>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

struct AgreeFlags {
  std::vector<std::string> files;
  std::string labels = "labels";
  double threshold = 0.5;
  int64_t show = 20;
  double fail_under = -1;
};

struct Disagreement {
  std::string file, id;
  int64_t line = 0, sample = 0;
  bool label = false;
  double reward = 0;
  std::string reason;
};

struct Agreement {
  int64_t both_true = 0, both_false = 0, only_ours = 0, only_label = 0, unlabelled = 0,
          not_scored = 0;
  std::vector<Disagreement> disagreements;

  int64_t compared() const { return both_true + both_false + only_ours + only_label; }
  double rate() const {
    return compared() > 0
               ? static_cast<double>(both_true + both_false) / static_cast<double>(compared())
               : 0;
  }
};

// Wilson's score interval at 95 % (Wilson 1927).
std::pair<double, double> Interval(int64_t hits, int64_t total) {
  if (total == 0) return {0, 1};
  const double z = 1.959963984540054, n = static_cast<double>(total),
               p = static_cast<double>(hits) / n;
  const double centre = p + z * z / (2 * n),
               spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // Exact at the ends, where rounding would leave a last bit.
  return {hits == 0 ? 0.0 : (centre - spread) / (1 + z * z / n),
          hits == total ? 1.0 : (centre + spread) / (1 + z * z / n)};
}

// A label as true, false or absent: booleans, numbers (0 is false), "true"/"pass"/"correct"/"right"/"yes" and their opposites.
std::optional<bool> LabelOf(const Json& value) {
  if (const bool* flag = value.AsBool()) return *flag;
  if (value.IsNumber()) return value.NumberOr(0) != 0;
  if (const std::string* text = value.AsString()) {
    const std::string lower = AsciiLower(*text);
    for (const char* word : {"true", "pass", "passed", "correct", "right", "yes", "y", "1"}) {
      if (lower == word) return true;
    }
    for (const char* word : {"false", "fail", "failed", "incorrect", "wrong", "no", "n", "0"}) {
      if (lower == word) return false;
    }
  }
  return std::nullopt;
}

std::string ReasonsOf(const Json* verdicts) {
  std::string out;
  if (verdicts == nullptr || !verdicts->IsObject()) return out;
  for (const Json::Member& member : *verdicts->AsObject()) {
    StrAppend(&out, out.empty() ? "" : ", ", member.key, ": ",
              member.value.StringOr("reason", "?"));
  }
  return out;
}

void Compare(const Json& label, const Json& reward, const Json* verdicts, double threshold,
             Disagreement where, Agreement* out) {
  const std::optional<bool> truth = LabelOf(label);
  if (!truth) {
    ++out->unlabelled;
    return;
  }
  if (!reward.IsNumber()) {
    ++out->not_scored;
    return;
  }
  const bool ours = reward.NumberOr(0) >= threshold;
  ++(*truth ? (ours ? out->both_true : out->only_label)
            : (ours ? out->only_ours : out->both_false));
  if (ours == *truth) return;
  where.label = *truth;
  where.reward = reward.NumberOr(0);
  where.reason = ReasonsOf(verdicts);
  out->disagreements.push_back(std::move(where));
}

// Compares the samples of one scored row; `where` names the row.
Status CompareRow(const Json& row, const AgreeFlags& flags, Disagreement where, Agreement* out) {
  const std::string place = StrCat(where.file, ":", where.line, ": ");
  if (!row.IsObject()) {
    return Error{ErrorCode::kInput, StrCat(place, "the line is no object"),
                 "is this a file that `assay score` wrote?"};
  }
  const Json* labels = row.Find(flags.labels);
  if (labels == nullptr) {
    return Error{
        ErrorCode::kInput, StrCat(place, "no field '", flags.labels, "'"),
        "name the field with --labels; `assay score` passes unknown fields of its input on"};
  }
  if (const Json* id = row.Find("id")) where.id = id->ScalarText();
  const Json *rewards = row.Find("rewards"), *reward = row.Find("reward"),
             *verdicts = row.Find("verdicts");
  if (reward != nullptr) {
    Compare(*labels, *reward, verdicts, flags.threshold, where, out);
    return {};
  }
  const Json::Array* values = rewards != nullptr ? rewards->AsArray() : nullptr;
  if (labels->IsNull() && values != nullptr) {
    out->unlabelled += static_cast<int64_t>(values->size());
    return {};
  }
  const Json::Array* list = labels->AsArray();
  if (list == nullptr || values == nullptr || list->size() != values->size()) {
    return Error{ErrorCode::kInput, StrCat(place, "'", flags.labels, "' does not fit the rewards"),
                 "it must be as long as 'rewards'; is this a file that `assay score` wrote?"};
  }
  const Json::Array* each = verdicts != nullptr ? verdicts->AsArray() : nullptr;
  for (size_t i = 0; i < list->size(); ++i) {
    where.sample = static_cast<int64_t>(i);
    Compare((*list)[i], (*values)[i], each != nullptr && i < each->size() ? &(*each)[i] : nullptr,
            flags.threshold, where, out);
  }
  return {};
}

Status CompareFile(const std::string& file, const AgreeFlags& flags, Agreement* out) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    if (!row.ok())
      return Error{ErrorCode::kInput, StrCat(file, ":", line.number, ": ", row.error().message),
                   row.error().hint};
    if (row->Find("error") != nullptr) continue;
    Disagreement where;
    where.file = file;
    where.line = line.number;
    if (Status status = CompareRow(*row, flags, where, out); !status.ok()) return status;
  }
}

Json ToJson(const Agreement& result) {
  const auto [low, high] = Interval(result.both_true + result.both_false, result.compared());
  Json list = Json::MakeArray();
  for (const Disagreement& item : result.disagreements) {
    list.Append(Json()
                    .Set("file", item.file)
                    .Set("line", item.line)
                    .Set("id", item.id)
                    .Set("sample", item.sample)
                    .Set("label", item.label)
                    .Set("reward", item.reward)
                    .Set("reason", item.reason));
  }
  return Json()
      .Set("compared", result.compared())
      .Set("agreement", result.rate())
      .Set("interval95", Json().Append(low).Append(high))
      .Set("confusion", Json()
                            .Set("pass_true", result.both_true)
                            .Set("pass_false", result.only_ours)
                            .Set("fail_true", result.only_label)
                            .Set("fail_false", result.both_false))
      .Set("unlabelled", result.unlabelled)
      .Set("not_scored", result.not_scored)
      .Set("disagreements", std::move(list));
}

std::string ToText(const Agreement& result, int64_t show) {
  const auto [low, high] = Interval(result.both_true + result.both_false, result.compared());
  const auto cell = [](int64_t value) {
    std::string text = WithThousands(value);
    return std::string(text.size() < 12 ? 12 - text.size() : 0, ' ') + text;
  };
  std::string out = StrCat("agreement ", FixedDigits(100 * result.rate(), 3), " % of ",
                           WithThousands(result.compared()), " samples (95 % interval ",
                           FixedDigits(100 * low, 3), " to ", FixedDigits(100 * high, 3), ")\n\n");
  StrAppend(&out, "                label true label false\n");
  StrAppend(&out, "we pass       ", cell(result.both_true), cell(result.only_ours), "\n");
  StrAppend(&out, "we fail       ", cell(result.only_label), cell(result.both_false), "\n");
  if (result.unlabelled > 0)
    StrAppend(&out, "without a label: ", WithThousands(result.unlabelled), "\n");
  if (result.not_scored > 0)
    StrAppend(&out, "not scored: ", WithThousands(result.not_scored), "\n");
  if (!result.disagreements.empty()) StrAppend(&out, "\ndisagreements:\n");
  int64_t shown = 0;
  for (const Disagreement& item : result.disagreements) {
    if (++shown > show) {
      StrAppend(&out, "  and ",
                WithThousands(static_cast<int64_t>(result.disagreements.size()) - show),
                " more (--show N)\n");
      break;
    }
    StrAppend(&out, "  ", item.file, ":", item.line, " ", item.id, " sample ", item.sample,
              ": label ", item.label, ", reward ", item.reward, " (", item.reason, ")\n");
  }
  return out;
}

int RunAgree(Context* context, const AgreeFlags& flags) {
  if (Status status = context->CheckOutput(flags.files); !status.ok())
    return Fail(*context, status.error());
  Agreement result;
  for (const std::string& file : flags.files) {
    Status status = CompareFile(file, flags, &result);
    if (!status.ok()) return Fail(*context, status.error());
  }
  if (result.compared() == 0) {
    return Fail(*context,
                {ErrorCode::kInput, "nothing to compare: no sample has both a label and a reward",
                 "check --labels and the files"});
  }
  const int code =
      context->Output(context->global.json() ? ToJson(result).Dump() : ToText(result, flags.show));
  if (code != kExitOk) return code;
  return flags.fail_under >= 0 && result.rate() < flags.fail_under ? kExitGate : kExitOk;
}

}  // namespace

void AddAgreeCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<AgreeFlags>();
  CLI::App* command = app->add_subcommand(
      "agree", "Compare scored files with labels: confusion matrix, interval, disagreements");
  command->add_option("SCORED", flags->files, "Files that `assay score` wrote")->required();
  command->add_option("--labels", flags->labels, "Field with the labels, one for each completion")
      ->capture_default_str();
  command->add_option("--threshold", flags->threshold, "A reward from here on counts as passed")
      ->capture_default_str();
  command->add_option("--show", flags->show, "How many disagreements to list")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--fail-under", flags->fail_under, "Exit 1 if the agreement is below this share")
      ->check(CLI::Range(0.0, 1.0));
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunAgree(context, *flags); }; });
}

}  // namespace assay
