#include "datagen/testgen/proposals.h"

#include <filesystem>
#include <utility>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/testgen/box_scripts.h"
#include "verifiers/code/extract_program.h"

namespace assay::testgen {
namespace {

constexpr int64_t kProposeCpuMs = 10'000;
constexpr int64_t kObserveCpuMs = 6'000;
constexpr size_t kReplyBytesMost = 200'000;

Error BadLine(const std::string& path, int64_t number, const std::string& what) {
  return {ErrorCode::kInput, StrCat(path, ":", number, ": ", what),
          R"(a line is {"id": "p1", "completions": ["assert f(1) == 2"]})"};
}

Result<std::pair<std::string, std::vector<std::string>>> ReadProposal(std::string_view line) {
  Result<Json> row = ParseJson(line);
  if (!row.ok()) return row.error();
  if (const Json* tests = row->Find("tests"); tests != nullptr && tests->IsArray()) {
    const Json* id = row->Find("id");
    if (id == nullptr) return Error{ErrorCode::kInput, "no id", ""};
    std::pair<std::string, std::vector<std::string>> out{id->ScalarText(), {}};
    for (const Json& test : *tests->AsArray()) out.second.push_back(test.ScalarText());
    return out;
  }
  if (Status status = ToAssayRow("", &*row); !status.ok()) return status.error();
  Result<Group> group = GroupFromJson(*row);
  if (!group.ok()) return group.error();
  if (group->problem.id.empty()) return Error{ErrorCode::kInput, "no id", ""};
  std::pair<std::string, std::vector<std::string>> out{group->problem.id, {}};
  for (Sample& sample : group->samples) out.second.push_back(std::move(sample.text));
  return out;
}

// Makes a file that ends within a line end with one: what parses was whole, the rest is half of what was being written.
Status MendEnd(const std::string& path) {
  Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.error();
  if (text->empty() || text->back() == '\n') return {};
  const size_t start = text->rfind('\n') + 1;  // 0 where there is none
  if (ParseJson(std::string_view(*text).substr(start)).ok()) {
    *text += '\n';
  } else {
    text->resize(start);
  }
  return WriteFileAtomic(path, *text);
}

}  // namespace

Result<Proposals> RunProposer(const char* script, const Json& asked, int64_t replies,
                              const std::function<std::string(const Json& test)>& source,
                              Sandbox* sandbox) {
  Job job;
  job.source = script;
  job.stdin_bytes = asked.Dump();
  job.limits.cpu_ms = kProposeCpuMs;
  const RunResult run = sandbox->Run(job);
  if (run.cause == Cause::kFault) return Error{ErrorCode::kInternal, run.fault, ""};
  Proposals out;
  Result<Json> said = run.ok() ? ParseJson(run.stdout_bytes) : Result<Json>(Error{});
  const Json* tests = said.ok() ? said->Find("tests") : nullptr;
  if (tests == nullptr || !tests->IsArray()) {
    // Text on which Python's own parser gives up.
    out.dropped["does_not_parse"] = replies;
    return out;
  }
  for (const Json& test : *tests->AsArray()) {
    const int64_t reply = test.IntOr("reply", -1);
    out.tests.push_back(
        {source(test), reply < 0 ? std::string("prompt") : StrCat("reply ", reply)});
  }
  if (const Json* dropped = said->Find("dropped"); dropped != nullptr && dropped->IsObject()) {
    for (const Json::Member& member : *dropped->AsObject())
      out.dropped[member.key] = dropped->IntOr(member.key, 0);
  }
  if (const Json* calls = said->Find("calls"); calls != nullptr && calls->IsArray()) {
    for (const Json& call : *calls->AsArray()) out.calls.push_back(call.ScalarText());
  }
  return out;
}

Result<Proposals> Propose(const Problem& problem, const std::string& entry_point,
                          const std::vector<std::string>& replies, int64_t inputs,
                          Sandbox* sandbox) {
  Json texts = Json::MakeArray();
  for (const std::string& reply : replies) {
    const std::string_view bounded = std::string_view(reply).substr(0, kReplyBytesMost);
    texts.Append(ExtractProgram(bounded, "python").text);
  }
  const Json asked = Json()
                         .Set("prompt", problem.prompt)
                         .Set("entry_point", entry_point)
                         .Set("replies", std::move(texts))
                         .Set("inputs", inputs);
  return RunProposer(
      kPropose, asked, static_cast<int64_t>(replies.size()),
      [](const Json& test) { return std::string(test.StringOr("source", "")); }, sandbox);
}

std::vector<std::optional<std::string>> Observe(const std::string& program,
                                                const std::vector<std::string>& calls,
                                                Sandbox* sandbox) {
  std::vector<std::optional<std::string>> values(calls.size());
  Json list = Json::MakeArray();
  for (const std::string& call : calls) list.Append(call);
  Job job;
  job.source = kObserve;
  job.files = {{"calls.json", list.Dump()}, {"candidate.py", program}};
  job.collect = {"observed.jsonl"};
  job.limits.cpu_ms = kObserveCpuMs;
  const RunResult run = sandbox->Run(job);
  if (run.collected.empty()) return values;
  size_t at = 0;
  for (std::string_view line : SplitChar(run.collected[0].bytes, '\n')) {
    if (at == values.size()) break;
    const Result<Json> value = ParseJson(line);
    if (value.ok() && value->IsString()) values[at] = *value->AsString();
    ++at;
  }
  return values;
}

Result<std::unique_ptr<ProposalFile>> ProposalFile::Open(const std::string& path, bool add) {
  auto file = std::make_unique<ProposalFile>();
  file->path_ = path;
  if (!std::filesystem::exists(path)) return file;
  if (add) {
    if (Status status = MendEnd(path); !status.ok()) return status.error();
  }
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return file;
    auto proposal = ReadProposal(line.text);
    if (!proposal.ok()) return BadLine(path, line.number, proposal.error().message);
    std::vector<std::string>& replies = file->replies_[proposal->first];
    replies.insert(replies.end(), std::make_move_iterator(proposal->second.begin()),
                   std::make_move_iterator(proposal->second.end()));
  }
}

const std::vector<std::string>* ProposalFile::Find(const std::string& id) const {
  const auto found = replies_.find(id);
  return found == replies_.end() ? nullptr : &found->second;
}

Status ProposalFile::Add(const std::string& id, const std::vector<std::string>& replies,
                         const std::string& model) {
  Json texts = Json::MakeArray();
  for (const std::string& reply : replies) texts.Append(reply);
  const Json line = Json().Set("id", id).Set("model", model).Set("completions", std::move(texts));
  const std::lock_guard<std::mutex> lock(mutex_);
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(path_, /*append=*/true);
  if (!writer.ok()) return writer.error();
  if (Status status = (*writer)->Write(line.Dump()); !status.ok()) return status;
  return (*writer)->Close();
}

}  // namespace assay::testgen
