#include "datagen/generate/generate_run.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/rows/messages.h"
#include "core/rows/problem_fields.h"
#include "core/text.h"

namespace assay {
namespace {

// A problem on its way to a worker and back.
struct Task {
  RowKey key;
  Problem problem;
  uint64_t place = 0;  // among all rows that are asked
  std::optional<Result<Generated>> answer;
};

// Tasks handed out in order and taken back in order, whichever worker was first. Bounded.
class TaskQueue {
 public:
  explicit TaskQueue(size_t most) : most_(most) {}

  bool Full() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tasks_.size() >= most_;
  }
  void Push(Task task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::make_unique<Task>(std::move(task)));
    to_do_.push_back(tasks_.back().get());
    changed_.notify_all();
  }
  // A worker's next task; null: no more.
  Task* Take() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !to_do_.empty(); });
    if (to_do_.empty() || stopped_) return nullptr;
    Task* task = to_do_.front();
    to_do_.pop_front();
    return task;
  }
  void Done(Task* task, Result<Generated> answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    task->answer = std::move(answer);
    changed_.notify_all();
  }
  // The oldest task once it is answered; null if there is none, or `wait` is false and it is not.
  std::unique_ptr<Task> Next(bool wait) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (tasks_.empty()) return nullptr;
    const auto answered = [this] { return tasks_.front()->answer.has_value(); };
    if (!wait && !answered()) return nullptr;
    changed_.wait(lock, answered);
    std::unique_ptr<Task> task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  // No more tasks come; `stop`: what is not begun is dropped.
  void End(bool stop) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    stopped_ = stop;
    if (stop) {
      for (Task* task : to_do_) task->answer = Error{ErrorCode::kUnavailable, "interrupted", ""};
      to_do_.clear();
    }
    changed_.notify_all();
  }

 private:
  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Task>> tasks_;
  std::deque<Task*> to_do_;
  bool ended_ = false, stopped_ = false;
};

// Of requests that fail through no fault of their own: nobody is there, or the key is refused.
constexpr int64_t kGiveUpAfter = 20;

class GenerateRun {
 public:
  GenerateRun(Store* store, const GenerateRunOptions& options)
      : store_(store),
        options_(options),
        queue_(static_cast<size_t>(4 * options.workers)),
        progress_("generate", 0, options.progress) {}

  Result<GenerateSummary> Run() {
    Result<RunId> run = store_->BeginRun(Info(), /*resume=*/true);
    if (!run.ok()) return run.error();
    run_ = *run;
    std::vector<std::unique_ptr<Generator>> generators;
    if (Status status = MakeGenerators(&generators); !status.ok()) return status.error();
    std::vector<std::thread> workers;
    for (const auto& generator : generators)
      workers.emplace_back([this, g = generator.get()] { Work(g); });
    Status status = ReadAll();
    summary_.interrupted = Interrupted();
    queue_.End(/*stop=*/!status.ok() || summary_.interrupted || summary_.gave_up);
    while (std::unique_ptr<Task> task = queue_.Next(/*wait=*/true)) {
      if (status.ok()) status = Keep(*task);
    }
    for (std::thread& worker : workers) worker.join();
    summary_.interrupted |= unfinished_;
    if (status.ok()) {
      const bool whole = !summary_.interrupted && summary_.failed == 0;
      status = whole ? store_->FinishRun(run_) : store_->Commit();
    }
    if (!status.ok()) return status.error();
    return std::move(summary_);
  }

 private:
  bool Interrupted() const {
    return options_.generator.cancelled != nullptr && *options_.generator.cancelled;
  }

  // What decides the samples. The key and how patiently the endpoint is asked do not.
  RunInfo Info() const {
    const GeneratorOptions& g = options_.generator;
    Json config = Json()
                      .Set("endpoint", g.endpoint)
                      .Set("command", g.command)
                      .Set("model", g.model)
                      .Set("system", g.system)
                      .Set("samples", g.samples)
                      .Set("temperature", g.temperature)
                      .Set("top_p", g.top_p)
                      .Set("max_tokens", g.max_tokens)
                      .Set("extra", g.extra)
                      .Set("seed", g.seed);
    if (!g.examples.empty()) {
      Json examples = Json::MakeArray();
      for (const Message& message : g.examples) examples.Append(MessageToJson(message));
      config.Set("examples", std::move(examples));
    }
    Json stop = Json::MakeArray();
    for (const std::string& text : g.stop) stop.Append(text);
    config.Set("stop", std::move(stop));
    RunInfo info;
    info.name = options_.run;
    info.rubric_json = Json()
                           .Set("name", "generate")
                           .Set("rule", "sum")
                           .Set("terms", Json::MakeArray())
                           .Set("generation", config)
                           .Dump();
    info.config_hash = HashBytes128(config.Dump()).Hex();
    info.tool_version = options_.tool_version;
    info.seed = g.seed;
    return info;
  }

  Status MakeGenerators(std::vector<std::unique_ptr<Generator>>* generators) {
    const std::shared_ptr<RateLimit> limit = MakeRateLimit(options_.generator.requests_per_minute);
    for (int64_t i = 0; i < options_.workers; ++i) {
      if (options_.generator.command.empty()) {
        generators->push_back(MakeEndpointGenerator(options_.generator, limit));
        continue;
      }
      Result<std::unique_ptr<Generator>> made = MakeCommandGenerator(options_.generator, limit);
      if (!made.ok()) return made.error();
      generators->push_back(std::move(*made));
    }
    return {};
  }

  void Work(Generator* generator) {
    while (Task* task = queue_.Take())
      queue_.Done(task, generator->Generate(task->problem, task->place));
  }

  Status ReadAll() {
    for (const std::string& file : options_.files) {
      Result<std::unique_ptr<LineReader>> reader =
          LineReader::Open(file, [this] { return !Interrupted(); });
      if (!reader.ok()) return reader.error();
      LineReader::Line line;
      for (;;) {
        Result<bool> more = (*reader)->Next(&line);
        if (!more.ok()) return more.error();
        if (!*more || Interrupted()) break;
        if (Status status = Ask(file, line); !status.ok()) return status;
        if (summary_.gave_up) return {};
      }
    }
    return {};
  }

  Status Ask(const std::string& file, const LineReader::Line& line) {
    const uint64_t place = rows_++;
    const RowKey key{file, line.number, HashBytes128(line.text)};
    Result<bool> has = store_->HasRow(run_, key);
    if (!has.ok()) return has.error();
    if (*has) {
      ++summary_.skipped;
      return {};
    }
    Result<Problem> problem = ReadProblem(line);
    if (!problem.ok()) {
      ++summary_.bad_rows;
      if (summary_.first_failure.empty())
        summary_.first_failure = StrCat(file, ":", line.number, ": ", problem.error().message);
      return {};
    }
    while (queue_.Full()) {
      std::unique_ptr<Task> task = queue_.Next(/*wait=*/true);
      if (Status status = Keep(*task); !status.ok()) return status;
    }
    queue_.Push({key, std::move(*problem), place, std::nullopt});
    while (std::unique_ptr<Task> task = queue_.Next(/*wait=*/false)) {
      if (Status status = Keep(*task); !status.ok()) return status;
    }
    return {};
  }

  Result<Problem> ReadProblem(const LineReader::Line& line) const {
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    if (!row.ok()) return row.error();
    if (Status status = ToAssayRow(options_.input_format, &*row); !status.ok())
      return status.error();
    FillProblem(&*row);
    for (const char* key : {"completions", "completion", "finish_reasons", "labels"})
      row->Erase(key);
    Result<Problem> problem = ProblemFromJson(*row);
    if (problem.ok() && problem->prompt.empty() && problem->messages.empty())
      return Error{ErrorCode::kInput, "the row has no prompt", ""};
    return problem;
  }

  // Every row is durable soon after it is answered: samples cost money.
  Status Keep(const Task& task) {
    const Result<Generated>& answer = *task.answer;
    if (!answer.ok()) {
      // What was not asked, or not to its end, did not fail.
      unfinished_ |= Interrupted();
      if (summary_.gave_up || Interrupted()) return {};
      ++summary_.failed;
      failed_in_a_row_ = answer.error().code == ErrorCode::kUnavailable ? failed_in_a_row_ + 1 : 0;
      summary_.gave_up = failed_in_a_row_ == kGiveUpAfter;
      if (summary_.first_failure.empty())
        summary_.first_failure =
            StrCat(task.key.file, ":", task.key.line, ": ", answer.error().message);
      return {};
    }
    failed_in_a_row_ = 0;
    Group group;
    group.problem = task.problem;
    group.samples = answer->samples;
    if (answer->completion_tokens > 0) {
      group.problem.extra.Set("usage", Json()
                                           .Set("prompt_tokens", answer->prompt_tokens)
                                           .Set("completion_tokens", answer->completion_tokens));
    }
    GroupScore score;
    score.samples.resize(group.samples.size());
    ++summary_.problems;
    summary_.samples += static_cast<int64_t>(group.samples.size());
    summary_.prompt_tokens += answer->prompt_tokens;
    summary_.completion_tokens += answer->completion_tokens;
    summary_.uncounted += answer->uncounted;
    progress_.Update(summary_.problems,
                     StrCat(WithThousands(summary_.completion_tokens), " tokens"));
    if (Status status = store_->AddGroup(run_, task.key, group, score, false); !status.ok())
      return status;
    return store_->Commit();
  }

  Store* store_;
  const GenerateRunOptions& options_;
  RunId run_ = 0;
  TaskQueue queue_;
  Progress progress_;
  uint64_t rows_ = 0;
  int64_t failed_in_a_row_ = 0;
  bool unfinished_ = false;  // the interruption came before all answers
  GenerateSummary summary_;
};

}  // namespace

Result<std::vector<Message>> ReadExamples(const std::string& file) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  std::vector<Message> turns;
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return turns;
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    Status status = row.ok() ? ToAssayRow("", &*row) : Status(row.error());
    Result<Group> group = status.ok() ? GroupFromJson(*row) : Result<Group>(status.error());
    if (!group.ok() || group->samples.empty() || group->problem.prompt.empty()) {
      return Error{ErrorCode::kInput,
                   StrCat(file, ":", line.number, ": ",
                          group.ok() ? "no prompt with a completion" : group.error().message),
                   R"(a line is {"prompt": "..", "completion": ".."})"};
    }
    const Problem& problem = group->problem;
    if (problem.messages.empty()) turns.push_back({"user", problem.prompt});
    for (const Message& message : problem.messages) {
      if (message.role != "system") turns.push_back(message);
    }
    turns.push_back({"assistant", group->samples[0].text});
  }
}

Result<GenerateSummary> GenerateIntoStore(Store* store, const GenerateRunOptions& options) {
  return GenerateRun(store, options).Run();
}

Json GenerateSummary::ToJson() const {
  return Json()
      .Set("problems", problems)
      .Set("skipped", skipped)
      .Set("bad_rows", bad_rows)
      .Set("failed", failed)
      .Set("samples", samples)
      .Set("prompt_tokens", prompt_tokens)
      .Set("completion_tokens", completion_tokens)
      .Set("uncounted", uncounted)
      .Set("gave_up", gave_up);
}

std::string GenerateSummary::ToText() const {
  std::string out =
      StrCat(WithThousands(samples), " samples of ", WithThousands(problems), " problems");
  if (completion_tokens > 0) {
    StrAppend(&out, "; ", WithThousands(prompt_tokens), " tokens read, ",
              WithThousands(completion_tokens), " written");
  }
  if (uncounted > 0)
    StrAppend(&out, "; no tokens were counted for ", WithThousands(uncounted), " answers");
  if (skipped > 0) StrAppend(&out, "; ", WithThousands(skipped), " problems were there before");
  if (bad_rows > 0) StrAppend(&out, "; ", WithThousands(bad_rows), " rows could not be read");
  if (failed > 0)
    StrAppend(&out, "; ", WithThousands(failed),
              gave_up ? " requests failed one after the other, so the rest was not asked"
                      : " requests failed",
              " (the same command asks again)");
  if (!first_failure.empty()) StrAppend(&out, "; the first: ", first_failure);
  return out + "\n";
}

}  // namespace assay
