// ExportForm: one layout in which a data set leaves the store. A form is a constant beside its writer; export.cc lists them.
#pragma once

#include "core/result.h"
#include "datagen/export/export.h"
#include "datagen/export/whole_file.h"
#include "datagen/store/store.h"

namespace assay {

struct ExportForm {
  const char* name;
  bool groups;  // knows ExportOptions::group
  // Writes every row of the data set and counts rows, lines and renamed columns.
  Status (*write)(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                  WholeFile* file, ExportResult* result);
};

extern const ExportForm kTrlSftForm;     // trl_sft.cc
extern const ExportForm kGroupLineForm;  // group_line.cc

}  // namespace assay
