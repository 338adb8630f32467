#include "datagen/pipeline/page.h"

#include <algorithm>

#include "core/html.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/estimate.h"

namespace assay {
namespace {

constexpr const char* kReflections[] = {
    "wait",       "let me check", "let me re",   "on second thought",
    "hmm",        "actually,",    "check again", "that is wrong",
    "moment mal", "halt,",        "attends",     "espera",
    "等等",       "等一下",       "不对",        "重新",
    "再检查"};
constexpr size_t kShownBytes = 700;
constexpr size_t kShownEvaluations = 8;

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

std::string ChartOf(const std::string& title, const std::string& metric,
                    const std::vector<PageRun>& runs, bool rl_only) {
  std::vector<ChartLine> lines;
  for (const PageRun& run : runs) {
    ChartLine line{run.name, {}};
    const auto found = run.metrics.find(metric);
    if (found != run.metrics.end() && (!rl_only || run.rl)) line.points = found->second;
    lines.push_back(std::move(line));
  }
  return ChartSvg(title, lines);
}

std::string Charts(const std::vector<PageRun>& runs) {
  std::string html;
  for (const Chart& chart : kCharts) html += ChartOf(chart.title, chart.metric, runs, false);
  std::vector<std::string> terms;
  for (const PageRun& run : runs) {
    for (const auto& [name, points] : run.metrics) {
      if (StartsWith(name, "rewards/") && EndsWith(name, "/mean") &&
          std::find(terms.begin(), terms.end(), name) == terms.end())
        terms.push_back(name);
    }
  }
  for (const std::string& term : terms)
    html += ChartOf(StrCat("Score of ", term.substr(8, term.size() - 13)), term, runs, true);
  html += ChartOf("Length on the hardest problems (tokens)", "length/hardest", runs, true);
  html += ChartOf("Replies that turn round on themselves", "reflections", runs, true);
  if (html.empty()) return "";
  return StrCat("<h2>Over the steps</h2><div class=\"charts\">", html, "</div>");
}

std::string Percent(double share) { return StrCat(FixedDigits(100 * share, 1), " %"); }

std::vector<std::string> TermsOf(const std::vector<PageStage>& stages) {
  std::vector<std::string> terms;
  for (const PageStage& stage : stages) {
    const Json* figures = stage.figures.Find("terms");
    if (figures == nullptr || !figures->IsObject()) continue;
    for (const Json::Member& term : *figures->AsObject()) {
      if (std::find(terms.begin(), terms.end(), term.key) == terms.end()) terms.push_back(term.key);
    }
  }
  return terms;
}

// The stages, the model and the files that a stage was made from.
std::string MadeFrom(const PageStage& stage) {
  std::vector<std::string> names = stage.needs;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  };
  add(stage.model);
  for (const std::string& data : stage.data) {
    const bool is_stage = std::find(names.begin(), names.end(), data) != names.end();
    if (!is_stage) add(data.substr(data.rfind('/') + 1));
  }
  std::string from;
  for (const std::string& name : names) StrAppend(&from, from.empty() ? "" : ", ", name);
  return from;
}

std::string StageTableHtml(const std::vector<PageStage>& stages) {
  if (stages.empty()) return "";
  const std::vector<std::string> terms = TermsOf(stages);
  std::string html =
      "<h2>Stages</h2><div class=\"wide\"><table><tr><th>stage</th><th>kind</th><th>made "
      "from</th><th>time</th>";
  for (const std::string& term : terms) StrAppend(&html, "<th>", EscapeHtml(term), "</th>");
  if (!terms.empty()) html += "<th>tokens</th>";
  html += "</tr>";
  for (const PageStage& stage : stages) {
    StrAppend(&html, "<tr><td>", EscapeHtml(stage.name), "</td><td>", EscapeHtml(stage.kind),
              "</td><td>", EscapeHtml(MadeFrom(stage)), "</td><td>",
              stage.done ? DurationText(stage.seconds) : (stage.begun ? "begun" : "-"), "</td>");
    for (const std::string& term : terms) {
      const Json* all = stage.figures.Find("terms");
      const Json* one = all == nullptr ? nullptr : all->Find(term);
      html += one == nullptr ? "<td></td>"
                             : StrCat("<td>", Percent(one->DoubleOr("share", 0)), " <small>",
                                      Percent(one->DoubleOr("low", 0)), " to ",
                                      Percent(one->DoubleOr("high", 0)), "</small></td>");
    }
    const double length = stage.figures.DoubleOr("mean_tokens", 0);
    if (!terms.empty()) StrAppend(&html, "<td>", length > 0 ? FixedDigits(length, 1) : "", "</td>");
    html += "</tr>";
  }
  if (terms.empty()) return html + "</table></div>";
  return html +
         "</table></div><p><small>Shares of replies that pass, with Wilson's 95 % "
         "intervals; the mean of their tokens.</small></p>";
}

// `good` and `bad`: what a reply is called.
std::string ReplyHtml(const std::string& head, const PageReply& reply, const char* good = "right",
                      const char* bad = "wrong") {
  return StrCat("<p><b>", EscapeHtml(head), "</b> <span class=\"",
                reply.right ? StrCat("good\">", good) : StrCat("bad\">", bad), "</span></p><pre>",
                EscapeHtml(Shorten(reply.text, kShownBytes)), "</pre>");
}

// The first problem that all evals share, as the model of each answers it.
std::string SameProblem(const PageSource& source) {
  std::string html, prompt;
  for (const PageStage& stage : source.stages) {
    if (stage.kind != "eval") continue;
    Result<std::unique_ptr<LineReader>> reader =
        LineReader::Open(StrCat(source.folder, "/", stage.name, "/groups.jsonl"));
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

// Of the problems whose answers are kept: first one that was wrong at the beginning and is right at the end, else the first.
size_t ProblemToShow(const std::vector<PageEvaluation>& evaluations) {
  const std::vector<PageReply>& first = evaluations.front().answers;
  const std::vector<PageReply>& last = evaluations.back().answers;
  for (size_t i = 0; i < std::min(first.size(), last.size()); ++i) {
    if (!first[i].right && last[i].right) return i;
  }
  return 0;
}

// How each run answers the same held-out problem from evaluation to evaluation.
std::string OverEvaluations(const std::vector<PageRun>& runs) {
  std::string html;
  for (const PageRun& run : runs) {
    if (run.evaluations.empty() || run.evaluations.front().answers.empty()) continue;
    const size_t shown = ProblemToShow(run.evaluations);
    const PageReply& asked = run.evaluations.front().answers[shown];
    StrAppend(&html, "<details id=\"held-out-", EscapeHtml(run.name), "\"",
              html.empty() ? " open" : "", "><summary>", EscapeHtml(run.name), "</summary><pre>",
              EscapeHtml(Shorten(asked.prompt, kShownBytes)), "</pre>");
    const size_t count = run.evaluations.size();
    const size_t stride = (count + kShownEvaluations - 1) / kShownEvaluations;
    for (size_t i = 0; i < count; ++i) {
      const PageEvaluation& evaluation = run.evaluations[i];
      // The last one is always there.
      if ((i % stride != 0 && i + 1 < count) || shown >= evaluation.answers.size()) continue;
      html +=
          ReplyHtml(StrCat("step ", evaluation.step), evaluation.answers[shown], "passes", "fails");
    }
    html += "</details>";
  }
  if (html.empty()) return "";
  return "<h2>The same held-out problem over the steps</h2>" + html;
}

std::string Replies(const std::vector<PageRun>& runs) {
  std::string steps, turns;
  for (const PageRun& run : runs) {
    if (!run.by_step.empty()) {
      StrAppend(&steps, "<details id=\"replies-", EscapeHtml(run.name), "\"><summary>",
                EscapeHtml(run.name), "</summary>");
      for (const PageReply& reply : run.by_step)
        steps += ReplyHtml(StrCat("step ", reply.step, ": ", Shorten(reply.prompt, 200)), reply);
      steps += "</details>";
    }
    for (const PageReply& reply : run.turns)
      turns += ReplyHtml(StrCat(run.name, ", step ", reply.step, ": ", Shorten(reply.prompt, 200)),
                         reply);
  }
  std::string html;
  if (!steps.empty()) StrAppend(&html, "<h2>Replies in training</h2>", steps);
  if (!turns.empty())
    StrAppend(&html, "<h2>First replies that turn round on themselves and are right</h2>", turns);
  return html;
}

// Loads the page anew, unless a text is being selected; what is open stays open.
std::string RefreshScript(double seconds) {
  return StrCat(R"(<script>
const parts=()=>[...document.querySelectorAll("details[id]")];
try{for(const [id,open] of JSON.parse(sessionStorage.assayOpen||"[]")){const part=document.getElementById(id);if(part)part.open=open}}catch{}
setInterval(()=>{if(String(getSelection()))return;try{sessionStorage.assayOpen=JSON.stringify(parts().map(p=>[p.id,p.open]))}catch{}location.reload()},)",
                static_cast<int64_t>(seconds * 1000), ")</script>");
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

std::string PipelinePage(const PageSource& source, double refresh_s) {
  std::string note = source.note;
  if (refresh_s > 0) StrAppend(&note, note.empty() ? "" : "; ", "live");
  return StrCat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      EscapeHtml(source.title), "</title>", kStyle, "</head><body><h1>", EscapeHtml(source.title),
      "</h1><p><small>", EscapeHtml(note), "</small></p>", StageTableHtml(source.stages),
      Charts(source.runs), OverEvaluations(source.runs), SameProblem(source), Replies(source.runs),
      RowOrigins(source), refresh_s > 0 ? RefreshScript(refresh_s) : "", "</body></html>\n");
}

}  // namespace assay
