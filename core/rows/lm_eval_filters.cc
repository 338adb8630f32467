#include "core/rows/lm_eval_filters.h"

#include "core/json.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {

bool LmEvalFilters::Repeats(std::string_view line) {
  if (line.find("\"filter\"") == std::string_view::npos ||
      line.find("\"resps\"") == std::string_view::npos)
    return false;
  const Result<Json> row = ParseJson(line);
  if (!row.ok() || !row->IsObject() || !IsArrayAt(*row, "resps")) return false;
  const Json* filter = Present(*row, "filter");
  if (filter == nullptr || !filter->IsString()) return false;
  std::string document;
  for (const char* key : {"doc_id", "doc_hash", "prompt_hash", "target", "arguments", "resps"}) {
    const Json* value = row->Find(key);
    StrAppend(&document, value == nullptr ? "" : value->Dump(), "\n");
  }
  const uint64_t hash = HashBytes64(*filter->AsString());
  const bool repeats = filter_of_.try_emplace(HashBytes128(document), hash).first->second != hash;
  repeats_ += repeats ? 1 : 0;
  return repeats;
}

std::string LmEvalFilters::Note() const {
  if (repeats_ == 0) return "";
  return StrCat("left out: ", WithThousands(repeats_),
                " lines of lm-eval that repeat replies for another filter");
}

}  // namespace assay
