#include "datagen/pipeline/row_facts.h"

#include <algorithm>
#include <memory>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/problems/problems.h"

namespace assay {
namespace {

// Rows that are looked into; all others are counted.
constexpr int64_t kLookedInto = 256;
// Of larger files only so much is read, and the rest goes by its size.
constexpr double kBytesRead = 32 << 20;

double TextBytes(const Json& value) {
  if (const std::string* text = value.AsString()) return static_cast<double>(text->size());
  double bytes = 0;
  if (const Json::Array* list = value.AsArray()) {
    for (const Json& item : *list) bytes += TextBytes(item);
  } else if (const Json::Object* object = value.AsObject()) {
    for (const Json::Member& member : *object) bytes += TextBytes(member.value);
  }
  return bytes;
}

// Adds a row to sums; its metadata are no text that a model reads.
void AddRow(const Json& row, RowFacts* sums) {
  for (const char* key : {"prompt", "question", "problem", "instruction"}) {
    if (const Json* text = row.Find(key)) sums->prompt_bytes += TextBytes(*text);
  }
  for (const char* key :
       {"completion", "messages", "conversations", "text", "response", "output"}) {
    if (const Json* text = row.Find(key)) sums->reply_bytes += TextBytes(*text);
  }
}

void Average(double looked_into, RowFacts* sums) {
  if (looked_into <= 0) return;
  sums->prompt_bytes /= looked_into;
  sums->reply_bytes /= looked_into;
}

RowFacts OfFile(const std::string& path) {
  RowFacts facts;
  const Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return facts;
  LineReader::Line line;
  double looked_into = 0, bytes = 0;
  while (bytes < kBytesRead) {
    const Result<bool> more = (*reader)->Next(&line);
    if (!more.ok() || !*more) break;
    facts.rows += 1;
    bytes += static_cast<double>(line.text.size()) + 1;
    if (looked_into >= kLookedInto) continue;
    if (const Result<Json> row = ParseJson(line.text); row.ok()) AddRow(*row, &facts);
    looked_into += 1;
  }
  const auto read = static_cast<double>((*reader)->bytes_read());
  const auto total = static_cast<double>((*reader)->bytes_total());
  if (bytes >= kBytesRead && read > 0 && total > read) facts.rows *= total / read;
  Average(looked_into, &facts);
  facts.problems = facts.rows;
  return facts;
}

RowFacts OfProblems(const Json& given) {
  RowFacts facts;
  ProblemOptions options;
  if (!ProblemOptionTable(&options).Read(given).ok()) return facts;
  const Result<ProblemSource> source = ProblemSource::Make(options);
  if (!source.ok()) return facts;
  const int64_t drawn = std::min<int64_t>(options.count, 64);
  for (int64_t i = 0; i < drawn; ++i) AddRow(source->Row(i), &facts);
  Average(static_cast<double>(drawn), &facts);
  facts.rows = facts.problems = static_cast<double>(options.count);
  return facts;
}

// At most so many of one problem.
RowFacts Selected(RowFacts rows, const Json& select) {
  const auto each = static_cast<double>(select.IsObject() ? select.IntOr("max_per_problem", 0) : 0);
  if (each > 0) rows.rows = std::min(rows.rows, rows.problems * each);
  return rows;
}

// What `limit` and `samples` make of problems.
RowFacts Sampled(RowFacts problems, const Json& options) {
  const auto limit = static_cast<double>(options.IntOr("limit", 0));
  if (limit > 0) problems.problems = std::min(problems.rows, limit);
  problems.rows = problems.problems * static_cast<double>(options.IntOr("samples", 1));
  const int64_t most = options.IntOr("max_new_tokens", options.IntOr("max_tokens", 512));
  problems.reply_bytes = 3 * kWrittenShare * static_cast<double>(most > 0 ? most : 512);
  return problems;
}

}  // namespace

RowFacts RowReckoner::OfStage(const StageSpec& stage) {
  if (stage.kind == StageKind::kProblems) return OfProblems(stage.options);
  RowFacts facts = OfAll(stage.data);
  switch (stage.kind) {
    case StageKind::kGenerate:
    case StageKind::kEval:
      return Sampled(facts, stage.options);
    case StageKind::kMix: {
      const auto count = static_cast<double>(stage.options.IntOr("count", 0));
      if (count > 0) facts.rows = std::min(facts.rows, count);
      facts.problems = facts.rows;
      return facts;
    }
    case StageKind::kDistill:
      return Selected(
          Sampled(facts, stage.generate.IsObject() ? stage.generate : Json::MakeObject()),
          stage.select);
    case StageKind::kSelect:
      return Selected(facts, stage.options);
    default:
      return facts;
  }
}

RowFacts RowReckoner::Reckon(const std::string& name) {
  if (const StageSpec* stage = FindStage(recipe_, name)) return OfStage(*stage);
  return OfFile(ResolvePath(recipe_, name));
}

RowFacts RowReckoner::Of(const std::string& name) {
  const auto found = known_.find(name);
  if (found != known_.end()) return found->second;
  return known_[name] = Reckon(name);
}

RowFacts RowReckoner::OfAll(const std::vector<std::string>& names) {
  RowFacts all;
  for (const std::string& name : names) {
    const RowFacts facts = Of(name);
    all.rows += facts.rows;
    all.problems += facts.problems;
    all.prompt_bytes += facts.rows * facts.prompt_bytes;
    all.reply_bytes += facts.rows * facts.reply_bytes;
  }
  Average(all.rows, &all);
  return all;
}

}  // namespace assay
