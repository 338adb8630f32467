#include "datagen/score/score_options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "core/hash.h"
#include "core/json.h"
#include "core/jsonl.h"
#include "core/packer.h"
#include "core/rows/input_format.h"
#include "core/text.h"

namespace assay {
namespace {

Error OverItself(const char* what, const std::string& file) {
  return {ErrorCode::kUsage, StrCat("the ", what, " '", file, "' would be written over"),
          "write to another file"};
}

// Everything that the run writes, what lies beside its files included.
std::vector<std::string> Written(const ScoreRunOptions& options) {
  std::vector<std::string> written = {options.output.empty() ? "-" : options.output};
  if (options.to_file()) {
    for (const char* suffix : {".resume", ".gathered", ".gathered.resume", ".gathered.new"})
      written.push_back(options.output + suffix);
  }
  if (!options.store.empty()) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
      written.push_back(options.store + suffix);
  }
  return written;
}

Status CheckNothingIsWrittenOver(const ScoreRunOptions& options) {
  for (const std::string& written : Written(options)) {
    for (const std::string& file : options.files) {
      if (options.from_store.empty() && IsSameFile(file, written)) return OverItself("input", file);
    }
    for (const std::string& file : options.also_read) {
      if (IsSameFile(file, written)) return OverItself("file", file);
    }
  }
  return {};
}

// A run that is read from a store; it may be scored into that store, under another name.
Status CheckStoredRun(const ScoreRunOptions& options) {
  if (options.adjacent || !options.input_format.empty()) {
    return Error{ErrorCode::kUsage,
                 StrCat(options.adjacent ? "--adjacent" : "--input-format",
                        " says how files are read, not the rows of a run"),
                 "leave it out with --from-store"};
  }
  if (IsSameFile(options.from_store, options.output))
    return OverItself("store", options.from_store);
  if (IsSameFile(options.from_store, options.store) && options.from_run == options.run_name) {
    return Error{ErrorCode::kUsage,
                 StrCat("run '", options.run_name, "' would be scored into itself"),
                 "--from-run names the one that is read, --run the one that is made"};
  }
  return {};
}

// Before a store has got a run for it.
Status CheckOutputName(const std::string& output) {
  for (const char* const table : {".csv", ".tsv"}) {
    if (!EndsWith(output, table)) continue;
    return Error{ErrorCode::kUsage,
                 StrCat("cannot write '", output, "': JSON Lines come out, no table"),
                 "name it .jsonl; `assay export` writes CSV from a store"};
  }
  return Packer::CheckName(output);
}

Status CheckFiles(const ScoreRunOptions& options) {
  if (!options.from_store.empty()) {
    if (Status status = CheckStoredRun(options); !status.ok()) return status;
  }
  std::map<std::pair<dev_t, ino_t>, std::string> seen;  // regular files
  for (const std::string& file : options.files) {
    if (!options.from_store.empty()) break;
    struct stat info {};
    const bool regular = file != "-" && stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode);
    const auto [first, is_new] = seen.try_emplace(
        regular ? std::pair(info.st_dev, info.st_ino) : std::pair<dev_t, ino_t>(), file);
    if (regular ? !is_new : std::count(options.files.begin(), options.files.end(), file) > 1) {
      return Error{
          ErrorCode::kUsage,
          StrCat(
              "input file '", file, "' is given twice",
              regular && first->second != file ? StrCat(" (also as '", first->second, "')") : ""),
          "name each file once"};
    }
    if (file != "-" && (stat(file.c_str(), &info) != 0 || S_ISDIR(info.st_mode) ||
                        access(file.c_str(), R_OK) != 0)) {
      // Opening it says what is wrong with it.
      Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
      if (!reader.ok()) return reader.error();
    }
  }
  if (Status status = CheckOutputName(options.output); !status.ok()) return status;
  if (Status status = CheckNothingIsWrittenOver(options); !status.ok()) return status;
  if (!options.store.empty() &&
      (options.store == options.output || IsSameFile(options.store, options.output)))
    return OverItself("store", options.store);
  return {};
}

Status CheckInputFormat(const std::string& format) {
  if (format.empty()) return {};
  Json nothing = Json::MakeObject();
  const Status known = ToAssayRow(format, &nothing);
  const bool unknown = !known.ok() && known.error().code == ErrorCode::kUsage;
  return unknown ? known : Status();  // an empty row is of no format; that is not asked here
}

}  // namespace

Status CheckScoreRunOptions(const ScoreRunOptions& options) {
  if (Status status = CheckFiles(options); !status.ok()) return status;
  if (Status status = CheckInputFormat(options.input_format); !status.ok()) return status;
  if (options.adjacent && options.group_by.empty()) {
    return Error{ErrorCode::kUsage, "--adjacent is about --group-by, which is not given",
                 "name the field that makes groups with --group-by FIELD"};
  }
  if (options.resume && !options.to_file() && options.store.empty()) {
    return Error{ErrorCode::kUsage, "--resume needs something to resume",
                 "give the -o FILE or the --store FILE of the interrupted run"};
  }
  return {};
}

std::string ScoreRunConfigHash(const ScoreRunOptions& options, const RubricSpec& rubric) {
  Json config = Json::MakeObject();
  config.Set("rubric", rubric.ToJson()).Set("version", options.tool_version);
  if (!options.input_format.empty()) config.Set("input_format", options.input_format);
  if (options.keep_input) config.Set("keep_input", true);
  if (!options.from_store.empty()) config.Set("from_run", options.from_run);
  if (options.adjacent) config.Set("adjacent", true);
  config.Set("group_by", options.group_by)
      .Set("times", options.with_times)
      .Set("seed", options.seed);
  return HashBytes128(config.Dump()).Hex();
}

}  // namespace assay
