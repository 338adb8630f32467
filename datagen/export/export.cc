#include "datagen/export/export.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <system_error>
#include <utility>

#include "core/byte_source.h"
#include "core/jsonl.h"
#include "core/parquet.h"
#include "core/rng.h"
#include "core/sha256.h"
#include "core/text.h"
#include "datagen/export/data_card.h"
#include "datagen/export/export_form.h"
#include "datagen/export/whole_file.h"

namespace assay {
namespace {

constexpr const ExportForm* kForms[] = {&kTrlSftForm,
                                        &kTrlPromptCompletionForm,
                                        &kTrlConversationalForm,
                                        &kTrlTextForm,
                                        &kTrlPromptOnlyForm,
                                        &kTrlPreferenceForm,
                                        &kTrlUnpairedForm,
                                        &kVerlRlForm,
                                        &kVerlSftForm,
                                        &kOpenAiChatForm,
                                        &kShareGptExport,
                                        &kAlpacaExport,
                                        &kCsvForm,
                                        &kGroupLineForm};

bool IsParquet(const std::string& path) { return EndsWith(path, ".parquet"); }

Status CheckTemplate(const ExportOptions& options) {
  const std::string& form = options.reply_template;
  if (form.empty()) return {};
  if (options.strip_reasoning) {
    return Error{ErrorCode::kUsage, "--template and --strip-reasoning are both given",
                 "a template without {reasoning} strips it"};
  }
  if (form.find(kSummaryMark) == std::string::npos) {
    return Error{ErrorCode::kUsage, "--template has no {summary}",
                 "for example '<think>\\n{reasoning}\\n</think>\\n\\n{summary}'"};
  }
  return {};
}

Result<const ExportForm*> FindForm(const ExportOptions& options) {
  const auto found = std::find_if(std::begin(kForms), std::end(kForms),
                                  [&](const auto* form) { return form->name == options.format; });
  if (found == std::end(kForms)) {
    return Error{ErrorCode::kUsage, StrCat("unknown export format '", options.format, "'"),
                 DidYouMean(options.format, ExportFormats())};
  }
  const ExportForm& form = **found;
  if (options.group && !form.groups) {
    return Error{ErrorCode::kUsage, StrCat("--group does not go with ", options.format),
                 "it belongs to --format jsonl"};
  }
  const bool table = form.layout != nullptr;
  if (options.shuffle && options.group) {
    return Error{ErrorCode::kUsage, "--shuffle does not go with --group",
                 "a line of --group holds neighbours"};
  }
  if (Status status = CheckTemplate(options); !status.ok()) return status.error();
  if (!table && (!options.columns.empty() || !options.system.empty() || options.strip_reasoning ||
                 !options.reply_template.empty())) {
    return Error{
        ErrorCode::kUsage,
        StrCat("--columns, --system, --strip-reasoning and --template do not go with ", form.name),
        "it keeps rows whole, so that `assay score` reads them again"};
  }
  if (IsParquet(options.output) && (!table || options.format == "csv")) {
    return Error{ErrorCode::kUsage, StrCat("form ", form.name, " is not written as Parquet"),
                 "Parquet wants one type a column: trl-sft and its like have that"};
  }
  return &form;
}

Status CheckSplit(Store* store, const DatasetRecord& dataset, const std::string& split) {
  if (split.empty()) return {};
  std::vector<std::string> known;
  bool found = false;
  Status status = store->ForEachDatasetRow(dataset.id, false, [&](const DatasetRow& row) -> Status {
    found = found || row.split == split;
    if (!row.split.empty() && std::find(known.begin(), known.end(), row.split) == known.end())
      known.push_back(row.split);
    return {};
  });
  if (!status.ok() || found) return status;
  return Error{
      ErrorCode::kUsage, StrCat("data set '", dataset.name, "' has no split '", split, "'"),
      known.empty() ? "`assay select --split train=0.9` makes splits" : DidYouMean(split, known)};
}

// SHA-256 and size of a file as it is.
void HashFile(const std::string& path, ExportResult* result) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(size_t{1} << 20);
  Sha256 sha;
  result->bytes = 0;
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    sha.Add({piece.data(), static_cast<size_t>(file.gcount())});
    result->bytes += file.gcount();
  }
  result->hash = sha.Hex();
}

// Turns the JSON lines at `lines_path` into the Parquet file that was asked for, whole or not at all.
Status FinishParquet(const std::string& lines_path, const ExportOptions& options,
                     ExportResult* result) {
  const std::string partial = StrCat(options.output, ".partial-", static_cast<int64_t>(getpid()));
  Status status = WriteParquet(lines_path, partial, result->schema_json);
  if (status.ok()) {
    HashFile(partial, result);
    if (std::rename(partial.c_str(), options.output.c_str()) != 0)
      status = IoError("cannot write", options.output, errno);
    result->file = options.output;
  }
  std::error_code ignored;
  std::filesystem::remove(partial, ignored);
  std::filesystem::remove(lines_path, ignored);
  return status;
}

Status WriteBeside(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                   ExportResult* result) {
  if (result->file.empty()) return {};
  if (options.format == "sharegpt" || options.format == "alpaca") {
    if (Status status = WriteDatasetInfo(options, *result); !status.ok()) return status;
    const auto folder = std::filesystem::path(result->file).parent_path();
    result->also_written.push_back((folder / "dataset_info.json").string());
  }
  if (!options.card) return {};
  Result<std::string> card = DataCard(store, dataset, options, *result);
  if (!card.ok()) return card.error();
  result->also_written.push_back(CardPath(options.output));
  return WriteFileAtomic(CardPath(options.output), *card);
}

}  // namespace

void CountLicence(const Problem& problem, ExportResult* result) {
  const Json& extra = problem.extra;
  ++result->licences[std::string(extra.StringOr("license", extra.StringOr("licence", "")))];
}

Status ForEachInOrder(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                      const std::function<Status(const DatasetRow&)>& visit) {
  if (!options.shuffle) return store->ForEachDatasetRow(dataset.id, true, visit);
  std::vector<int64_t> order(static_cast<size_t>(dataset.rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  Rng(*options.shuffle, "export").Shuffle(&order);
  return store->ForEachDatasetRow(dataset.id, true, visit, &order);
}

std::string ExportOptions::Params() const {
  Json params = Json::MakeObject();
  if (group) params.Set("group", true);
  if (!split.empty()) params.Set("split", split);
  if (!columns.empty()) {
    Json names = Json::MakeArray();
    for (const std::string& name : columns) names.Append(name);
    params.Set("columns", std::move(names));
  }
  if (!system.empty()) params.Set("system", system);
  if (strip_reasoning) params.Set("strip_reasoning", true);
  if (!reply_template.empty()) params.Set("template", reply_template);
  if (shuffle) params.Set("shuffle", *shuffle);
  return params.Dump();
}

const std::vector<std::string>& ExportFormats() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const ExportForm* form : kForms) names.push_back(form->name);
    return names;
  }();
  return kNames;
}

std::string ExportFormatLines() {
  std::string out;
  for (const ExportForm* form : kForms) StrAppend(&out, form->name, ": ", form->what, "\n");
  return out;
}

Result<ExportResult> ExportDataset(Store* store, const ExportOptions& options) {
  Result<const ExportForm*> form = FindForm(options);
  if (!form.ok()) return form.error();
  const bool parquet = IsParquet(options.output);
  const std::string lines_path =
      parquet ? StrCat(options.output, ".lines-", static_cast<int64_t>(getpid())) : options.output;
  Result<WholeFile> file = WholeFile::Open(lines_path, options.interrupted);
  if (!file.ok()) return file.error();
  ExportResult result;
  // The data set may be made anew meanwhile: everything is read from one state of the store.
  Status status = store->WithSnapshot([&]() -> Status {
    Result<DatasetRecord> dataset = store->FindDataset(options.dataset);
    if (!dataset.ok()) return dataset.error();
    result.dataset = dataset->id;
    if (Status has = CheckSplit(store, *dataset, options.split); !has.ok()) return has;
    Status written = (*form)->write(store, *dataset, options, &*file, &result);
    if (written.ok()) written = file->Finish();
    if (!written.ok()) return written;
    result.bytes = file->bytes();
    result.hash = file->hash();
    if (file->renames()) result.file = file->path();
    if (parquet) written = FinishParquet(lines_path, options, &result);
    return written.ok() ? WriteBeside(store, *dataset, options, &result) : written;
  });
  if (!status.ok()) return status.error();
  return result;
}

}  // namespace assay
