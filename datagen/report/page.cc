#include "datagen/report/page.h"

#include <string_view>
#include <utility>

#include "core/html.h"
#include "core/text.h"
#include "datagen/report/page_data.h"
#include "datagen/report/page_text.h"
#include "datagen/report/stats.h"

namespace assay {
namespace {

// JSON inside of a script element: no `<` can end the element or begin a comment.
std::string Embedded(const Json& data) {
  std::string out;
  for (const char c : data.Dump()) c == '<' ? out.append("\\u003c") : out.append(1, c);
  return out;
}

// Replaces the one place where `mark` stands.
void Fill(std::string_view mark, std::string_view text, std::string* page) {
  const size_t at = page->find(mark);
  if (at != std::string::npos) page->replace(at, mark.size(), text);
}

Result<std::vector<RunRecord>> ChosenRuns(Store* store, const PageOptions& options) {
  if (options.runs.empty()) return store->Runs();
  std::vector<RunRecord> runs;
  for (const std::string& name : options.runs) {
    Result<RunRecord> run = store->FindRun(name);
    if (!run.ok()) return run.error();
    runs.push_back(std::move(*run));
  }
  return runs;
}

Result<std::vector<DatasetRecord>> ChosenDatasets(Store* store, const PageOptions& options) {
  if (options.datasets.empty()) return store->Datasets();
  std::vector<DatasetRecord> datasets;
  for (const std::string& name : options.datasets) {
    Result<DatasetRecord> dataset = store->FindDataset(name);
    if (!dataset.ok()) return dataset.error();
    datasets.push_back(std::move(*dataset));
  }
  return datasets;
}

Result<Json> Collect(Store* store, const PageOptions& options) {
  Result<std::vector<RunRecord>> runs = ChosenRuns(store, options);
  if (!runs.ok()) return runs.error();
  Result<std::vector<DatasetRecord>> datasets = ChosenDatasets(store, options);
  if (!datasets.ok()) return datasets.error();
  Json run_list = Json::MakeArray(), dataset_list = Json::MakeArray();
  for (const RunRecord& run : *runs) {
    Result<RunStats> stats = StatsOfRun(store, run.name);
    if (!stats.ok()) return stats.error();
    Result<Json> details = RunDetails(store, run);
    if (!details.ok()) return details.error();
    run_list.Append(stats->ToJson().Set("details", std::move(*details)));
  }
  for (const DatasetRecord& dataset : *datasets) {
    Result<DatasetStats> stats = StatsOfDataset(store, dataset.name);
    if (!stats.ok()) return stats.error();
    Result<Json> details = DatasetDetails(store, dataset);
    if (!details.ok()) return details.error();
    dataset_list.Append(stats->ToJson().Set("details", std::move(*details)));
  }
  Result<Json> samples = DrawnSamples(store, *runs, *datasets, options);
  if (!samples.ok()) return samples.error();
  return Json()
      .Set("title", options.title)
      .Set("tool_version", options.tool_version)
      .Set("runs", std::move(run_list))
      .Set("datasets", std::move(dataset_list))
      .Set("samples", std::move(*samples));
}

}  // namespace

Result<Json> PageData(Store* store, const PageOptions& options) {
  Json data;
  Status status = store->WithSnapshot([&]() -> Status {
    Result<Json> collected = Collect(store, options);
    if (!collected.ok()) return collected.error();
    data = std::move(*collected);
    return {};
  });
  if (!status.ok()) return status.error();
  return data;
}

Result<std::string> ReportPage(Store* store, const PageOptions& options) {
  Result<Json> data = PageData(store, options);
  if (!data.ok()) return data.error();
  std::string html = page::kHtml;
  Fill("/*style*/", page::kStyle, &html);
  Fill("<!--title-->", EscapeHtml(options.title), &html);
  Fill("/*chart.js*/", chart_js::kChartScript, &html);
  Fill("/*script*/", page::kScript, &html);
  Fill("/*data*/", Embedded(*data), &html);
  return html;
}

}  // namespace assay
