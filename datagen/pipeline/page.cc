#include "datagen/pipeline/page.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

#include "core/html.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/estimate.h"
#include "datagen/pipeline/plan.h"
#include "datagen/pipeline/state.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

constexpr const char* kReflections[] = {
    "wait",       "let me check", "let me re",   "on second thought",
    "hmm",        "actually,",    "check again", "that is wrong",
    "moment mal", "halt,",        "attends",     "espera",
    "等等",       "等一下",       "不对",        "重新",
    "再检查"};
constexpr size_t kShownBytes = 700;

constexpr const char* kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#667;--line:#d8dce2;--back:#fff;--card:#f6f7f9}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa3af;--line:#3a3f47;--back:#15171a;--card:#1e2125}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:0 auto;max-width:1160px;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}small{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:1rem}
figure{margin:0;background:var(--card);border-radius:8px;padding:.6rem}figcaption{font-weight:600;font-size:.9rem}
svg{width:100%;height:auto}svg text{font-size:10px;fill:var(--soft)}.grid{stroke:var(--line)}polyline{fill:none;stroke-width:1.6}
.c0{stroke:#2a6fbb;--k:#2a6fbb}.c1{stroke:#c8553d;--k:#c8553d}.c2{stroke:#3a8f5c;--k:#3a8f5c}.c3{stroke:#8e5bb0;--k:#8e5bb0}
.c4{stroke:#b8860b;--k:#b8860b}.c5{stroke:#1a9aa0;--k:#1a9aa0}.c6{stroke:#d0538f;--k:#d0538f}.c7{stroke:#6b7280;--k:#6b7280}
.key{font-size:.8rem;white-space:nowrap}.key:before{content:"";display:inline-block;width:.7em;height:.7em;border-radius:50%;background:var(--k);margin-right:.3em}
pre{white-space:pre-wrap;background:var(--card);border-radius:8px;padding:.6rem;margin:.3rem 0;overflow-wrap:anywhere}
.good{color:#2f8f4e}.bad{color:#c8553d}details{margin:.4rem 0}
</style>)";

// One chart: the metric's names, of which the first that a run has is drawn, and what it is called.
struct Chart {
  const char* title;
  const char* metric;
};
constexpr Chart kCharts[] = {{"Held-out pass@1", "eval/pass@1"},
                             {"Reward", "reward"},
                             {"Response length (tokens)", "completions/mean_length"},
                             {"Cut off at the limit", "completions/clipped_ratio"},
                             {"KL to the reference", "kl"},
                             {"Entropy", "entropy"},
                             {"Clipped tokens", "clip_ratio/region_mean"},
                             {"Loss", "loss"},
                             {"Tokens per second", "tokens_per_second"}};

using Metrics = std::map<std::string, std::vector<std::pair<double, double>>>;

Metrics ReadMetrics(const std::string& file) {
  Metrics metrics;
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

// A reply of a training run, for the readers of the page.
struct Reply {
  int64_t step = 0;
  std::string prompt, text;
  bool right = false;
  double reward = 0;
};

struct Run {
  std::string name;
  StageKind kind;
  Metrics metrics;
  std::vector<Reply> by_step;  // the first reply of the first, a middle and the last step
  std::vector<Reply> turns;    // replies that turn round and are right
};

// The step of a key's file, "step-12/batch-96".
int64_t StepOf(const std::string& file) {
  return StartsWith(file, "step-") ? std::strtoll(file.c_str() + 5, nullptr, 10) : 0;
}

void ReadReplies(const std::string& file, Run* run) {
  Result<std::unique_ptr<Store>> store = Store::Open(file, OpenMode::kReadOnly);
  if (!store.ok()) return;
  Result<std::vector<RunRecord>> runs = (*store)->Runs();
  if (!runs.ok() || runs->empty()) return;
  std::map<int64_t, std::pair<double, double>> reflecting;  // by step: samples that do, samples
  std::map<int64_t, Reply> firsts;
  const Status read = (*store)->ForEachGroup(
      runs->front().id, /*with_texts=*/true, [&](const StoredGroup& group) -> Status {
        const int64_t step = StepOf(group.key.file);
        for (const StoredSample& sample : group.samples) {
          Reply reply{step, group.problem.prompt, sample.sample.text, false,
                      sample.score.reward.value_or(0)};
          reply.right =
              !sample.score.verdicts.empty() && sample.score.verdicts[0].outcome == Outcome::kPass;
          const int64_t turns = CountReflections(reply.text);
          reflecting[step].first += turns > 0, reflecting[step].second += 1;
          firsts.emplace(step, reply);
          if (turns > 0 && reply.right && run->turns.size() < 5) run->turns.push_back(reply);
        }
        return {};
      });
  if (!read.ok()) return;
  for (const auto& [step, counts] : reflecting)
    run->metrics["reflections"].emplace_back(static_cast<double>(step),
                                             counts.first / counts.second);
  if (firsts.empty()) return;
  const int64_t last = firsts.rbegin()->first;
  for (int64_t wanted : {int64_t{0}, last / 4, last / 2, last}) {
    const auto at = firsts.lower_bound(wanted);
    if (at != firsts.end() && (run->by_step.empty() || run->by_step.back().step != at->first))
      run->by_step.push_back(at->second);
  }
}

std::vector<Run> ReadRuns(const PipelineRecipe& recipe, const std::string& out) {
  std::vector<Run> runs;
  for (const StageSpec& stage : recipe.stages) {
    const bool trains = stage.kind == StageKind::kSft || stage.kind == StageKind::kGrpo ||
                        stage.kind == StageKind::kDistill;
    if (!trains) continue;
    Run run{stage.name, stage.kind, {}, {}, {}};
    const std::string folder = StrCat(out, "/", stage.name, "/run/");
    run.metrics = ReadMetrics(folder + "metrics.jsonl");
    if (std::filesystem::exists(folder + "samples.sqlite"))
      ReadReplies(folder + "samples.sqlite", &run);
    runs.push_back(std::move(run));
  }
  return runs;
}

std::string ChartOf(const std::string& title, const std::string& metric,
                    const std::vector<Run>& runs, bool rl_only) {
  std::vector<ChartLine> lines;
  for (const Run& run : runs) {
    ChartLine line{run.name, {}};
    const auto found = run.metrics.find(metric);
    if (found != run.metrics.end() && (!rl_only || run.kind == StageKind::kGrpo))
      line.points = found->second;
    lines.push_back(std::move(line));
  }
  return ChartSvg(title, lines);
}

std::string Charts(const std::vector<Run>& runs) {
  std::string html = "<h2>Over the steps</h2><div class=\"charts\">";
  for (const Chart& chart : kCharts) html += ChartOf(chart.title, chart.metric, runs, false);
  std::vector<std::string> terms;
  for (const Run& run : runs) {
    for (const auto& [name, points] : run.metrics) {
      if (StartsWith(name, "rewards/") && EndsWith(name, "/mean") &&
          std::find(terms.begin(), terms.end(), name) == terms.end())
        terms.push_back(name);
    }
  }
  for (const std::string& term : terms)
    html += ChartOf(StrCat("Score of ", term.substr(8, term.size() - 13)), term, runs, true);
  html += ChartOf("Replies that turn round on themselves", "reflections", runs, true);
  return html + "</div>";
}

std::string Percent(double share) { return StrCat(FixedDigits(100 * share, 1), " %"); }

std::string StageTableHtml(const PipelineRecipe& recipe, const std::string& out) {
  std::vector<std::string> terms;
  std::vector<StageState> states;
  for (const StageSpec& stage : recipe.stages) {
    states.push_back(ReadStageState(StrCat(out, "/", stage.name)));
    const Json* figures = states.back().figures.Find("terms");
    if (figures == nullptr || !figures->IsObject()) continue;
    for (const Json::Member& term : *figures->AsObject()) {
      if (std::find(terms.begin(), terms.end(), term.key) == terms.end()) terms.push_back(term.key);
    }
  }
  std::string html =
      "<h2>Stages</h2><div class=\"wide\"><table><tr><th>stage</th><th>kind</th><th>made "
      "from</th><th>time</th>";
  for (const std::string& term : terms) StrAppend(&html, "<th>", EscapeHtml(term), "</th>");
  html += "<th>length (bytes)</th></tr>";
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    const StageSpec& stage = recipe.stages[i];
    std::string from;
    for (size_t need : stage.needs)
      StrAppend(&from, from.empty() ? "" : ", ", recipe.stages[need].name);
    StrAppend(&html, "<tr><td>", EscapeHtml(stage.name), "</td><td>", StageKindName(stage.kind),
              "</td><td>", EscapeHtml(from), "</td><td>",
              states[i].done ? DurationText(states[i].seconds) : "-", "</td>");
    const Json& figures = states[i].figures;
    for (const std::string& term : terms) {
      const Json* all = figures.Find("terms");
      const Json* one = all == nullptr ? nullptr : all->Find(term);
      html += one == nullptr ? "<td></td>"
                             : StrCat("<td>", Percent(one->DoubleOr("share", 0)), " <small>",
                                      Percent(one->DoubleOr("low", 0)), " to ",
                                      Percent(one->DoubleOr("high", 0)), "</small></td>");
    }
    const double length = figures.DoubleOr("mean_bytes", 0);
    StrAppend(&html, "<td>", length > 0 ? FixedDigits(length, 1) : "", "</td></tr>");
  }
  return html +
         "</table></div><p><small>Shares of replies that pass, with Wilson's 95 % "
         "intervals.</small></p>";
}

std::string ReplyHtml(const std::string& head, const Reply& reply) {
  return StrCat("<p><b>", EscapeHtml(head), "</b> <span class=\"",
                reply.right ? "good\">right" : "bad\">wrong", "</span></p><pre>",
                EscapeHtml(Shorten(reply.text, kShownBytes)), "</pre>");
}

// The first problem that all evals share, as the model of each answers it.
std::string SameProblem(const PipelineRecipe& recipe, const std::string& out) {
  std::string html, prompt;
  for (const StageSpec& stage : recipe.stages) {
    if (stage.kind != StageKind::kEval) continue;
    Result<std::unique_ptr<LineReader>> reader =
        LineReader::Open(StrCat(out, "/", stage.name, "/groups.jsonl"));
    if (!reader.ok()) continue;
    LineReader::Line line;
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok() || !*more) continue;
    const Result<Json> json = ParseJson(line.text);
    if (!json.ok()) continue;
    const Json* completions = json->Find("completions");
    if (completions == nullptr || !completions->IsArray() || completions->AsArray()->empty())
      continue;
    if (prompt.empty()) prompt = json->StringOr("prompt", "");
    if (prompt != json->StringOr("prompt", "")) continue;
    StrAppend(
        &html, "<p><b>", EscapeHtml(stage.name), "</b> (", EscapeHtml(stage.model), ")</p><pre>",
        EscapeHtml(Shorten(completions->AsArray()->front().ScalarText(), kShownBytes)), "</pre>");
  }
  if (html.empty()) return "";
  return StrCat("<h2>One problem, stage by stage</h2><pre>", EscapeHtml(prompt), "</pre>", html);
}

std::string Replies(const std::vector<Run>& runs) {
  std::string steps, turns;
  for (const Run& run : runs) {
    if (!run.by_step.empty()) {
      StrAppend(&steps, "<details><summary>", EscapeHtml(run.name), "</summary>");
      for (const Reply& reply : run.by_step)
        steps += ReplyHtml(StrCat("step ", reply.step, ": ", Shorten(reply.prompt, 200)), reply);
      steps += "</details>";
    }
    for (const Reply& reply : run.turns)
      turns += ReplyHtml(StrCat(run.name, ", step ", reply.step, ": ", Shorten(reply.prompt, 200)),
                         reply);
  }
  std::string html;
  if (!steps.empty()) StrAppend(&html, "<h2>Replies as training goes on</h2>", steps);
  if (!turns.empty())
    StrAppend(&html, "<h2>First replies that turn round on themselves and are right</h2>", turns);
  return html;
}

}  // namespace

int64_t CountReflections(std::string_view text) {
  const std::string lower = AsciiLower(text);
  int64_t count = 0;
  for (const char* word : kReflections) {
    for (size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1))
      ++count;
  }
  return count;
}

Result<std::string> PipelinePage(const PipelineRecipe& recipe, const std::string& out) {
  const std::vector<Run> runs = ReadRuns(recipe, out);
  return StrCat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      EscapeHtml(recipe.name), "</title>", kStyle, "</head><body><h1>", EscapeHtml(recipe.name),
      "</h1><p><small>seed ", recipe.seed, "</small></p>", StageTableHtml(recipe, out),
      Charts(runs), SameProblem(recipe, out), Replies(runs), "</body></html>\n");
}

}  // namespace assay
