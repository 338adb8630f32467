#include "datagen/export/data_card.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

// As a YAML string in double quotes, which JSON's strings are.
std::string Quoted(const std::string& text) { return Json(text).Dump(); }

std::string Cell(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string out;
  for (const char c : text) StrAppend(&out, c == '|' ? "\\|" : std::string(1, c));
  return out;
}

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// What the rows say of licences; "unknown" is said rather than left out.
std::string LicenceLines(const std::map<std::string, int64_t>& licences) {
  std::string out;
  for (const auto& [licence, rows] : licences) {
    StrAppend(&out, "| ", licence.empty() ? "not stated in the rows" : Cell(licence), " | ",
              WithThousands(rows), " |\n");
  }
  return out;
}

std::string YamlHead(const DatasetRecord& dataset, const ExportResult& result) {
  std::string licence = "unknown";
  if (result.licences.size() == 1 && !result.licences.begin()->first.empty())
    licence = result.licences.begin()->first;
  return StrCat("---\nlicense: ", Quoted(licence), "\npretty_name: ", Quoted(dataset.name),
                "\nconfigs:\n- config_name: default\n  data_files: ", Quoted(FileName(result.file)),
                "\n---\n\n");
}

std::string Counts(const DatasetRecord& dataset, const ExportOptions& options,
                   const ExportResult& result) {
  std::string out = StrCat("# ", dataset.name, "\n\n| | |\n|---|---|\n| file | ",
                           Cell(FileName(result.file)), " |\n| form | ", options.format, " |\n");
  StrAppend(&out, "| lines | ", WithThousands(result.lines), " |\n| bytes | ",
            WithThousands(result.bytes), " |\n| SHA-256 | ", result.hash, " |\n");
  if (!options.split.empty()) StrAppend(&out, "| split | ", Cell(options.split), " |\n");
  StrAppend(&out, "| options | `", Cell(options.Params()), "` |\n| written by | assay ",
            options.tool_version, " |\n");
  if (!result.column_names.empty()) {
    std::string names;
    for (const std::string& name : result.column_names)
      StrAppend(&names, names.empty() ? "`" : ", `", Cell(name), "`");
    StrAppend(&out, "| columns | ", names, " |\n");
  }
  return out;
}

std::string Selection(const DatasetRecord& dataset) {
  std::string out = StrCat("\n## How it was chosen\n\nStrategy `", dataset.strategy, "`, options `",
                           dataset.params_json, "`, by assay ", dataset.tool_version,
                           ".\n\n| decision | samples |\n|---|---|\n");
  for (const auto& [decision, samples] : dataset.decisions)
    StrAppend(&out, "| ", Cell(decision), " | ", WithThousands(samples), " |\n");
  return out;
}

// Files, models and rubrics that the samples came from.
Result<std::string> Sources(Store* store, const DatasetRecord& dataset) {
  std::map<std::pair<std::string, std::string>, int64_t> rows;  // run and file
  std::map<std::string, int64_t> models;
  Status status = store->ForEachDatasetRow(dataset.id, false, [&](const DatasetRow& row) -> Status {
    ++rows[{row.run, row.group.key.file}];
    ++models[row.group.samples[0].sample.model];
    return {};
  });
  if (!status.ok()) return status.error();
  Result<std::vector<RunRecord>> runs = store->Runs();
  if (!runs.ok()) return runs.error();
  std::string out = "\n## Where it came from\n\n| run | file | rows |\n|---|---|---|\n";
  for (const auto& [source, count] : rows) {
    StrAppend(&out, "| ", Cell(source.first), " | ", Cell(source.second), " | ",
              WithThousands(count), " |\n");
  }
  StrAppend(&out, "\n| model | rows |\n|---|---|\n");
  for (const auto& [model, count] : models) {
    StrAppend(&out, "| ", model.empty() ? "not stated" : Cell(model), " | ", WithThousands(count),
              " |\n");
  }
  StrAppend(&out, "\n| run | scored by | configuration | rubric |\n|---|---|---|---|\n");
  for (const RunRecord& run : *runs) {
    if (std::find(dataset.runs.begin(), dataset.runs.end(), run.id) == dataset.runs.end()) continue;
    StrAppend(&out, "| ", Cell(run.name), " | assay ", run.tool_version, " | ", run.config_hash,
              " | `", Cell(run.rubric_json), "` |\n");
  }
  return out;
}

bool HasColumn(const ExportResult& result, std::string_view name) {
  return std::find(result.column_names.begin(), result.column_names.end(), name) !=
         result.column_names.end();
}

// An entry of dataset_info.json; of pairs it says that they are.
Json InfoOf(const char* form, const ExportResult& result, Json columns) {
  Json info = Json()
                  .Set("file_name", std::filesystem::path(result.file).filename().string())
                  .Set("formatting", form);
  if (HasColumn(result, "chosen")) {
    info.Set("ranking", true);
    columns.Set("chosen", "chosen").Set("rejected", "rejected");
  }
  return info.Set("columns", std::move(columns));
}

Json ShareGptInfo(const ExportResult& result) {
  Json columns = Json().Set("messages", "conversations").Set("system", "system");
  if (HasColumn(result, "tools")) columns.Set("tools", "tools");
  return InfoOf("sharegpt", result, std::move(columns))
      .Set("tags", Json()
                       .Set("role_tag", "from")
                       .Set("content_tag", "value")
                       .Set("user_tag", "human")
                       .Set("assistant_tag", "gpt")
                       .Set("observation_tag", "observation")
                       .Set("function_tag", "function_call")
                       .Set("system_tag", "system"));
}

Json AlpacaInfo(const ExportResult& result) {
  Json columns = Json().Set("prompt", "instruction").Set("query", "input");
  if (HasColumn(result, "output")) columns.Set("response", "output");
  return InfoOf("alpaca", result, columns.Set("system", "system").Set("history", "history"));
}

// The data set's name; with the split's, or the file's, where another file has that.
std::string NameOfEntry(const ExportOptions& options, const std::string& file, const Json& known) {
  const std::string name =
      options.split.empty() ? options.dataset : StrCat(options.dataset, "-", options.split);
  const Json* other = known.Find(name);
  return other == nullptr || other->StringOr("file_name", "") == file
             ? name
             : std::filesystem::path(file).stem().string();
}

}  // namespace

std::string CardPath(const std::string& output) { return StrCat(output, ".card.md"); }

Result<std::string> DataCard(Store* store, const DatasetRecord& dataset,
                             const ExportOptions& options, const ExportResult& result) {
  Result<std::string> sources = Sources(store, dataset);
  if (!sources.ok()) return sources.error();
  std::string card = StrCat(YamlHead(dataset, result), Counts(dataset, options, result),
                            Selection(dataset), *sources);
  if (!result.licences.empty()) {
    StrAppend(&card,
              "\n## Licences\n\nAs the rows' column `license` says; the licences of models and "
              "prompts are for their user to "
              "check.\n\n| licence | lines |\n|---|---|\n",
              LicenceLines(result.licences));
  }
  return card;
}

Status WriteDatasetInfo(const ExportOptions& options, const ExportResult& result) {
  const std::filesystem::path file(result.file);
  const std::string path = (file.parent_path() / "dataset_info.json").string();
  Json info = Json::MakeObject();
  if (std::filesystem::exists(path)) {
    Result<std::string> text = ReadFile(path);
    if (!text.ok()) return text.error();
    Result<Json> known = ParseJson(*text);
    if (!known.ok() || !known->IsObject()) {
      return Error{ErrorCode::kInput, StrCat("'", path, "' is no JSON object"),
                   "LLaMA-Factory keeps its data sets there; move it away, or export elsewhere"};
    }
    info = std::move(*known);
  }
  const std::string name = file.filename().string();
  info.Set(NameOfEntry(options, name, info),
           options.format == "alpaca" ? AlpacaInfo(result) : ShareGptInfo(result));
  return WriteFileAtomic(path, info.Dump() + "\n");
}

}  // namespace assay
