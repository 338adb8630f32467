// assay_math_cases: runs JSON Lines files through the same MathVerifier that `assay score` uses and prints one JSON line a
// file. What a line is, is seen from its keys:
//   {"gold", "pred", "expect", "mode", "config"?, "options"?}  a case with a known verdict; config: the upstream names
//   {"answer", "completions", "labels"}             a real group: agreement with its labels
//   {"answer" | "expected_answer" | ...}            a problem: its gold against itself and against every other of the file
// A folder is a corpus of the fuzzers: each file in it goes through all of them for its time.
// With --known FILE, misses among the cases must be exactly the listed ones ({"id", "reason"}), and no false accept may be
// among them: otherwise the exit status is 1. With -v every wrong line is printed to stderr.
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/math/math.h"
#include "verifiers/math/math_verifier.h"
#include "verifiers/math/reply/extract.h"

namespace assay {
namespace {

struct CaseOptions {
  bool verbose = false;
  std::string known_file;
  std::string verdicts_file;
  std::string suites_file;
  Json group_options = Json::MakeObject();  // for groups
  std::vector<std::string> files;
};

struct Tally {
  int64_t cases = 0;
  int64_t right = 0;
  int64_t false_accept = 0;
  int64_t false_reject = 0;
  int64_t fault = 0;

  void Add(bool expect, bool got, bool is_fault) {
    ++cases;
    right += expect == got;
    false_accept += got && !expect;
    false_reject += expect && !got;
    fault += is_fault;
  }
  Json ToJson() const {
    Json json = Json::MakeObject();
    json.Set("cases", cases)
        .Set("right", right)
        .Set("false_accept", false_accept)
        .Set("false_reject", false_reject);
    if (fault != 0) json.Set("gold_fault", fault);
    return json;
  }
};

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// CPU time of the slowest of many calls. One that seems slow is run again: what a case costs is its fastest run, not the
// page faults of the first one.
class Stopwatch {
 public:
  template <typename Call>
  void Time(std::string_view name, const Call& call) {
    double spent = 1e9;
    for (int run = 0; run < 4 && (run == 0 || spent > kSlowMs); ++run) {
      const double start = CpuMs();
      call();
      spent = std::min(spent, CpuMs() - start);
    }
    if (spent <= slowest_ms_) return;
    slowest_ms_ = spent;
    slowest_ = Shorten(SanitizeUtf8(name), 120);
  }
  void Report(Json* out) const {
    out->Set("max_case_cpu_ms", slowest_ms_).Set("slowest", slowest_);
  }

 private:
  static constexpr double kSlowMs = 2;
  double slowest_ms_ = 0;
  std::string slowest_;
};

// Verifiers by their options, so that a file is not spent on making them.
class Judge {
 public:
  Result<Verdict> Ask(const std::string& gold, const std::string& reply, const Json& options) {
    std::unique_ptr<Verifier>& verifier = made_[options.Dump()];
    if (verifier == nullptr) {
      Result<std::unique_ptr<Verifier>> made = MakeMathVerifier(options, VerifierEnv{});
      if (!made.ok()) return made.error();
      verifier = std::move(made.value());
    }
    Group group;
    group.problem.answers = {gold};
    group.samples.resize(1);
    group.samples[0].text = reply;
    Verdict verdict;
    clock_.Time(reply, [&] { verdict = verifier->Verify(group, nullptr).front(); });
    return verdict;
  }
  const Stopwatch& clock() const { return clock_; }

 private:
  std::map<std::string, std::unique_ptr<Verifier>> made_;
  Stopwatch clock_;
};

// The upstream names of modes and settings in ours.
std::string ModeOf(const Json& row) {
  const std::string mode(row.StringOr("mode", "bare"));
  if (mode == "default" || mode == "extract" || mode == "default_text") return "completion";
  if (mode == "parse_equiv") return "bare";
  return mode;
}

Json OptionsOf(const Json& row, const Json& suites) {
  Json options = Json::MakeObject();
  options.Set("mode", ModeOf(row));
  const std::string source(row.StringOr("source", ""));
  if (const Json::Object* prefixes = suites.AsObject()) {
    for (const Json::Member& suite : *prefixes) {
      if (!StartsWith(source, suite.key) || suite.value.AsObject() == nullptr) continue;
      for (const Json::Member& option : *suite.value.AsObject())
        options.Set(option.key, option.value);
    }
  }
  if (const Json* own = row.Find("options"); own != nullptr && own->IsObject()) {
    for (const Json::Member& option : *own->AsObject()) options.Set(option.key, option.value);
  }
  const Json* config = row.Find("config");
  if (config == nullptr || !config->IsObject()) return options;
  for (const Json::Member& member : *config->AsObject()) {
    if (member.key == "float_rounding") options.Set("float_digits", member.value);
    if (member.key == "strings") options.Set("choices", member.value);
    if (member.key == "language" || member.key == "strict") options.Set(member.key, member.value);
    if (member.key == "allow_set_relation_comp") options.Set("inequality_for_set", member.value);
  }
  return options;
}

std::vector<std::string> SubsetsOf(const Json& row) {
  std::vector<std::string> subsets;
  const bool derived = row.StringOr("mode", "") == "parse_equiv";
  const bool aside = row.BoolOr("suspect", false);
  const bool hard = StartsWith(row.StringOr("id", ""), "h");  // math_hard.jsonl
  if (hard) {
    subsets.push_back(row.BoolOr("debatable", false) ? "debatable" : "firm");
  } else if (derived) {
    subsets.push_back(aside ? "derived_suspect" : "derived");
  } else {
    subsets.push_back("direct");
  }
  if (row.Find("policy") != nullptr) subsets.push_back("policy");
  if (StartsWith(row.StringOr("source", ""), "huggingface/Math-Verify"))
    subsets.push_back("math_verify");
  return subsets;
}

struct Miss {
  std::string id;  // of a group's completion: "id#number"
  bool accepted = false;
  bool aside = false;  // suspect, debatable or a house rule: neither listed nor counted as known
  bool label = false;  // a group's label differs: labels may be wrong, so passes may be listed, too
};

class FileRun {
 public:
  // `verdicts`: where every case's verdict is written, or null.
  FileRun(const CaseOptions& options, const Json& suites, std::vector<Miss>* misses,
          LineWriter* verdicts)
      : options_(options), suites_(suites), misses_(misses), verdicts_(verdicts) {}

  Result<Json> Run(const std::string& path) {
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
    if (!reader.ok()) return reader.error();
    LineReader::Line line;
    for (;;) {
      const Result<bool> more = reader.value()->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more) break;
      const Result<Json> row = ParseJson(line.text);
      if (!row.ok()) return row.error();
      const Status status = Take(*row, line.number);
      if (!status.ok()) return status.error();
    }
    CompareGolds();
    return Report(path);
  }

 private:
  Status Take(const Json& row, int64_t number) {
    if (row.Find("pred") != nullptr) return TakeCase(row);
    if (row.Find("completions") != nullptr) return TakeGroup(row, number);
    return TakeProblem(row, number);
  }

  Status TakeCase(const Json& row) {
    const Result<Verdict> verdict =
        judge_.Ask(std::string(row.StringOr("gold", "")), std::string(row.StringOr("pred", "")),
                   OptionsOf(row, suites_));
    if (!verdict.ok()) return verdict.error();
    const bool expect = row.BoolOr("expect", false);
    const bool got = verdict->outcome == Outcome::kPass;
    if (verdicts_ != nullptr) {
      Json line = Json::MakeObject();
      line.Set("id", row.StringOr("id", ""))
          .Set("expect", expect)
          .Set("got", got)
          .Set("reason", verdict->reason)
          .Set("evidence", verdict->evidence);
      if (const Status status = verdicts_->Write(line.Dump()); !status.ok()) return status.error();
    }
    all_.Add(expect, got, verdict->outcome == Outcome::kFault);
    for (const std::string& subset : SubsetsOf(row))
      subsets_[subset].Add(expect, got, verdict->outcome == Outcome::kFault);
    if (expect == got) return {};
    const bool aside = row.BoolOr("suspect", false) || row.BoolOr("debatable", false) ||
                       row.Find("policy") != nullptr;
    misses_->push_back({std::string(row.StringOr("id", "")), got, aside, false});
    Show(row.StringOr("id", ""), got ? "FALSE ACCEPT" : "FALSE REJECT", row.StringOr("gold", ""),
         row.StringOr("pred", ""), *verdict);
    return {};
  }

  Status TakeGroup(const Json& row, int64_t number) {
    const Json::Array* completions = row.Find("completions")->AsArray();
    const Json::Array* labels =
        row.Find("labels") == nullptr ? nullptr : row.Find("labels")->AsArray();
    const Json* answer = row.Find("answer");
    if (completions == nullptr || labels == nullptr || answer == nullptr ||
        labels->size() != completions->size()) {
      return Error{
          ErrorCode::kInput,
          StrCat("line ", number, ": a group needs 'answer' and as many 'labels' as 'completions'"),
          ""};
    }
    for (size_t i = 0; i < completions->size(); ++i) {
      if ((*labels)[i].IsNull()) continue;
      Json options = options_.group_options;
      const std::string reply = (*completions)[i].ScalarText();
      const Result<Verdict> verdict = judge_.Ask(answer->ScalarText(), reply, options);
      if (!verdict.ok()) return verdict.error();
      const bool expect =
          (*labels)[i].IsBool() ? *(*labels)[i].AsBool() : (*labels)[i].NumberOr(0) > 0.5;
      const bool got = verdict->outcome == Outcome::kPass;
      all_.Add(expect, got, verdict->outcome == Outcome::kFault);
      const std::string id = StrCat(row.StringOr("id", ""), "#", i);
      if (expect == got) continue;
      misses_->push_back({id, got, false, true});
      Show(id, got ? "PASS, label false" : "FAIL, label true", answer->ScalarText(), reply,
           *verdict);
    }
    return {};
  }

  Status TakeProblem(const Json& row, int64_t number) {
    for (const char* key :
         {"answer", "expected_answer", "final_answer", "solution", "reference_solution"}) {
      const Json* value = row.Find(key);
      if (value == nullptr || value->IsNull()) continue;
      const Json::Array* list = value->AsArray();
      std::vector<std::string> texts;
      for (size_t i = 0; list != nullptr && i < list->size(); ++i)
        texts.push_back((*list)[i].ScalarText());
      if (list == nullptr) texts.push_back(value->ScalarText());
      for (const std::string& text : texts) TakeGold(text, StrCat("line ", number));
      return {};
    }
    return {};
  }

  // Reads a gold as the verifier would (its box if it has one) and checks it against itself.
  void TakeGold(const std::string& text, const std::string& id) {
    std::string gold = text;
    if (math::HasAnswerFrame(text)) {
      math::ExtractOptions extract;
      extract.mode = math::Mode::kLatexExpr;
      gold = math::ExtractAnswer(text, extract).text;
    }
    math::ParsedAnswer parsed = math::Parse(gold);
    const bool self = parsed.ok() && math::Compare(parsed, parsed).equal();
    all_.Add(true, self, !parsed.ok());
    if (!self && options_.verbose)
      std::fprintf(stderr, "%s: gold does not %s: %s\n", id.c_str(),
                   parsed.ok() ? "equal itself" : "parse", gold.c_str());
    if (parsed.ok()) golds_.push_back({gold, std::move(parsed)});
  }

  // Each different gold against every other one: what is accepted is listed, for people to judge.
  void CompareGolds() {
    std::set<std::string> seen;
    std::vector<const std::pair<std::string, math::ParsedAnswer>*> different;
    for (const auto& gold : golds_) {
      if (seen.insert(gold.second.ToString()).second) different.push_back(&gold);
    }
    for (size_t i = 0; i < different.size() && different.size() <= 3000; ++i) {
      for (size_t j = 0; j < different.size(); ++j) {
        if (i == j) continue;
        ++pairs_;
        if (!math::Compare(different[i]->second, different[j]->second).equal()) continue;
        ++equal_pairs_;
        if (options_.verbose)
          std::fprintf(stderr, "EQUAL GOLDS: %s  <->  %s\n", different[i]->first.c_str(),
                       different[j]->first.c_str());
      }
    }
  }

  void Show(std::string_view id, const char* what, std::string_view gold, std::string_view reply,
            const Verdict& verdict) const {
    if (!options_.verbose) return;
    const std::string_view tail = reply.size() > 300 ? reply.substr(reply.size() - 300) : reply;
    std::fprintf(stderr, "%s %.*s: gold %s | %s%s\n    %s: %s %s\n", what,
                 static_cast<int>(id.size()), id.data(), Json(Shorten(gold, 300)).Dump().c_str(),
                 tail.size() < reply.size() ? ".." : "", Json(SanitizeUtf8(tail)).Dump().c_str(),
                 verdict.reason.c_str(), verdict.detail.c_str(), verdict.evidence.Dump().c_str());
  }

  Json Report(const std::string& path) const {
    Json json = all_.ToJson();
    Json out = Json::MakeObject();
    out.Set("file", path.substr(path.rfind('/') + 1));
    for (const Json::Member& member : *json.AsObject()) out.Set(member.key, member.value);
    if (!subsets_.empty()) {
      Json subsets = Json::MakeObject();
      for (const auto& [name, tally] : subsets_) subsets.Set(name, tally.ToJson());
      out.Set("subsets", std::move(subsets));
    }
    if (!golds_.empty()) out.Set("gold_pairs", pairs_).Set("equal_pairs", equal_pairs_);
    judge_.clock().Report(&out);
    return out;
  }

  const CaseOptions& options_;
  const Json& suites_;
  std::vector<Miss>* misses_;
  LineWriter* verdicts_;
  Judge judge_;
  Tally all_;
  std::map<std::string, Tally> subsets_;
  std::vector<std::pair<std::string, math::ParsedAnswer>> golds_;
  int64_t pairs_ = 0;
  int64_t equal_pairs_ = 0;
};

// All that the three fuzzers ask of one input, for its time.
void RunFuzzInput(std::string_view text) {
  const size_t split = std::min(text.find('\n'), text.size());
  const math::ParsedAnswer left = math::Parse(text.substr(0, split));
  const math::ParsedAnswer right = math::Parse(text.substr(std::min(split + 1, text.size())));
  math::Compare(left, right);
  for (const std::string& name : math::ModeNames()) {
    math::ExtractOptions options;
    options.mode = *math::ModeFromName(name);
    math::ExtractAnswer(text, options);
  }
}

Result<Json> RunCorpus(const std::string& folder) {
  Stopwatch clock;
  int64_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    // Bytes as they are: a fuzzer's input may look like UTF-16 or gzip.
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (!file.is_open())
      return Error{ErrorCode::kIo, StrCat("cannot read '", entry.path().string(), "'"), ""};
    clock.Time(entry.path().filename().string(), [&] { RunFuzzInput(text); });
    ++inputs;
  }
  Json out = Json::MakeObject();
  out.Set("file", std::filesystem::path(folder).filename().string()).Set("inputs", inputs);
  clock.Report(&out);
  return out;
}

// The listed misses against the real ones; true if they agree and no accept is among the real ones.
Result<bool> CheckKnown(const std::string& path, const std::vector<Miss>& misses) {
  std::map<std::string, bool> listed;  // id: seen
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    const Result<bool> more = reader.value()->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    const Result<Json> row = ParseJson(line.text);
    if (!row.ok()) return row.error();
    if (row->StringOr("reason", "").empty())
      return Error{ErrorCode::kInput,
                   StrCat(path, ", line ", line.number, ": a known miss needs a reason"), ""};
    listed[std::string(row->StringOr("id", ""))] = false;
  }
  bool ok = true;
  for (const Miss& miss : misses) {
    const auto found = listed.find(miss.id);
    if (found != listed.end()) found->second = true;
    if (miss.aside) continue;
    const bool wrong_accept = miss.accepted && !miss.label;
    if (wrong_accept)
      std::fprintf(stderr, "%s: a false accept, which can never be a known miss\n",
                   miss.id.c_str());
    if (!wrong_accept && found == listed.end())
      std::fprintf(stderr, "%s: a new miss\n", miss.id.c_str());
    ok = ok && !wrong_accept && found != listed.end();
  }
  for (const auto& [id, seen] : listed) {
    if (seen) continue;
    std::fprintf(stderr,
                 "%s: listed as a known miss, but right (or not asked): take it off the list\n",
                 id.c_str());
    ok = false;
  }
  return ok;
}

int Usage() {
  std::fprintf(stderr,
               "usage: assay_math_cases [-v] [--known FILE] [--suites FILE] [--verdicts FILE] "
               "[--group-options JSON] "
               "FILE..\n");
  return 2;
}

int Fail(const Error& error) {
  std::fprintf(stderr, "error: %s\n", error.message.c_str());
  return 2;
}

int Main(int argc, char** argv) {
  CaseOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "-v") {
      options.verbose = true;
    } else if (word == "--known" && i + 1 < argc) {
      options.known_file = argv[++i];
    } else if (word == "--verdicts" && i + 1 < argc) {
      options.verdicts_file = argv[++i];
    } else if (word == "--suites" && i + 1 < argc) {
      options.suites_file = argv[++i];
    } else if (word == "--group-options" && i + 1 < argc) {
      const Result<Json> parsed = ParseJson(argv[++i]);
      if (!parsed.ok()) return Fail(parsed.error());
      options.group_options = *parsed;
    } else if (StartsWith(word, "-")) {
      return Usage();
    } else {
      options.files.emplace_back(word);
    }
  }
  if (options.files.empty()) return Usage();
  Json suites;
  if (!options.suites_file.empty()) {
    const Result<std::string> text = ReadFile(options.suites_file);
    if (!text.ok()) return Fail(text.error());
    const Result<Json> parsed = ParseJson(*text);
    if (!parsed.ok()) return Fail(parsed.error());
    suites = *parsed;
  }
  std::unique_ptr<LineWriter> verdicts;
  if (!options.verdicts_file.empty()) {
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(options.verdicts_file);
    if (!writer.ok()) return Fail(writer.error());
    verdicts = std::move(writer.value());
  }
  std::vector<Miss> misses;
  for (const std::string& file : options.files) {
    const Result<Json> report = std::filesystem::is_directory(file)
                                    ? RunCorpus(file)
                                    : FileRun(options, suites, &misses, verdicts.get()).Run(file);
    if (!report.ok()) return Fail(report.error());
    std::printf("%s\n", report->Dump().c_str());
    std::fflush(stdout);
  }
  if (verdicts != nullptr) {
    if (const Status closed = verdicts->Close(); !closed.ok()) return Fail(closed.error());
  }
  if (options.known_file.empty()) return 0;
  const Result<bool> known = CheckKnown(options.known_file, misses);
  if (!known.ok()) return Fail(known.error());
  return *known ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
