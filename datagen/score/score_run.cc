#include "datagen/score/score_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/check.h"
#include "core/hash.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/score/resume_journal.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

// One input row as it travels: a line, or the lines of one group with --group-by.
struct RowText {
  int64_t line = 0;
  std::string text;
  bool too_long = false;
  size_t file = 0;
  size_t place = 0;  // among all lines that are not blank; of gathered groups only
};

struct Row {
  size_t file = 0;
  std::vector<RowText> lines;
  Hash128 hash;  // of all its lines

  // Filled by a worker.
  bool bad = false;
  std::string error_message;
  Group group;
  GroupScore score;
  std::string output;  // as many lines as `lines`, joined by newlines
  JsonRepairs repairs;
};

// What is handed from thread to thread: a few rows, so that fast verifiers are not bound by locking.
struct Batch {
  int64_t bytes = 0;
  std::vector<Row> rows;
  bool done = false;
};

constexpr std::string_view kReserved[] = {"rewards",   "advantages", "verdicts", "reward",
                                          "advantage", "line",       "error"};

// Keys of the input that the output uses itself are passed on as input_KEY.
void AppendExtras(const Json& extra, std::string* out) {
  const Json::Object* object = extra.AsObject();
  if (object == nullptr) return;
  for (const Json::Member& member : *object) {
    const bool reserved =
        std::find(std::begin(kReserved), std::end(kReserved), member.key) != std::end(kReserved);
    out->push_back(',');
    AppendJsonString(reserved ? StrCat("input_", member.key) : member.key, out);
    out->push_back(':');
    member.value.AppendTo(out);
  }
}

void AppendNumberOrNull(bool present, double value, std::string* out) {
  if (present) {
    AppendJsonNumber(value, out);
  } else {
    out->append("null");
  }
}

void AppendVerdicts(const std::vector<std::string>& labels, const SampleScore& score,
                    bool with_times, std::string* out) {
  out->push_back('{');
  for (size_t t = 0; t < labels.size(); ++t) {
    if (t > 0) out->push_back(',');
    AppendJsonString(labels[t], out);
    const Verdict& verdict = score.verdicts[t];
    StrAppend(out, ":{\"outcome\":\"", OutcomeName(verdict.outcome), "\",\"score\":");
    AppendJsonNumber(verdict.score, out);
    out->append(",\"reason\":");
    AppendJsonString(verdict.reason, out);
    out->append(",\"detail\":");
    AppendJsonString(verdict.detail, out);
    if (with_times) {
      out->append(",\"ms\":");
      AppendJsonNumber(static_cast<double>(static_cast<int64_t>(verdict.ms * 1000 + 0.5)) / 1000,
                       out);
    }
    if (verdict.evidence.IsObject()) {
      out->append(",\"evidence\":");
      verdict.evidence.AppendTo(out);
    }
    out->push_back('}');
  }
  out->push_back('}');
}

void AppendFlatLine(const Json& id, const Json& extra, const std::vector<std::string>& labels,
                    const SampleScore& score, bool grouped, bool with_times, std::string* out) {
  out->append("{\"id\":");
  id.AppendTo(out);
  AppendExtras(extra, out);
  out->append(",\"reward\":");
  AppendNumberOrNull(score.reward.has_value(), score.reward.value_or(0), out);
  if (grouped) {
    out->append(",\"advantage\":");
    AppendNumberOrNull(score.advantage.mask, score.advantage.value, out);
  }
  out->append(",\"verdicts\":");
  AppendVerdicts(labels, score, with_times, out);
  out->push_back('}');
}

std::string ErrorLine(const std::string& file, bool several_files, int64_t line,
                      const Error& error) {
  Json out = Json::MakeObject();
  if (several_files) out.Set("file", file);
  out.Set("line", line);
  out.Set("error", Json().Set("message", error.message).Set("hint", error.hint));
  out.Set("rewards", Json());
  return out.Dump();
}

}  // namespace

void AppendScoreLine(const Group& group, const GroupScore& score, bool with_times,
                     std::string* out) {
  if (group.flat && score.samples.size() == 1) {
    AppendFlatLine(IdToJson(group.problem), group.problem.extra, score.labels, score.samples[0],
                   false, with_times, out);
    return;
  }
  out->append("{\"id\":");
  IdToJson(group.problem).AppendTo(out);
  AppendExtras(group.problem.extra, out);
  out->append(",\"rewards\":[");
  for (size_t i = 0; i < score.samples.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendNumberOrNull(score.samples[i].reward.has_value(), score.samples[i].reward.value_or(0),
                       out);
  }
  out->append("],\"advantages\":[");
  for (size_t i = 0; i < score.samples.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendNumberOrNull(score.samples[i].advantage.mask, score.samples[i].advantage.value, out);
  }
  out->append("],\"verdicts\":[");
  for (size_t i = 0; i < score.samples.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendVerdicts(score.labels, score.samples[i], with_times, out);
  }
  out->append("]}");
}

Json ScoreRunSummary::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("rows", rows)
      .Set("resumed", resumed)
      .Set("bad_rows", bad_rows)
      .Set("groups", groups)
      .Set("samples", samples);
  out.Set("scored", scored).Set("nulls", nulls).Set("faults", faults).Set("all_pass", all_pass);
  out.Set("reward_mean", scored > 0 ? Json(reward_sum / static_cast<double>(scored)) : Json());
  out.Set("zero_variance_groups", zero_variance_groups)
      .Set("seconds", seconds)
      .Set("interrupted", interrupted);
  out.Set("repairs", Json()
                         .Set("lone_surrogates", repairs.lone_surrogates)
                         .Set("nonfinite", repairs.nonfinite)
                         .Set("big_numbers", repairs.big_numbers)
                         .Set("invalid_utf8", repairs.invalid_utf8));
  Json list = Json::MakeObject();
  for (const auto& [label, tally] : terms) list.Set(label, tally.ToJson());
  return out.Set("verifiers", std::move(list));
}

namespace {

class ScoreRun {
 public:
  ScoreRun(const ScoreRunOptions& options, const Rubric& rubric)
      : options_(options), rubric_(rubric) {}

  Result<ScoreRunSummary> Run() {
    start_ = last_flush_ = Clock::now();
    Status status = Prepare();
    if (status.ok()) {
      std::thread reader([this] { ReadAll(); });
      std::vector<std::thread> workers;
      for (int i = 0; i < std::max(1, options_.jobs); ++i) workers.emplace_back([this] { Work(); });
      status = WriteAll();
      Stop();
      if ((summary_.interrupted || !status.ok()) && options_.cancel) options_.cancel();
      reader.join();
      for (std::thread& worker : workers) worker.join();
    }
    const Status closed = CloseOutputs(status.ok());
    if (!status.ok()) return status.error();
    if (!closed.ok()) return closed.error();
    summary_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return summary_;
  }

 private:
  // --- Before the first row: outputs opened, and where an interrupted run goes on.

  // All of them are tried before the first row, so that a typing error costs no time.
  Status CheckFiles() const {
    for (const std::string& file : options_.files) {
      if (std::count(options_.files.begin(), options_.files.end(), file) > 1) {
        return Error{ErrorCode::kUsage, StrCat("input file '", file, "' is given twice"),
                     "name each file once"};
      }
      struct stat info {};
      if (file != "-" && (stat(file.c_str(), &info) != 0 || S_ISDIR(info.st_mode) ||
                          access(file.c_str(), R_OK) != 0)) {
        Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
        if (!reader.ok()) return reader.error();
      }
      if (IsSameFile(file, options_.output.empty() ? "-" : options_.output))
        return OverItself("input", file);
      if (!options_.store.empty() && IsSameFile(file, options_.store))
        return OverItself("input", file);
    }
    if (!options_.store.empty() &&
        (options_.store == options_.output || IsSameFile(options_.store, options_.output)))
      return OverItself("store", options_.store);
    return {};
  }

  static Error OverItself(const char* what, const std::string& file) {
    return {ErrorCode::kUsage, StrCat("the ", what, " '", file, "' would be written over"),
            "write to another file"};
  }

  Status Prepare() {
    if (Status status = CheckFiles(); !status.ok()) return status;
    if (Json nothing = Json::MakeObject(); !options_.input_format.empty()) {
      const Status known = ToAssayRow(options_.input_format, &nothing);
      if (!known.ok() && known.error().code == ErrorCode::kUsage) return known;
    }
    const bool to_file = !options_.output.empty() && options_.output != "-";
    if (options_.resume && !to_file && options_.store.empty()) {
      return Error{ErrorCode::kUsage, "--resume needs something to resume",
                   "give the -o FILE or the --store FILE of the interrupted run"};
    }
    Result<bool> split = GroupsAreSplit();
    if (!split.ok()) return split.error();
    gathers_ = *split;
    const std::string config = ConfigHash();
    if (!options_.store.empty()) {
      Status status = OpenStore(config);
      if (!status.ok()) return status;
    }
    if (to_file && gathers_) {
      // Its lines are not written group by group: --resume begins again, with the same bytes as result.
      (void)unlink((options_.output + ".resume").c_str());
    } else if (to_file) {
      Result<std::unique_ptr<ResumeJournal>> journal = ResumeJournal::Open(
          options_.output, config, options_.files, options_.resume, store_rows_);
      if (!journal.ok()) return journal.error();
      journal_ = std::move(*journal);
      if (journal_) {
        rows_done_ = journal_->rows_done();
        summary_.bad_rows = journal_->bad_done();
        summary_.faults = journal_->faults_done();
      }
    } else if (options_.resume && !gathers_) {
      rows_done_ = store_rows_;
    }
    summary_.resumed = rows_done_;
    Result<std::unique_ptr<LineWriter>> writer =
        LineWriter::Open(options_.output, /*append=*/to_file && !gathers_);
    if (!writer.ok()) return writer.error();
    writer_ = std::move(*writer);
    return {};
  }

  std::string ConfigHash() const {
    Json config = Json::MakeObject();
    config.Set("rubric", rubric_.spec().ToJson()).Set("version", options_.tool_version);
    if (!options_.input_format.empty()) config.Set("input_format", options_.input_format);
    config.Set("group_by", options_.group_by)
        .Set("times", options_.with_times)
        .Set("seed", options_.seed);
    return HashBytes128(config.Dump()).Hex();
  }

  Status OpenStore(const std::string& config) {
    Result<std::unique_ptr<Store>> store = Store::Open(options_.store, OpenMode::kCreate);
    if (!store.ok()) return store.error();
    store_ = std::move(*store);
    RunInfo info;
    info.name = options_.run_name;
    info.rubric_json = rubric_.spec().ToJson().Dump();
    info.config_hash = config;
    info.tool_version = options_.tool_version;
    info.seed = options_.seed;
    Result<RunId> run = store_->BeginRun(info, options_.resume);
    if (!run.ok()) return run.error();
    run_ = *run;
    int64_t total = 0;
    for (const std::string& file : options_.files) {
      Result<int64_t> rows = store_->RowsDone(run_, file);
      if (!rows.ok()) return rows.error();
      total += *rows;
    }
    store_rows_ = total;
    return {};
  }

  // --- The reader thread.

  void ReadAll() {
    Status status;
    if (gathers_) {
      status = ReadGathered();
    } else {
      for (size_t file = 0; file < options_.files.size() && status.ok() && !stopping_; ++file)
        status = ReadOne(file);
    }
    if (!pending_.rows.empty()) Enqueue();
    std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) read_failure_ = status.error();
    reading_done_ = true;
    work_ready_.notify_all();
    row_ready_.notify_all();
  }

  Status ReadOne(size_t file) {
    Result<std::unique_ptr<LineReader>> opened =
        LineReader::Open(options_.files[file], [this] { return KeepWaiting(); });
    if (!opened.ok()) return opened.error();
    LineReader& reader = **opened;
    bytes_total_ += reader.bytes_total();
    const int64_t bytes_before = bytes_read_;
    LineReader::Line line;
    Row open_group;  // --group-by: lines of one key so far
    std::string open_key;
    std::unordered_set<uint64_t> closed_keys;
    for (;;) {
      Result<bool> more = reader.Next(&line);
      if (!more.ok()) return more.error();
      if (!*more || stopping_) break;
      bytes_read_ = bytes_before + reader.bytes_read();
      RowText text{line.number, std::string(line.text), line.too_long, file};
      std::string key;
      const bool grouped = !options_.group_by.empty() && GroupKey(text.text, &key);
      if (grouped && !open_group.lines.empty() && key == open_key) {
        open_group.lines.push_back(std::move(text));
        continue;
      }
      Status status = Emit(&open_group);
      if (!status.ok()) return status;
      if (grouped && !open_key.empty()) closed_keys.insert(HashBytes64(open_key));
      if (grouped && closed_keys.count(HashBytes64(key)) > 0) ++split_groups_;
      open_key = key;
      open_group = Row();
      open_group.file = file;
      open_group.lines.push_back(std::move(text));
      if (!grouped) {
        open_key.clear();
        status = Emit(&open_group);
        if (!status.ok()) return status;
      }
    }
    return stopping_ ? Status() : Emit(&open_group);
  }

  // --group-by: true if lines of one group stand apart, in one file or in several. Pipes cannot be read twice: they count as sorted,
  // and ReadOne counts what is not.
  Result<bool> GroupsAreSplit() const {
    if (options_.group_by.empty()) return false;
    std::unordered_set<uint64_t> closed;
    for (const std::string& file : options_.files) {
      struct stat info {};
      if (file == "-" || stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    }
    for (const std::string& file : options_.files) {
      uint64_t open = 0;  // the key's hash of the line before, 0 if it had none
      Status status = ForEachLine(file, [&](const LineReader::Line& line) {
        std::string key;
        const uint64_t now = GroupKey(std::string(line.text), &key) ? HashBytes64(key) | 1 : 0;
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

  // Until `each` says false.
  template <typename Each>
  Status ForEachLine(const std::string& file, Each each) const {
    Result<std::unique_ptr<LineReader>> reader =
        LineReader::Open(file, [this] { return !stopping_; });
    if (!reader.ok()) return reader.error();
    LineReader::Line line;
    for (;;) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more || stopping_ || Interrupted() || !each(line)) return {};
    }
  }

  // Groups whose lines stand apart: all text is held, and the groups are scored in the order of their first lines.
  Status ReadGathered() {
    std::vector<Row> rows;
    std::unordered_map<std::string, size_t> groups;
    size_t place = 0;
    for (size_t file = 0; file < options_.files.size(); ++file) {
      Status status = ForEachLine(options_.files[file], [&](const LineReader::Line& line) {
        RowText text{line.number, std::string(line.text), line.too_long, file, place++};
        std::string key;
        size_t row = rows.size();
        if (GroupKey(text.text, &key)) row = groups.try_emplace(key, row).first->second;
        if (row == rows.size()) {
          rows.emplace_back();
          rows.back().file = file;
        }
        rows[row].lines.push_back(std::move(text));
        return true;
      });
      if (!status.ok()) return status;
    }
    for (Row& row : rows) {
      if (Status status = Emit(&row); !status.ok()) return status;
    }
    return {};
  }

  // While a pipe gives nothing, what has come is scored instead of waiting for a full batch.
  bool KeepWaiting() {
    if (!pending_.rows.empty()) Enqueue();
    return !stopping_;
  }

  // The value of --group-by's field in a flat row.
  bool GroupKey(const std::string& text, std::string* key) const {
    Result<Json> row = ParseJson(text);
    if (!row.ok()) return false;
    const Json* value = row->Find(options_.group_by);
    if (value != nullptr && !value->IsNull()) *key = value->Dump();
    if (!ToAssayRow(options_.input_format, &*row).ok() || row->Find("completion") == nullptr)
      return false;
    value = row->Find(options_.group_by);  // `id` may have come from another key
    if (value != nullptr && !value->IsNull()) *key = value->Dump();
    return !key->empty();
  }

  // Sends a finished row on its way; rows of the interrupted run are only compared.
  Status Emit(Row* row) {
    if (row->lines.empty()) return {};
    row->hash = HashBytes128(row->lines[0].text);
    for (size_t i = 1; i < row->lines.size(); ++i)
      row->hash = HashBytes128(row->lines[i].text, row->hash.low ^ row->hash.high);
    const int64_t index = rows_read_++;
    if (index < rows_done_) {
      Status status = CompareWithDone(*row, index);
      *row = Row();
      return status;
    }
    int64_t bytes = 512;
    for (const RowText& line : row->lines) bytes += static_cast<int64_t>(line.text.size()) + 256;
    pending_.bytes += bytes;
    pending_.rows.push_back(std::move(*row));
    *row = Row();
    const bool one_by_one = slow_terms();
    if (one_by_one || pending_.rows.size() >= 64 || pending_.bytes >= 64 << 10) Enqueue();
    return {};
  }

  bool slow_terms() const {
    if (rubric_.spec().terms.empty()) return true;
    for (const RubricTerm& term : rubric_.spec().terms) {
      const VerifierInfo* info = FindVerifier(term.verifier);
      if (info == nullptr || info->needs_sandbox) return true;
    }
    return false;
  }

  Status CompareWithDone(const Row& row, int64_t index) {
    const Error changed{
        ErrorCode::kInput,
        StrCat("line ", row.lines[0].line, " of '", options_.files[row.file],
               "' is not what the interrupted run scored"),
        "the input has changed since: start afresh, without --resume, into another file or run"};
    if (journal_ && !journal_->Matches(index, row.file, row.lines[0].line, row.hash.low))
      return changed;
    if (!journal_ && store_) {
      const RowKey key{options_.files[row.file], row.lines[0].line, row.hash};
      std::lock_guard<std::mutex> lock(store_mutex_);
      Result<bool> has = store_->HasRow(run_, key);
      if (!has.ok()) return has.error();
      if (!*has) return changed;
    }
    return {};
  }

  void Enqueue() {
    auto batch = std::make_unique<Batch>(std::move(pending_));
    pending_ = Batch();
    std::unique_lock<std::mutex> lock(mutex_);
    // Waits for room, but never when nothing is on its way: one giant row must be able to pass.
    room_.wait(lock, [&] {
      return stopping_ || in_flight_.empty() || in_flight_bytes_ + batch->bytes <= kInFlightBytes;
    });
    if (stopping_) return;
    in_flight_bytes_ += batch->bytes;
    to_do_.push_back(batch.get());
    in_flight_.push_back(std::move(batch));
    work_ready_.notify_one();
  }

  // --- The worker threads.

  void Work() {
    for (;;) {
      Batch* batch = nullptr;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        work_ready_.wait(lock, [&] { return stopping_ || !to_do_.empty() || reading_done_; });
        if (stopping_ || to_do_.empty()) return;
        batch = to_do_.front();
        to_do_.pop_front();
      }
      int64_t grown = 0;
      for (Row& row : batch->rows) {
        ScoreRow(&row);
        grown += static_cast<int64_t>(row.output.size());
      }
      std::lock_guard<std::mutex> lock(mutex_);
      in_flight_bytes_ += grown;
      batch->bytes += grown;
      batch->done = true;
      if (std::optional<Error> failure = rubric_.failure(); failure && !failure_)
        failure_ = failure;
      if (batch == in_flight_.front().get()) row_ready_.notify_one();
    }
  }

  void ScoreRow(Row* row) const {
    std::vector<Group> flats;
    for (const RowText& line : row->lines) {
      Result<Group> group = ReadLine(line, &row->repairs);
      if (!group.ok()) {
        // Only a row of one line can be bad: GroupKey parsed the others already. A group with a bad member is bad whole.
        row->bad = true;
        row->error_message = group.error().message;
        row->output.clear();
        for (const RowText& each : row->lines) {
          if (!row->output.empty()) row->output.push_back('\n');
          row->output += ErrorLine(options_.files[each.file], options_.files.size() > 1, each.line,
                                   group.error());
        }
        FreeText(row);
        return;
      }
      flats.push_back(std::move(*group));
    }
    row->group = std::move(flats[0]);
    std::vector<Json> ids = {IdToJson(row->group.problem)}, extras;
    if (flats.size() > 1) extras.push_back(row->group.problem.extra);
    for (size_t i = 1; i < flats.size(); ++i) {
      ids.push_back(IdToJson(flats[i].problem));
      extras.push_back(std::move(flats[i].problem.extra));
      row->group.samples.push_back(std::move(flats[i].samples[0]));
    }
    row->score = rubric_.Score(row->group);
    if (row->lines.size() == 1 && options_.group_by.empty()) {
      AppendScoreLine(row->group, row->score, options_.with_times, &row->output);
    } else if (row->lines.size() == 1 && !row->group.flat) {
      AppendScoreLine(row->group, row->score, options_.with_times, &row->output);
    } else {
      for (size_t i = 0; i < row->lines.size(); ++i) {
        if (i > 0) row->output.push_back('\n');
        AppendFlatLine(ids[i], row->lines.size() == 1 ? row->group.problem.extra : extras[i],
                       row->score.labels, row->score.samples[i], /*grouped=*/true,
                       options_.with_times, &row->output);
      }
    }
    FreeText(row);
  }

  Result<Group> ReadLine(const RowText& line, JsonRepairs* repairs) const {
    if (line.too_long) {
      return Error{
          ErrorCode::kInput,
          StrCat("the line is longer than ", HumanBytes(static_cast<double>(kMaxLineBytes))),
          "split the group into smaller ones"};
    }
    Result<Json> json = ParseJson(line.text, repairs);
    if (!json.ok()) return json.error();
    if (Status status = ToAssayRow(options_.input_format, &*json); !status.ok())
      return status.error();
    return GroupFromJson(*json);
  }

  void FreeText(Row* row) const {
    for (RowText& line : row->lines) line.text = std::string();
    if (!store_) row->group.samples.clear();
  }

  // --- The calling thread: writes rows in input order.

  Status WriteAll() {
    Progress progress("score", 100, options_.progress);
    for (;;) {
      std::unique_ptr<Batch> batch;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!failure_ && !Interrupted() &&
               !(in_flight_.empty() ? reading_done_ : in_flight_.front()->done)) {
          row_ready_.wait_for(lock, std::chrono::milliseconds(100));
          ShowProgress(&progress);
          lock.unlock();
          Status status = FlushNowAndThen();
          if (!status.ok()) return status;
          lock.lock();
        }
        const bool ready = !in_flight_.empty() && in_flight_.front()->done;
        if (!ready && failure_) return *failure_;
        if (!ready && Interrupted()) break;
        if (!ready) break;  // all read, all written
        batch = std::move(in_flight_.front());
        in_flight_.pop_front();
        in_flight_bytes_ -= batch->bytes;
        room_.notify_one();
      }
      for (Row& row : batch->rows) {
        Status status = WriteRow(&row);
        if (!status.ok()) return status;
      }
      Status status = FlushNowAndThen();
      if (!status.ok()) return status;
      ShowProgress(&progress);
    }
    summary_.interrupted = Interrupted();
    if (std::lock_guard<std::mutex> lock(mutex_); read_failure_ && !summary_.interrupted) {
      std::lock_guard<std::mutex> store_lock(store_mutex_);
      if (store_) (void)store_->Commit();  // what was read before is done
      return *read_failure_;
    }
    if (split_groups_ > 0 && options_.warn) {
      options_.warn(StrCat(
          split_groups_.load(), " groups of '", options_.group_by,
          "' were split: their lines do not stand together. Name the file instead of piping it, or "
          "sort it by that field"));
    }
    return {};
  }

  // Slow rows must not wait in buffers: a killed run loses at most a second's work.
  Status FlushNowAndThen() {
    const Clock::time_point now = Clock::now();
    if (now - last_flush_ < std::chrono::seconds(1)) return {};
    last_flush_ = now;
    Status status = writer_->Flush();
    if (status.ok() && journal_) status = journal_->Flush();
    if (status.ok() && store_) {
      std::lock_guard<std::mutex> lock(store_mutex_);
      status = store_->Commit();
    }
    return status;
  }

  bool Interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }

  void ShowProgress(Progress* progress) {
    if (!options_.progress) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(summary_.samples) / seconds : 0;
    const double pass = summary_.scored > 0 ? 100.0 * static_cast<double>(summary_.all_pass) /
                                                  static_cast<double>(summary_.scored)
                                            : 0;
    const int64_t total = bytes_total_;
    progress->Update(total > 0 ? 100 * bytes_read_ / total : 0,
                     StrCat("pass ", FixedDigits(pass, 1), " %, ",
                            WithThousands(static_cast<int64_t>(rate)), " samples/s"));
  }

  Status WriteRow(Row* row) {
    const int64_t faults_before = summary_.faults;
    Count(*row);
    const int64_t faults = summary_.faults - faults_before;
    if (store_) {
      const RowKey key{options_.files[row->file], row->lines[0].line, row->hash};
      std::lock_guard<std::mutex> lock(store_mutex_);
      Status status =
          row->bad ? store_->AddBadRow(run_, key, row->error_message)
                   : store_->AddGroup(run_, key, row->group, row->score, options_.with_times);
      if (status.ok() && store_->ShouldCommit()) status = store_->Commit();
      if (!status.ok()) return status;
    }
    if (journal_) {
      Status status = journal_->Add(
          {row->file, row->lines[0].line, row->hash.low, row->lines.size(), row->bad, faults});
      if (!status.ok()) return status;
    }
    Status status = gathers_ ? WriteInPlace(*row) : writer_->Write(row->output);
    if (!status.ok()) return status;
    if (row->bad && options_.strict) {
      return Error{
          ErrorCode::kInput,
          StrCat(options_.files[row->file], ":", row->lines[0].line, ": ", row->error_message),
          "without --strict, bad lines are reported in their place and the rest is scored"};
    }
    return {};
  }

  // A gathered group's lines go where its input lines were; they wait until all before them are written.
  Status WriteInPlace(const Row& row) {
    const std::vector<std::string_view> lines = SplitChar(row.output, '\n');
    ASSAY_CHECK(lines.size() == row.lines.size());
    for (size_t i = 0; i < lines.size(); ++i) held_.emplace(row.lines[i].place, lines[i]);
    for (auto next = held_.begin(); next != held_.end() && next->first == lines_written_;
         next = held_.erase(next), ++lines_written_) {
      if (Status status = writer_->Write(next->second); !status.ok()) return status;
    }
    return {};
  }

  void Count(const Row& row) {
    summary_.rows += static_cast<int64_t>(row.lines.size());
    summary_.repairs.lone_surrogates += row.repairs.lone_surrogates;
    summary_.repairs.nonfinite += row.repairs.nonfinite;
    summary_.repairs.big_numbers += row.repairs.big_numbers;
    summary_.repairs.invalid_utf8 += row.repairs.invalid_utf8;
    if (row.bad) {
      ++summary_.bad_rows;
      return;
    }
    ++summary_.groups;
    bool varies = false;
    const Reward* first = nullptr;
    for (const SampleScore& sample : row.score.samples) {
      ++summary_.samples;
      bool all_pass = true, fault = false;
      for (size_t t = 0; t < row.score.labels.size(); ++t) {
        const Verdict& verdict = sample.verdicts[t];
        summary_.terms[row.score.labels[t]].Add(verdict);
        all_pass =
            all_pass && (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kAbstain);
        fault = fault || verdict.outcome == Outcome::kFault;
      }
      if (fault) ++summary_.faults;
      if (!sample.reward) {
        ++summary_.nulls;
        continue;
      }
      ++summary_.scored;
      summary_.reward_sum += *sample.reward;
      if (all_pass) ++summary_.all_pass;
      if (first == nullptr) first = &sample.reward;
      varies = varies || *sample.reward != **first;
    }
    if (!varies) ++summary_.zero_variance_groups;
  }

  void Stop() {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    work_ready_.notify_all();
    room_.notify_all();
  }

  Status CloseOutputs(bool finished) {
    Status status;
    if (store_) {
      std::lock_guard<std::mutex> lock(store_mutex_);
      // After an error of the store itself only its destructor may be called; it keeps what was committed.
      if (finished) status = summary_.interrupted ? store_->Commit() : store_->FinishRun(run_);
    }
    if (journal_) {
      const Status journal = journal_->Close();
      if (status.ok()) status = journal;
    }
    if (writer_) {
      const Status written = writer_->Close();
      if (status.ok()) status = written;
    }
    return status;
  }

  const ScoreRunOptions& options_;
  const Rubric& rubric_;
  Clock::time_point start_, last_flush_;
  ScoreRunSummary summary_;
  std::unique_ptr<LineWriter> writer_;
  std::unique_ptr<ResumeJournal> journal_;
  std::unique_ptr<Store> store_;
  std::mutex store_mutex_;  // the reader asks it while resuming
  RunId run_ = 0;
  int64_t store_rows_ = -1;  // rows in the store; -1: no store
  int64_t rows_done_ = 0;
  bool gathers_ = false;                // ReadGathered
  std::map<size_t, std::string> held_;  // output lines by place, those before them not yet written
  size_t lines_written_ = 0;

  // Reader thread only.
  Batch pending_;
  int64_t rows_read_ = 0;
  std::atomic<int64_t> bytes_read_{0}, bytes_total_{0}, split_groups_{0};

  std::mutex mutex_;
  std::condition_variable work_ready_, row_ready_, room_;
  std::deque<std::unique_ptr<Batch>> in_flight_;  // in input order
  std::deque<Batch*> to_do_;
  int64_t in_flight_bytes_ = 0;
  bool reading_done_ = false;
  std::atomic<bool> stopping_{false};
  std::optional<Error> failure_;
  std::optional<Error> read_failure_;  // said when all that was read before is written
};

}  // namespace

Result<ScoreRunSummary> ScoreFiles(const ScoreRunOptions& options, const Rubric& rubric) {
  return ScoreRun(options, rubric).Run();
}

}  // namespace assay
