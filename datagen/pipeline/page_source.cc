#include "datagen/pipeline/page_source.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/page.h"
#include "datagen/pipeline/state.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTurns = 5;
constexpr size_t kOverviewBytesMax = size_t{64} << 20;

PageMetrics ReadMetrics(const std::string& file) {
  PageMetrics metrics;
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return metrics;
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok() || !*more) return metrics;
    const Result<Json> json = ParseJson(line.text);
    if (!json.ok() || !json->IsObject()) continue;
    const double step = json->DoubleOr("step", 0);
    for (const Json::Member& member : *json->AsObject()) {
      if (member.value.IsNumber()) metrics[member.key].emplace_back(step, member.value.NumberOr(0));
    }
  }
}

// The step of a key's file, "step-12/batch-96", or of a file's name.
int64_t StepOf(const std::string& file) {
  return StartsWith(file, "step-") ? std::strtoll(file.c_str() + 5, nullptr, 10) : 0;
}

// What a sample store is read for, by step.
struct StepTallies {
  struct Of {
    double reflecting = 0, samples = 0;
    std::map<int64_t, std::pair<double, double>> tokens;  // by level: their sum, samples
  };
  std::map<int64_t, Of> steps;
  std::map<int64_t, PageReply> firsts;

  void Add(const StoredGroup& group, PageRun* run) {
    const int64_t step = StepOf(group.key.file);
    Of& of = steps[step];
    const int64_t level = group.problem.extra.IntOr("level", 0);
    for (const StoredSample& sample : group.samples) {
      const auto& verdicts = sample.score.verdicts;
      PageReply reply{step, group.problem.prompt, sample.sample.text,
                      !verdicts.empty() && verdicts[0].outcome == Outcome::kPass,
                      sample.score.reward.value_or(0)};
      const bool turns = CountReflections(reply.text) > 0;
      of.reflecting += turns, of.samples += 1;
      auto& [tokens, samples] = of.tokens[level];
      tokens += static_cast<double>(sample.sample.token_ids.size()), samples += 1;
      firsts.emplace(step, reply);
      if (turns && reply.right && run->turns.size() < kTurns) run->turns.push_back(reply);
    }
  }
};

// Tokens of the replies to the hardest problems, where problems have levels and samples their tokens.
void AddHardest(const StepTallies& tallies, PageMetrics* metrics) {
  int64_t hardest = 0, easiest = INT64_MAX;
  for (const auto& [step, of] : tallies.steps) {
    if (of.tokens.empty()) continue;
    hardest = std::max(hardest, of.tokens.rbegin()->first);
    easiest = std::min(easiest, of.tokens.begin()->first);
  }
  if (hardest == easiest || hardest == 0) return;
  for (const auto& [step, of] : tallies.steps) {
    const auto found = of.tokens.find(hardest);
    if (found == of.tokens.end() || found->second.first == 0) continue;
    (*metrics)["length/hardest"].emplace_back(static_cast<double>(step),
                                              found->second.first / found->second.second);
  }
}

void ReadReplies(const std::string& file, PageRun* run) {
  Result<std::unique_ptr<Store>> store = Store::Open(file, OpenMode::kReadOnly);
  if (!store.ok()) return;
  Result<std::vector<RunRecord>> runs = (*store)->Runs();
  if (!runs.ok() || runs->empty()) return;
  StepTallies tallies;
  const Status read = (*store)->ForEachGroup(runs->front().id, /*with_texts=*/true,
                                             [&](const StoredGroup& group) -> Status {
                                               tallies.Add(group, run);
                                               return {};
                                             });
  if (!read.ok() || tallies.firsts.empty()) return;
  for (const auto& [step, of] : tallies.steps) {
    if (of.samples > 0)
      run->metrics["reflections"].emplace_back(static_cast<double>(step),
                                               of.reflecting / of.samples);
  }
  AddHardest(tallies, &run->metrics);
  const int64_t last = tallies.firsts.rbegin()->first;
  for (int64_t wanted : {int64_t{0}, last / 4, last / 2, last}) {
    const auto at = tallies.firsts.lower_bound(wanted);
    if (at != tallies.firsts.end() &&
        (run->by_step.empty() || run->by_step.back().step != at->first))
      run->by_step.push_back(at->second);
  }
}

// DIR/evals/step-N.jsonl: groups with `passed` and `rewards`, of each the first completion.
std::vector<PageEvaluation> ReadEvaluations(const std::string& folder) {
  std::vector<PageEvaluation> evaluations;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.path().extension() != ".jsonl") continue;
    PageEvaluation evaluation{StepOf(entry.path().filename().string()), {}};
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(entry.path().string());
    if (!reader.ok()) continue;
    LineReader::Line line;
    for (Result<bool> more = (*reader)->Next(&line); more.ok() && *more;
         more = (*reader)->Next(&line)) {
      const Result<Json> json = ParseJson(line.text);
      if (!json.ok()) continue;
      const auto first = [&](const char* key) -> Json {
        const Json* list = json->Find(key);
        const bool any = list != nullptr && list->IsArray() && !list->AsArray()->empty();
        return any ? list->AsArray()->front() : Json();
      };
      const Json passed = first("passed");
      evaluation.answers.push_back({evaluation.step, std::string(json->StringOr("prompt", "")),
                                    first("completions").ScalarText(),
                                    passed.AsBool() != nullptr && *passed.AsBool(),
                                    first("rewards").NumberOr(0)});
    }
    evaluations.push_back(std::move(evaluation));
  }
  std::sort(evaluations.begin(), evaluations.end(),
            [](const PageEvaluation& a, const PageEvaluation& b) { return a.step < b.step; });
  return evaluations;
}

PageRun ReadRun(const std::string& name, bool rl, const std::string& folder) {
  PageRun run;
  run.name = name;
  run.rl = rl;
  run.metrics = ReadMetrics(folder + "/metrics.jsonl");
  run.evaluations = ReadEvaluations(folder + "/evals");
  if (fs::exists(folder + "/samples.sqlite")) ReadReplies(folder + "/samples.sqlite", &run);
  return run;
}

std::vector<std::string> Names(const Json* list) {
  std::vector<std::string> names;
  if (list == nullptr || !list->IsArray()) return names;
  for (const Json& name : *list->AsArray()) names.push_back(name.ScalarText());
  return names;
}

PageStage StageOf(const Json& json, const std::string& folder) {
  PageStage stage;
  stage.name = json.StringOr("name", "");
  stage.kind = json.StringOr("kind", "");
  stage.model = json.StringOr("model", "");
  stage.needs = Names(json.Find("needs"));
  stage.data = Names(json.Find("data"));
  const fs::path output = std::string(json.StringOr("output", ""));
  stage.output = (output.is_absolute() ? output : fs::path(folder) / output).string();
  const std::string own = StrCat(folder, "/", stage.name);
  const StageState state = ReadStageState(own);
  stage.done = state.done;
  stage.begun = fs::exists(own + "/begun");
  stage.seconds = state.seconds;
  stage.figures = state.figures;
  return stage;
}

Result<PageSource> ReadPipeline(const std::string& folder, const std::string& overview) {
  Result<std::string> text = ReadFile(overview, kOverviewBytesMax);
  if (!text.ok()) return text.error();
  const Result<Json> json = ParseJson(*text);
  if (!json.ok()) return json.error();
  PageSource source;
  source.title = json->StringOr("recipe", "");
  source.folder = folder;
  source.note = StrCat("seed ", json->IntOr("seed", 0));
  source.finished = true;
  const Json* stages = json->Find("stages");
  if (stages == nullptr || !stages->IsArray()) return source;
  for (const Json& one : *stages->AsArray()) {
    source.stages.push_back(StageOf(one, folder));
    const PageStage& stage = source.stages.back();
    source.finished = source.finished && stage.done;
    if (stage.kind == "sft" || stage.kind == "grpo" || stage.kind == "distill")
      source.runs.push_back(
          ReadRun(stage.name, stage.kind == "grpo", StrCat(folder, "/", stage.name, "/run")));
  }
  return source;
}

}  // namespace

Result<PageSource> ReadPageSource(const std::string& folder) {
  const std::string overview = folder + "/stages.json", metrics = folder + "/metrics.jsonl";
  if (fs::exists(overview)) return ReadPipeline(folder, overview);
  if (!fs::exists(metrics))
    return Error{ErrorCode::kInput,
                 StrCat("'", folder, "' has neither stages.json nor metrics.jsonl"),
                 "the --out of `assay pipeline`, `assay grpo` or `assay sft`"};
  PageSource source;
  source.folder = folder;
  source.title = fs::absolute(folder).lexically_normal().filename().string();
  if (source.title.empty())
    source.title = fs::absolute(folder).lexically_normal().parent_path().filename().string();
  source.runs.push_back(ReadRun(source.title, true, folder));
  source.finished = fs::exists(folder + "/model");
  return source;
}

Json PageSourceJson(const PageSource& source) {
  Json stages = Json::MakeArray();
  for (const PageStage& stage : source.stages) {
    Json needs = Json::MakeArray();
    for (const std::string& name : stage.needs) needs.Append(name);
    stages.Append(Json()
                      .Set("name", stage.name)
                      .Set("kind", stage.kind)
                      .Set("model", stage.model)
                      .Set("needs", std::move(needs))
                      .Set("output", stage.output)
                      .Set("begun", stage.begun)
                      .Set("done", stage.done)
                      .Set("seconds", stage.seconds)
                      .Set("figures", stage.figures));
  }
  Json runs = Json::MakeArray();
  for (const PageRun& run : source.runs) {
    Json metrics = Json::MakeObject();
    for (const auto& [name, points] : run.metrics) {
      Json list = Json::MakeArray();
      for (const auto& [step, value] : points) list.Append(Json().Append(step).Append(value));
      metrics.Set(name, std::move(list));
    }
    runs.Append(Json().Set("name", run.name).Set("metrics", std::move(metrics)));
  }
  return Json()
      .Set("title", source.title)
      .Set("folder", source.folder)
      .Set("finished", source.finished)
      .Set("stages", std::move(stages))
      .Set("runs", std::move(runs));
}

}  // namespace assay
