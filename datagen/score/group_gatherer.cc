#include "datagen/score/group_gatherer.h"

#include <sys/stat.h>

#include <memory>
#include <unordered_map>
#include <utility>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"

namespace assay {
namespace {

// Until `each` says false. For regular files, which never keep a reader waiting.
template <typename Each>
Status ForEachLine(const std::string& file, const StopReading& stop, Each each) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more || stop() || !each(line)) return {};
  }
}

bool IsRegularFile(const std::string& file) {
  struct stat info {};
  return file != "-" && stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

uint64_t GroupKey::Hash() const { return HashBytes64(value, problem) | 1; }

bool GroupField::KeyOf(const std::string& line, GroupKey* key) const {
  Result<Json> row = ParseJson(line);
  return row.ok() && KeyOfRow(std::move(*row), key);
}

bool GroupField::KeyOfRow(Json row, GroupKey* key) const {
  *key = GroupKey();
  const Json* value = row.Find(name_);
  if (value != nullptr && !value->IsNull()) key->value = value->Dump();
  if (!ToAssayRow(input_format_, &row).ok() || row.Find("completion") == nullptr) return false;
  value = row.Find(name_);  // `id` may have come from another key
  if (value != nullptr && !value->IsNull()) key->value = value->Dump();
  if (key->value.empty()) return false;
  const Result<Problem> problem = ProblemFromJson(row);
  if (!problem.ok()) return false;
  key->problem = JudgementHash(*problem);
  return true;
}

Result<bool> GroupsAreSplit(const std::vector<std::string>& files, const GroupField& field,
                            const StopReading& stop) {
  if (field.empty()) return false;
  for (const std::string& file : files) {
    if (!IsRegularFile(file)) return false;
  }
  std::unordered_set<uint64_t> closed;
  for (const std::string& file : files) {
    uint64_t open = 0;  // the key's hash of the line before, 0 if it had none
    Status status = ForEachLine(file, stop, [&](const LineReader::Line& line) {
      GroupKey key;
      const uint64_t now = field.KeyOf(std::string(line.text), &key) ? key.Hash() : 0;
      if (now == open) return true;
      if (open != 0) closed.insert(open);
      open = now;
      return now == 0 || closed.count(now) == 0;
    });
    if (!status.ok()) return status.error();
    if (open != 0 && closed.count(open) > 0) return true;
    if (open != 0) closed.insert(open);
  }
  return false;
}

Result<std::vector<ScoreRow>> GatherGroups(const std::vector<std::string>& files,
                                           const GroupField& field, const StopReading& stop) {
  std::vector<ScoreRow> rows;
  const auto hash = [](const GroupKey& key) { return key.Hash(); };
  std::unordered_map<GroupKey, size_t, decltype(hash)> groups(0, hash);
  size_t place = 0;
  for (size_t file = 0; file < files.size(); ++file) {
    Status status = ForEachLine(files[file], stop, [&](const LineReader::Line& line) {
      InputLine text{line.number, std::string(line.text), line.too_long, file, place++};
      GroupKey key;
      size_t row = rows.size();
      if (field.KeyOf(text.text, &key)) row = groups.try_emplace(key, row).first->second;
      if (row == rows.size()) {
        rows.emplace_back();
        rows.back().file = file;
      }
      rows[row].lines.push_back(std::move(text));
      return true;
    });
    if (!status.ok()) return status.error();
  }
  return rows;
}

Status AdjacentLines::Take(InputLine line) {
  GroupKey key;
  const bool grouped = !field_.empty() && field_.KeyOf(line.text, &key);
  if (grouped && !open_.lines.empty() && key == open_key_) {
    open_.lines.push_back(std::move(line));
    return {};
  }
  if (Status status = EmitOpen(); !status.ok()) return status;
  if (grouped && !open_key_.value.empty()) closed_keys_.insert(open_key_.Hash());
  if (grouped && closed_keys_.count(key.Hash()) > 0) ++*split_;
  open_key_ = std::move(key);
  open_.file = line.file;
  open_.lines.push_back(std::move(line));
  if (grouped) return {};
  open_key_ = GroupKey();
  return EmitOpen();
}

Status AdjacentLines::EmitOpen() {
  if (open_.lines.empty()) return {};
  return emit_(std::exchange(open_, ScoreRow()));
}

Status AdjacentLines::Finish() { return EmitOpen(); }

}  // namespace assay
