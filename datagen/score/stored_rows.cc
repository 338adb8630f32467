#include "datagen/score/stored_rows.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

ScoreRow RowFrom(const StoredGroup& stored) {
  ScoreRow row;
  row.stored = true;
  row.hash = stored.key.line_hash;
  row.group.problem = stored.problem;
  row.group.flat = stored.flat;
  for (const StoredSample& sample : stored.samples) row.group.samples.push_back(sample.sample);
  row.bad = !stored.error.empty();
  row.error_message = stored.error;
  const size_t lines = stored.flat && !row.bad ? stored.samples.size() : 1;
  row.lines.resize(std::max<size_t>(1, lines));
  return row;
}

}  // namespace

Result<std::vector<std::string>> FilesOfStoredRun(const std::string& path,
                                                  const std::string& name) {
  Result<std::unique_ptr<Store>> store = Store::Open(path, OpenMode::kReadOnly);
  if (!store.ok()) return store.error();
  Result<RunRecord> run = (*store)->FindRun(name);
  if (!run.ok()) return run.error();
  std::vector<std::string> files;
  const Status status =
      (*store)->ForEachGroup(run->id, /*with_texts=*/false, [&](const StoredGroup& group) {
        // Rows come file by file.
        if (files.empty() || files.back() != group.key.file) files.push_back(group.key.file);
        return Status();
      });
  if (!status.ok()) return status.error();
  return files;
}

Status ForEachStoredRow(const std::string& path, const std::string& name,
                        const std::vector<std::string>& files,
                        const std::function<Status(ScoreRow)>& emit) {
  Result<std::unique_ptr<Store>> store = Store::Open(path, OpenMode::kReadOnly);
  if (!store.ok()) return store.error();
  Result<RunRecord> run = (*store)->FindRun(name);
  if (!run.ok()) return run.error();
  return (*store)->ForEachGroup(run->id, /*with_texts=*/true, [&](const StoredGroup& group) {
    ScoreRow row = RowFrom(group);
    const auto file = std::find(files.begin(), files.end(), group.key.file);
    if (file == files.end()) {
      return Status(Error{ErrorCode::kInput,
                          StrCat("store '", path, "': run '", name, "' has grown meanwhile"),
                          "run it again"});
    }
    row.file = static_cast<size_t>(file - files.begin());
    for (InputLine& line : row.lines) {
      line.number = group.key.line;
      line.file = row.file;
    }
    return emit(std::move(row));
  });
}

std::vector<Problem> ProblemsOfStoredRow(const Group& group) {
  std::vector<Problem> problems = {group.problem};
  if (!group.flat) return problems;
  for (size_t i = 1; i < group.samples.size(); ++i) {
    Problem& problem = problems.emplace_back(group.problem);
    const Json::Object* line = group.samples[i].line.AsObject();
    if (line == nullptr) continue;
    problem.extra = Json::MakeObject();
    for (const Json::Member& member : *line) {
      if (member.key == "id") {
        problem.id = member.value.IsNull() ? "" : member.value.ScalarText();
        problem.id_is_number = member.value.IsNumber();
      } else {
        problem.extra.Set(member.key, member.value);
      }
    }
  }
  return problems;
}

LineSource LinesOfStoredRun(std::string store, std::string run, std::vector<std::string> files,
                            StopReading stop) {
  return [store = std::move(store), run = std::move(run), files = std::move(files),
          stop = std::move(stop)](const std::function<bool(const SourceLine&)>& take) -> Status {
    bool more = true;
    std::vector<int64_t> last(files.size(), 0);               // line of each file
    const Error enough{ErrorCode::kInternal, "stopped", ""};  // ends the reading
    const Status status = ForEachStoredRow(store, run, files, [&](ScoreRow row) -> Status {
      more = !stop();
      const InputLine& line = row.lines[0];
      // Of a group only its first line's number is known; each line must have one of its own.
      const auto hand = [&](std::string_view text) {
        last[line.file] = std::max(line.number, last[line.file] + 1);
        more = more && take({text, last[line.file], line.file, false, row.bad});
      };
      if (row.bad) {
        hand(row.error_message);
      } else if (!row.group.flat) {
        hand(GroupToJson(row.group).Dump());
      } else {
        const std::vector<Problem> problems = ProblemsOfStoredRow(row.group);
        for (size_t i = 0; i < problems.size(); ++i)
          hand(GroupToJson({problems[i], {row.group.samples[i]}, /*flat=*/true}).Dump());
      }
      return more ? Status() : Status(enough);
    });
    return more ? status : Status();
  };
}

}  // namespace assay
