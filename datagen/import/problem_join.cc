#include "datagen/import/problem_join.h"

#include <re2/re2.h>

#include <utility>

#include "core/jsonl.h"
#include "core/rows/input_format.h"
#include "core/rows/problem_fields.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// A line of a batch's request file as a problem: what was asked, under the name that the asker gave it.
void FromRequest(Json* row) {
  const Json* body = row->Find("body");
  if (body == nullptr || !body->IsObject() || !Has(*row, "custom_id")) return;
  const Json request = *body;
  const Json name = *row->Find("custom_id");
  for (const char* key : {"messages", "prompt"}) {
    if (const Json* prompt = Present(request, key)) FillWith(row, "prompt", *prompt);
  }
  for (const char* key : {"body", "method", "url", "custom_id"}) row->Erase(key);
  row->Set("id", name);
}

std::string IdOf(const Json& row) {
  const Json* id = Present(row, "id");
  return id == nullptr ? "" : id->ScalarText();
}

}  // namespace

ProblemJoin::ProblemJoin() = default;
ProblemJoin::~ProblemJoin() = default;

Result<std::unique_ptr<ProblemJoin>> ProblemJoin::Load(const std::vector<std::string>& files,
                                                       const std::string& id_pattern) {
  std::unique_ptr<ProblemJoin> join(new ProblemJoin());
  join->joins_ = !files.empty();
  if (!id_pattern.empty()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    join->pattern_ = std::make_unique<RE2>(id_pattern, quiet);
    if (!join->pattern_->ok() || join->pattern_->NumberOfCapturingGroups() != 1) {
      return Error{ErrorCode::kUsage, StrCat("'", id_pattern, "' is no pattern with one group"),
                   "--id-pattern '^(.*)#[0-9]+$' takes p1 from p1#3"};
    }
  }
  for (const std::string& file : files) {
    if (Status status = join->LoadFile(file); !status.ok()) return status.error();
  }
  return join;
}

Status ProblemJoin::LoadFile(const std::string& file) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    if (!row.ok() || !row->IsObject()) {
      return Error{ErrorCode::kInput, StrCat(file, ":", line.number, ": not a JSON object"),
                   "a file of problems has one on each line"};
    }
    FromRequest(&*row);
    FillProblem(&*row);
    const std::string id = IdOf(*row);
    if (id.empty()) {
      return Error{ErrorCode::kInput, StrCat(file, ":", line.number, ": the problem has no id"),
                   "replies are joined with their problems by id or custom_id"};
    }
    for (const char* key : {"completion", "completions"}) row->Erase(key);
    if (!problems_.emplace(id, std::move(*row)).second) {
      return Error{
          ErrorCode::kInput,
          StrCat(file, ":", line.number, ": there are two problems '", Shorten(id, 80), "'"),
          "ids must tell problems apart"};
    }
  }
}

Status ProblemJoin::Join(Json* row) const {
  std::string id = IdOf(*row);
  if (pattern_ != nullptr) {
    std::string named;
    if (RE2::FullMatch(id, *pattern_, &named)) {
      FillWith(row, "sample_id", *row->Find("id"));
      row->Set("id", named);
      id = std::move(named);
    }
  }
  if (!joins_) return {};
  const auto problem = problems_.find(id);
  if (problem == problems_.end())
    return InputError(StrCat("there is no problem '", Shorten(id, 80), "'"),
                      "see the ids in the files of --problems; --id-pattern takes suffixes off");
  for (const Json::Member& member : *problem->second.AsObject()) {
    if (!member.value.IsNull()) FillWith(row, member.key, member.value);
  }
  return {};
}

}  // namespace assay
