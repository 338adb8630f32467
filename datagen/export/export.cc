#include "datagen/export/export.h"

#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "datagen/export/export_form.h"
#include "datagen/export/whole_file.h"

namespace assay {
namespace {

constexpr const ExportForm* kForms[] = {&kTrlSftForm, &kGroupLineForm};

}  // namespace

const std::vector<std::string>& ExportFormats() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const ExportForm* form : kForms) names.push_back(form->name);
    return names;
  }();
  return kNames;
}

Result<ExportResult> ExportDataset(Store* store, const ExportOptions& options) {
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
  Result<WholeFile> file = WholeFile::Open(options.output, options.interrupted);
  if (!file.ok()) return file.error();
  ExportResult result;
  // The data set may be made anew meanwhile.
  Status status = store->WithSnapshot([&]() -> Status {
    Result<DatasetRecord> dataset = store->FindDataset(options.dataset);
    if (!dataset.ok()) return dataset.error();
    result.dataset = dataset->id;
    return form.write(store, *dataset, options, &*file, &result);
  });
  if (!status.ok()) return status.error();
  if (Status finished = file->Finish(); !finished.ok()) return finished.error();
  result.bytes = file->bytes();
  result.hash = file->hash();
  if (file->renames()) result.file = file->path();
  return result;
}

}  // namespace assay
