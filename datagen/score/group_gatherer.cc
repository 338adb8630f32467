#include "datagen/score/group_gatherer.h"

#include <sys/stat.h>

#include <memory>
#include <unordered_map>
#include <utility>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/spool_file.h"
#include "core/text.h"

namespace assay {
namespace {

// Until `each` says false.
template <typename Each>
Status ForEachLine(const std::string& file, const StopReading& stop, Each each) {
  Result<std::unique_ptr<LineReader>> reader =
      LineReader::Open(file, /*keep_waiting=*/[&stop] { return !stop(); });
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
  key->lacks_field = key->value.empty();
  if (key->lacks_field) return false;
  const Result<Problem> problem = ProblemFromJson(row);
  if (!problem.ok()) return false;
  key->problem = JudgementHash(*problem);
  return true;
}

void FieldUse::See(const GroupKey& key, bool grouped, std::string_view line) {
  used_ = used_ || grouped;
  if (!used_ && key.lacks_field && without_.empty()) without_ = line;
}

Status FieldUse::Check(const GroupField& field) const {
  if (used_ || without_.empty()) return {};
  std::vector<std::string> names;
  if (const Result<Json> row = ParseJson(without_); row.ok() && row->IsObject()) {
    for (const Json::Member& member : *row->AsObject()) names.push_back(member.key);
  }
  return Error{ErrorCode::kUsage, StrCat("no line has the field '", field.name(), "' to group by"),
               DidYouMean(field.name(), names)};
}

Result<bool> GroupsAreSplit(const std::vector<std::string>& files, const GroupField& field,
                            const StopReading& stop) {
  if (field.empty()) return false;
  for (const std::string& file : files) {
    if (!IsRegularFile(file)) return true;
  }
  std::unordered_set<uint64_t> closed;
  FieldUse use;
  for (const std::string& file : files) {
    uint64_t open = 0;  // the key's hash of the line before, 0 if it had none
    Status status = ForEachLine(file, stop, [&](const LineReader::Line& line) {
      GroupKey key;
      const bool grouped = field.KeyOf(std::string(line.text), &key);
      use.See(key, grouped, line.text);
      const uint64_t now = grouped ? key.Hash() : 0;
      if (now == open) return true;
      if (open != 0) closed.insert(open);
      open = now;
      return now == 0 || closed.count(now) == 0;
    });
    if (!status.ok()) return status.error();
    if (open != 0 && closed.count(open) > 0) return true;
    if (open != 0) closed.insert(open);
  }
  if (Status status = use.Check(field); !status.ok() && !stop()) return status.error();
  return false;
}

namespace {

// The lines of all groups, threaded through one array: a million of them must not be a million allocations.
class LineIndex {
 public:
  struct Line {
    SpoolFile::Place text;
    int64_t number = 0;
    uint32_t file = 0;
    uint32_t next = 0;  // the group's next line; 0: none, as no line comes before the first
    bool too_long = false;
    bool bad = false;
  };

  // `group`: the hash of its key; null for a line that is a row of its own.
  void Add(const Line& line, const Hash128* group) {
    const auto place = static_cast<uint32_t>(lines_.size());
    lines_.push_back(line);
    const auto row = static_cast<uint32_t>(rows_.size());
    const uint32_t known = group == nullptr ? row : groups_.try_emplace(*group, row).first->second;
    if (known == row) {
      rows_.push_back({place, place});
    } else {
      lines_[rows_[known].last].next = place;
      rows_[known].last = place;
    }
  }

  Status ForEachRow(SpoolFile* spool, const StopReading& stop, const EmitRow& emit) {
    groups_ = {};
    for (const Row& ends : rows_) {
      if (stop()) break;
      ScoreRow row;
      row.file = lines_[ends.first].file;
      for (uint32_t at = ends.first;; at = lines_[at].next) {
        const Line& line = lines_[at];
        InputLine& out = row.lines.emplace_back();
        out.number = line.number;
        out.too_long = line.too_long;
        out.file = line.file;
        out.place = at;
        if (Status status = spool->Read(line.text, &out.text); !status.ok()) return status;
        if (line.bad) MarkStoredBad(&row);
        if (at == ends.last) break;
      }
      if (Status status = emit(std::move(row)); !status.ok()) return status;
    }
    return {};
  }

  bool full() const { return lines_.size() >= UINT32_MAX; }

 private:
  struct Row {
    uint32_t first, last;
  };
  // Such a line is a row of its own.
  static void MarkStoredBad(ScoreRow* row) {
    row->stored = true;
    row->bad = true;
    row->hash = HashBytes128(row->lines[0].text);
    row->error_message = std::exchange(row->lines[0].text, std::string());
  }
  struct Low {
    size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  std::vector<Line> lines_;
  std::vector<Row> rows_;
  std::unordered_map<Hash128, uint32_t, Low> groups_;
};

}  // namespace

LineSource LinesOfFiles(std::vector<std::string> files, StopReading stop, LeaveOut leave_out) {
  return [files = std::move(files), stop = std::move(stop), leave_out = std::move(leave_out)](
             const std::function<bool(const SourceLine&)>& take) -> Status {
    for (size_t file = 0; file < files.size(); ++file) {
      bool more = true;
      Status status = ForEachLine(files[file], stop, [&](const LineReader::Line& line) {
        if (leave_out && leave_out(line.text)) return true;
        more = take({line.text, line.number, file, line.too_long});
        return more;
      });
      if (!status.ok() || !more) return status;
    }
    return {};
  };
}

Status GatherGroups(const LineSource& source, const GroupField& field, const std::string& beside,
                    const StopReading& stop, const EmitRow& emit) {
  Result<std::unique_ptr<SpoolFile>> spool = SpoolFile::Make(beside);
  if (!spool.ok()) return spool.error();
  LineIndex index;
  FieldUse use;
  Status failed;
  const Status status = source([&](const SourceLine& line) {
    Result<SpoolFile::Place> text = (*spool)->Add(line.text);
    if (!text.ok() || index.full()) {
      failed = text.ok() ? Error{ErrorCode::kLimit, "too many lines to gather", "split the file"}
                         : text.error();
      return false;
    }
    GroupKey key;
    const bool grouped = !line.bad && field.KeyOf(std::string(line.text), &key);
    use.See(key, grouped, line.text);
    const Hash128 hash = grouped ? HashBytes128(key.value, key.problem) : Hash128();
    index.Add({*text, line.number, static_cast<uint32_t>(line.file), 0, line.too_long, line.bad},
              grouped ? &hash : nullptr);
    return true;
  });
  if (!status.ok()) return status;
  if (!failed.ok()) return failed;
  if (Status used = use.Check(field); !used.ok() && !stop()) return used;
  return index.ForEachRow(spool->get(), stop, emit);
}

Status AdjacentLines::Take(InputLine line) {
  GroupKey key;
  const bool grouped = !field_.empty() && field_.KeyOf(line.text, &key);
  if (!field_.empty()) use_->See(key, grouped, line.text);
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
