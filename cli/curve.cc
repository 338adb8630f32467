#include "cli/curve.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/page.h"

namespace assay {
namespace {

constexpr const char* kUsualKeys[] = {"eval/pass@1", "reward",  "loss",
                                      "kl",          "entropy", "completions/mean_length"};
constexpr size_t kLinesShown = 12;  // of a run's curve
constexpr double kBarWidth = 40;

constexpr char kPageHead[] =
    "<!doctype html><meta charset=\"utf-8\"><title>Training curves</title><style>"
    "body{font:15px system-ui,sans-serif;margin:1rem;color:#222;display:grid;gap:1rem;"
    "grid-template-columns:repeat(auto-fit,minmax(340px,1fr))}figure{margin:0}"
    "figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:10px;fill:#666}"
    ".grid{stroke:#ddd}polyline{fill:none;stroke-width:1.6}.key{color:var(--k);margin-right:.8em}"
    ".c0{stroke:#2a6fbb;--k:#2a6fbb}.c1{stroke:#c8553d;--k:#c8553d}.c2{stroke:#3a8f5c;--k:#3a8f5c}"
    ".c3{stroke:#8e5bb0;--k:#8e5bb0}.c4{stroke:#b58a1e;--k:#b58a1e}.c5{stroke:#4a9fa5;--k:#4a9fa5}"
    ".c6{stroke:#777;--k:#777}.c7{stroke:#d0679d;--k:#d0679d}</style>\n";

struct CurveFlags {
  std::vector<std::string> folders, keys;
};

struct RunCurves {
  std::string name;
  std::map<std::string, std::vector<std::pair<double, double>>> points;  // (step, value) by key
};

Result<RunCurves> ReadRun(const std::string& folder) {
  const std::filesystem::path path(folder);
  RunCurves run;
  run.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open((path / "metrics.jsonl").string());
  if (!reader.ok())
    return Error{reader.error().code, reader.error().message,
                 "name the folder of a run (its --out), in which metrics.jsonl lies"};
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return run;
    const Result<Json> row = ParseJson(line.text);
    if (!row.ok() || !row->IsObject()) continue;  // the last line of a run that is at work
    const double step = row->DoubleOr("step", 0);
    for (const Json::Member& member : *row->AsObject()) {
      if (member.key != "step" && member.value.IsNumber())
        run.points[member.key].emplace_back(step, member.value.NumberOr(0));
    }
  }
}

// The keys asked for, each of which some run has; else the usual ones that are there.
Result<std::vector<std::string>> KeysOf(const CurveFlags& flags,
                                        const std::vector<RunCurves>& runs) {
  std::set<std::string> there;
  for (const RunCurves& run : runs) {
    for (const auto& [key, points] : run.points) there.insert(key);
  }
  std::vector<std::string> keys;
  for (const std::string& key : flags.keys) {
    if (there.count(key) == 0) {
      return Error{ErrorCode::kUsage, StrCat("no run logged '", key, "'"),
                   DidYouMean(key, {there.begin(), there.end()})};
    }
    keys.push_back(key);
  }
  if (!flags.keys.empty()) return keys;
  for (const char* key : kUsualKeys) {
    if (there.count(key) > 0) keys.push_back(key);
  }
  return keys;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%10.4g", value);
  return text;
}

// Some of the points, the last among them, with bars between the key's lowest and highest value.
std::string CurveText(const RunCurves& run, const std::string& key, double low, double high) {
  const auto found = run.points.find(key);
  if (found == run.points.end()) return "";
  const auto& points = found->second;
  const size_t stride = std::max<size_t>(1, (points.size() + kLinesShown - 2) / (kLinesShown - 1));
  std::string text;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i % stride != 0 && i + 1 != points.size()) continue;
    const auto [step, value] = points[i];
    const double share = high > low ? (value - low) / (high - low) : 1;
    const std::string number = StrCat(static_cast<int64_t>(step));
    StrAppend(&text, "  ", run.name, "  step ",
              std::string(number.size() < 6 ? 6 - number.size() : 0, ' '), number, "  ",
              Number(value), "  ",
              std::string(static_cast<size_t>(std::lround(kBarWidth * std::max(0.0, share))), '#'),
              "\n");
  }
  return text;
}

std::string AsText(const std::vector<RunCurves>& runs, const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) {
    double low = 0, high = -INFINITY;  // bars begin at 0 where nothing is below
    for (const RunCurves& run : runs) {
      const auto found = run.points.find(key);
      if (found == run.points.end()) continue;
      for (const auto& [step, value] : found->second)
        low = std::min(low, value), high = std::max(high, value);
    }
    StrAppend(&text, key, "\n");
    for (const RunCurves& run : runs) text += CurveText(run, key, low, high);
  }
  return text;
}

std::string AsJson(const std::vector<RunCurves>& runs, const std::vector<std::string>& keys) {
  std::string lines;
  for (const std::string& key : keys) {
    for (const RunCurves& run : runs) {
      const auto found = run.points.find(key);
      if (found == run.points.end()) continue;
      Json points = Json::MakeArray();
      for (const auto& [step, value] : found->second)
        points.Append(Json(Json::Array{Json(static_cast<int64_t>(step)), Json(value)}));
      StrAppend(&lines,
                Json().Set("run", run.name).Set("key", key).Set("points", std::move(points)).Dump(),
                "\n");
    }
  }
  return lines;
}

std::string AsPage(const std::vector<RunCurves>& runs, const std::vector<std::string>& keys) {
  std::string page = kPageHead;
  for (const std::string& key : keys) {
    std::vector<ChartLine> lines;
    for (const RunCurves& run : runs) {
      const auto found = run.points.find(key);
      if (found != run.points.end()) lines.push_back({run.name, found->second});
    }
    StrAppend(&page, ChartSvg(key, lines), "\n");
  }
  return page;
}

int RunCurve(Context* context, const CurveFlags& flags) {
  std::vector<RunCurves> runs;
  std::vector<std::string> inputs;
  for (const std::string& folder : flags.folders) {
    Result<RunCurves> run = ReadRun(folder);
    if (!run.ok()) return Fail(*context, run.error());
    runs.push_back(std::move(*run));
    inputs.push_back((std::filesystem::path(folder) / "metrics.jsonl").string());
  }
  Result<std::vector<std::string>> keys = KeysOf(flags, runs);
  if (!keys.ok()) return Fail(*context, keys.error());
  if (keys->empty())
    return Fail(*context, {ErrorCode::kInput, "no curve is in these runs",
                           "--key names one of what metrics.jsonl holds"});
  if (Status status = context->CheckOutput(inputs); !status.ok())
    return Fail(*context, status.error());
  if (context->global.json()) return context->Output(AsJson(runs, *keys));
  const bool page = EndsWith(context->global.output, ".html");
  const int code = context->Output(page ? AsPage(runs, *keys) : AsText(runs, *keys));
  if (page && code == kExitOk) Note(*context, "written: " + context->global.output);
  return code;
}

}  // namespace

void AddCurveCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<CurveFlags>();
  CLI::App* command = app->add_subcommand(
      "curve", "What training runs logged over their steps; -o FILE.html draws it");
  command->add_option("DIR", flags->folders, "Folders of runs, shown side by side")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--key", flags->keys,
                   "What of metrics.jsonl (repeatable; default: eval/pass@1, reward, loss, ..)")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("NAME");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunCurve(context, *flags); }; });
}

}  // namespace assay
