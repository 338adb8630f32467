#include "datagen/testgen/testgen.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/rows/problem_fields.h"
#include "core/text.h"
#include "datagen/testgen/stream_tests.h"

namespace assay {
namespace {

using testgen::MadeTests;
using testgen::ProposalFile;

// A row on its way through the threads.
struct Row {
  Json json;
  Group group;
  std::string key;  // its id, or where it stands
  uint64_t place = 0;
  std::optional<Result<MadeTests>> made;
  std::string model;  // that was asked now
};

Json CountsToJson(const std::map<std::string, int64_t>& counts) {
  Json out = Json::MakeObject();
  for (const auto& [name, count] : counts) out.Set(name, count);
  return out;
}

// What the row says of where its tests are from.
Json OriginOf(const MadeTests& made, const std::string& model, const std::string& tool) {
  Json out = Json().Set("tool", StrCat("assay testgen ", tool));
  if (!model.empty()) out.Set("model", model);
  if (!made.nothing.empty()) {
    out.Set("nothing", made.nothing);
  } else {
    Json origins = Json::MakeArray();
    for (const testgen::Proposal& test : made.kept) origins.Append(test.origin);
    out.Set("origins", std::move(origins));
  }
  out.Set("believed", made.by_reference ? "reference" : "agreement");
  if (!made.by_reference) {
    out.Set("samples", made.samples).Set("agreeing", made.agreeing).Set("sets", made.sets);
    if (made.stubs > 0) out.Set("stubs", made.stubs);
    if (made.picked >= 0) out.Set("picked", made.picked);
  }
  return out.Set("proposed", made.proposed)
      .Set("mutants", made.mutants)
      .Set("dropped", CountsToJson(made.dropped));
}

class Run {
 public:
  Run(const TestgenOptions& options, Sandbox* sandbox)
      : options_(options),
        sandbox_(sandbox),
        asks_(!options.generator.endpoint.empty() || !options.generator.command.empty()),
        progress_("testgen", 0, options.progress) {}

  Result<TestgenSummary> Do() {
    if (!options_.proposals.empty()) {
      Result<std::unique_ptr<ProposalFile>> file = ProposalFile::Open(options_.proposals, asks_);
      if (!file.ok()) return file.error();
      proposals_ = std::move(*file);
    }
    threads_ = std::max<int64_t>(options_.jobs, asks_ ? options_.workers : 1);
    if (Status status = MakeGenerators(); !status.ok()) return status.error();
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(options_.output);
    if (!writer.ok()) return writer.error();
    writer_ = std::move(*writer);
    for (const std::string& file : options_.files) {
      if (Status status = ReadOne(file); !status.ok()) return status.error();
    }
    Status status = DoChunk();
    if (status.ok()) status = writer_->Close();
    if (!status.ok()) return status.error();
    summary_.interrupted = Interrupted();
    return std::move(summary_);
  }

 private:
  bool Interrupted() const { return options_.interrupted != nullptr && *options_.interrupted; }

  Status MakeGenerators() {
    if (!asks_) return {};
    const std::shared_ptr<RateLimit> limit = MakeRateLimit(options_.generator.requests_per_minute);
    for (int64_t i = 0; i < threads_; ++i) {
      if (options_.generator.command.empty()) {
        generators_.push_back(MakeEndpointGenerator(options_.generator, limit));
        continue;
      }
      Result<std::unique_ptr<Generator>> made = MakeCommandGenerator(options_.generator, limit);
      if (!made.ok()) return made.error();
      generators_.push_back(std::move(*made));
    }
    return {};
  }

  Status ReadOne(const std::string& file) {
    Result<std::unique_ptr<LineReader>> reader =
        LineReader::Open(file, [this] { return !Interrupted(); });
    if (!reader.ok()) return reader.error();
    LineReader::Line line;
    for (;;) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more || Interrupted()) return {};
      ++summary_.rows;
      Row row;
      row.place = places_++;
      if (Status status = ReadRow(line, &row); !status.ok()) {
        ++summary_.bad_rows;
        if (summary_.first_error.empty())
          summary_.first_error = StrCat(file, ":", line.number, ": ", status.error().message);
        continue;
      }
      chunk_.push_back(std::move(row));
      if (static_cast<int64_t>(chunk_.size()) < 4 * threads_) continue;
      if (Status status = DoChunk(); !status.ok()) return status;
    }
  }

  Status ReadRow(const LineReader::Line& line, Row* row) const {
    if (line.too_long) return Error{ErrorCode::kInput, "the line is too long", ""};
    Result<Json> json = ParseJson(line.text);
    if (!json.ok()) return json.error();
    if (Status status = ToAssayRow(options_.input_format, &*json); !status.ok()) return status;
    FillProblem(&*json);
    row->json = std::move(*json);
    if (row->json.Find("completions") != nullptr || row->json.Find("completion") != nullptr) {
      Result<Group> group = GroupFromJson(row->json);
      if (!group.ok()) return group.error();
      row->group = std::move(*group);
    } else {
      Result<Problem> problem = ProblemFromJson(row->json);
      if (!problem.ok()) return problem.error();
      row->group.problem = std::move(*problem);
    }
    const std::string& id = row->group.problem.id;
    row->key = id.empty() ? StrCat("line ", line.number) : id;
    return {};
  }

  // The rows that wait: worked on by all threads, written in order.
  Status DoChunk() {
    std::atomic<size_t> next{0};
    const auto work = [&](size_t thread) {
      for (size_t at = next++; at < chunk_.size() && !Interrupted(); at = next++)
        DoRow(thread, &chunk_[at]);
    };
    std::vector<std::thread> threads;
    for (int64_t t = 1; t < threads_; ++t) threads.emplace_back(work, static_cast<size_t>(t));
    work(0);
    for (std::thread& thread : threads) thread.join();
    for (Row& row : chunk_) {
      if (!row.made || Interrupted()) continue;
      if (Status status = Write(&row); !status.ok()) return status;
    }
    progress_.Update(summary_.rows, StrCat(WithThousands(summary_.kept), " tests"));
    chunk_.clear();
    return {};
  }

  void DoRow(size_t thread, Row* row) {
    std::vector<std::string> replies;
    const std::vector<std::string>* known =
        proposals_ == nullptr ? nullptr : proposals_->Find(row->key);
    if (known != nullptr) {
      replies = *known;
    } else if (asks_) {
      Result<std::vector<std::string>> asked = Ask(generators_[thread].get(), row);
      if (!asked.ok()) {
        row->made = Result<MadeTests>(asked.error());
        return;
      }
      replies = std::move(*asked);
    }
    row->made = testgen::MakeTests(row->group, replies, options_.rules, sandbox_);
  }

  Result<std::vector<std::string>> Ask(Generator* generator, Row* row) {
    Problem request;
    request.id = row->key;
    using testgen::TestKind;
    const TestKind kind = options_.rules.kind;
    request.prompt =
        TestRequest(row->group.problem,
                    kind == TestKind::kPrograms ||
                        (kind == TestKind::kAuto && testgen::AsksForProgram(row->group.problem)));
    Result<Generated> answer = generator->Generate(request, row->place);
    if (!answer.ok()) return answer.error();
    std::vector<std::string> replies;
    for (Sample& sample : answer->samples) {
      row->model = sample.model;
      replies.push_back(std::move(sample.text));
    }
    if (proposals_ != nullptr) {
      if (Status status = proposals_->Add(row->key, replies, row->model); !status.ok())
        return status.error();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    summary_.prompt_tokens += answer->prompt_tokens;
    summary_.completion_tokens += answer->completion_tokens;
    return replies;
  }

  Status Write(Row* row) {
    if (!row->made->ok()) {
      const Error& error = row->made->error();
      if (error.code == ErrorCode::kInternal) return error;
      // A request that failed, or a row whose options do not fit.
      ++summary_.failed_requests;
      ++summary_.without["not_asked"];
      if (summary_.first_error.empty()) summary_.first_error = error.message;
      return {};
    }
    const MadeTests& made = **row->made;
    summary_.proposed += made.proposed;
    summary_.kept += static_cast<int64_t>(made.kept.size());
    for (const auto& [reason, count] : made.dropped) {
      if (count > 0) summary_.dropped[reason] += count;
    }
    if (made.kept.empty()) {
      ++summary_.without[made.nothing];
      if (!options_.keep_rows) return {};
    } else {
      ++(made.by_reference ? summary_.by_reference : summary_.by_agreement);
    }
    row->json.Set(
        "verification_info",
        made.kept.empty() ? Json() : testgen::WithTests(row->group.problem, made, options_.rules));
    row->json.Set("tests_from", OriginOf(made, row->model, options_.tool_version));
    return writer_->Write(row->json.Dump());
  }

  const TestgenOptions& options_;
  Sandbox* const sandbox_;
  const bool asks_;
  int64_t threads_ = 1;
  std::unique_ptr<ProposalFile> proposals_;
  std::vector<std::unique_ptr<Generator>> generators_;
  std::unique_ptr<LineWriter> writer_;
  std::vector<Row> chunk_;
  uint64_t places_ = 0;
  std::mutex mutex_;
  TestgenSummary summary_;
  Progress progress_;
};

void AppendCounts(std::string_view title, const std::map<std::string, int64_t>& counts,
                  std::string* text) {
  if (counts.empty()) return;
  StrAppend(text, title, "\n");
  for (const auto& [name, count] : counts)
    StrAppend(text, "  ", name, ": ", WithThousands(count), "\n");
}

}  // namespace

std::string TestRequest(const Problem& problem, bool programs) {
  if (programs) {
    return StrCat(
        "Write tests for a program that reads standard input and prints to standard output, not "
        "the program itself. The task that it solves:\n\n",
        problem.prompt,
        "\n\nAnswer with one JSON list of ten to twenty objects, each with the texts \"input\", "
        "all "
        "that stands on standard input, and \"output\", all that must be printed. Work each output "
        "out by hand from the task. Cover its examples, ordinary inputs, edge cases and large "
        "inputs, and keep to the form of input that the task describes.");
  }
  const std::string entry_point = testgen::EntryPointOf(problem);
  return StrCat(
      "Write tests for a Python function, not the function itself. The task that it solves:\n\n",
      problem.prompt, "\n\n",
      entry_point.empty() ? std::string("Call the function by the name that the task gives it. ")
                          : StrCat("Call the function by its name, `", entry_point, "`. "),
      "Answer with one block of Python that holds ten to twenty `assert` statements, each with one "
      "call and the value that it must "
      "give. Work each value out by hand from the task. Cover its examples, ordinary inputs, edge "
      "cases and large inputs. Do not "
      "use random numbers, files, the clock or packages outside of the standard library.");
}

Json TestgenSummary::ToJson() const {
  Json out = Json()
                 .Set("rows", rows)
                 .Set("bad_rows", bad_rows)
                 .Set("by_reference", by_reference)
                 .Set("by_agreement", by_agreement)
                 .Set("proposed", proposed)
                 .Set("kept", kept)
                 .Set("dropped", CountsToJson(dropped))
                 .Set("without", CountsToJson(without))
                 .Set("failed_requests", failed_requests)
                 .Set("prompt_tokens", prompt_tokens)
                 .Set("completion_tokens", completion_tokens);
  if (!first_error.empty()) out.Set("first_error", first_error);
  return out;
}

std::string TestgenSummary::ToText() const {
  std::string text =
      StrCat("tests for ", WithThousands(by_reference + by_agreement), " of ", WithThousands(rows),
             " rows: ", WithThousands(kept), " kept of ", WithThousands(proposed),
             " that were run (", WithThousands(by_reference), " rows by their reference, ",
             WithThousands(by_agreement), " by agreement)\n");
  AppendCounts("tests dropped:", dropped, &text);
  AppendCounts("rows without tests:", without, &text);
  if (bad_rows > 0) StrAppend(&text, "bad rows: ", WithThousands(bad_rows), "\n");
  if (completion_tokens > 0)
    StrAppend(&text, "tokens: ", WithThousands(prompt_tokens), " in, ",
              WithThousands(completion_tokens), " out\n");
  if (!first_error.empty()) StrAppend(&text, "first error: ", first_error, "\n");
  return text;
}

Result<TestgenSummary> WriteTests(const TestgenOptions& options, Sandbox* sandbox) {
  return Run(options, sandbox).Do();
}

}  // namespace assay
