// ExportForm: one layout in which a data set leaves the store. A form is a constant beside its writer; export.cc lists them.
#pragma once

#include <functional>

#include "core/result.h"
#include "datagen/export/export.h"
#include "datagen/export/whole_file.h"
#include "datagen/store/store.h"

namespace assay {

struct TableLayout;

struct ExportForm {
  const char* name;
  const char* what;  // a few words
  bool groups;       // knows ExportOptions::group
  // Writes every row of the data set and counts rows, lines and renamed columns.
  Status (*write)(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                  WholeFile* file, ExportResult* result);
  const TableLayout* layout = nullptr;  // of the forms of table_form.h
};

// Every row of the data set with its texts, in the order that the options ask for.
Status ForEachInOrder(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                      const std::function<Status(const DatasetRow&)>& visit);

// What the problem's row says of its licence, into ExportResult::licences.
void CountLicence(const Problem& problem, ExportResult* result);

// table_form.cc and table_layouts.cc
extern const ExportForm kTrlSftForm, kTrlPromptCompletionForm, kTrlConversationalForm, kTrlTextForm,
    kTrlPromptOnlyForm, kTrlPreferenceForm, kTrlUnpairedForm, kVerlRlForm, kVerlSftForm,
    kOpenAiChatForm, kShareGptExport, kAlpacaExport, kCsvForm;
extern const ExportForm kGroupLineForm;  // group_line.cc

}  // namespace assay
