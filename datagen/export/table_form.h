// Tables: export forms whose lines all have the same columns, of one type each, as readers want them that take a file for one table
// (`datasets`, Arrow, Parquet). Two passes over the data set: the first learns what columns there are, of which types.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"
#include "datagen/export/export.h"
#include "datagen/export/whole_file.h"
#include "datagen/store/store.h"

namespace assay {

// A row of a data set with what its layouts need beside it.
struct TableRow {
  const std::string& dataset;
  const DatasetRow& row;
  const ExportOptions& options;
  bool right = false;  // the sample passes what decides in its run
  int64_t number = 0;  // of the line, 0-based
  const Problem& problem() const { return row.group.problem; }
  const Sample& sample() const { return row.group.samples[0].sample; }
};

struct TableLayout {
  // The layout's own columns of a line, in order. `chat`: as messages rather than strings, where the layout has both.
  Json (*columns)(const TableRow& row, bool chat);
  enum class Kind {
    kText,   // never messages
    kChat,   // always messages
    kEither  // messages where prompts are, and rows must agree; else strings
  } kind = Kind::kEither;
  enum class Extras {
    kAll,
    kNone
  } extras = Extras::kAll;  // id, task, answer, reward, .. and the row's columns
  enum class Lines { kRow, kProblem, kPair, kBothOfPair } lines = Lines::kRow;
  enum class Syntax { kJson, kCsv } syntax = Syntax::kJson;
};

// As ExportForm::write.
Status WriteTable(const TableLayout& layout, Store* store, const DatasetRecord& dataset,
                  const ExportOptions& options, WholeFile* file, ExportResult* result);

}  // namespace assay
