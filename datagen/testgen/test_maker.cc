#include "datagen/testgen/test_maker.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/text.h"
#include "datagen/audit/mutants.h"
#include "datagen/audit/row_checks.h"
#include "datagen/testgen/agreement.h"
#include "datagen/testgen/stream_tests.h"
#include "verifiers/code/judge_program.h"

namespace assay::testgen {
namespace {

// A value that many programs give for a call is proposed, and so are the next ones: which is right is for all tests together to say.
constexpr size_t kValuesMost = 3;
constexpr char kInput[] = "input";
// So many calls are made up for each one that is wanted, for telling ones to be among them.
constexpr int64_t kCallsMore = 4;
constexpr int64_t kCallsMost = 200;
// From so many calls with the same value on a program is a stub.
constexpr size_t kStubCalls = 6;

struct Program {
  CodeProgram code;
  int64_t samples = 1;
  int64_t first = 0;  // the shortest sample that is this program
  size_t bytes = 0;
};

struct Test : Proposal {
  std::optional<size_t> call = {};  // made up: which one, and the value that is proposed for it
  std::string value = {};
};

// `f(1) == 2.5` within what a float's last digits are worth.
std::string AssertOf(const std::string& call, const std::string& value) {
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  const bool is_float = *end == '\0' && value.find_first_of(".e") != std::string::npos &&
                        value.find('x') == value.npos;
  if (!is_float) return StrCat("assert ", call, " == ", value);
  return StrCat("assert abs(", call, " - ", number < 0 ? "(" : "", value, number < 0 ? ")" : "",
                ") <= 1e-06 * max(1, abs(", value, "))");
}

class Maker {
 public:
  Maker(const Group& group, const std::vector<std::string>& replies, const TestRules& rules,
        Sandbox* sandbox)
      : group_(group), replies_(replies), rules_(rules), sandbox_(sandbox) {
    made_.streams = rules.kind == TestKind::kPrograms ||
                    (rules.kind == TestKind::kAuto && AsksForProgram(group.problem));
  }

  Result<MadeTests> Run() {
    const Json& info = group_.problem.verification_info;
    for (const char* key : {"checker", "interactor"}) {
      // Where several outputs are right, one that a program printed is no test.
      const Json* judge = info.Find(key);
      if (made_.streams && judge != nullptr && !judge->IsNull()) return Nothing("has_checker");
    }
    Result<Proposals> proposals = ProposeTests();
    if (!proposals.ok()) return proposals.error();
    made_.dropped = proposals->dropped;
    for (Proposal& proposal : proposals->tests) tests_.push_back({std::move(proposal)});
    if (!made_.streams) FindSetup();
    if (Status status = FindPrograms(); !status.ok()) return status.error();
    if (programs_.empty()) return Nothing("no_program");
    ProposeValues(proposals->calls);
    if (programs_.empty()) return Nothing("no_program");
    made_.proposed = static_cast<int64_t>(tests_.size());
    if (tests_.empty()) return Nothing("no_proposal");
    Status status = made_.by_reference ? BelieveReference() : BelieveAgreement();
    if (status.ok() && made_.nothing.empty()) status = AskMutants();
    if (!status.ok()) return status.error();
    if (made_.nothing.empty() && tests_.empty()) made_.nothing = "no_test_left";
    made_.kept.assign(tests_.begin(), tests_.end());
    return std::move(made_);
  }

 private:
  MadeTests Nothing(std::string why) {
    made_.nothing = std::move(why);
    return std::move(made_);
  }

  Result<Proposals> ProposeTests() {
    const int64_t calls = std::min(kCallsMore * rules_.inputs, kCallsMost);
    if (made_.streams) return ProposeStreams(group_.problem, replies_, calls, sandbox_);
    return Propose(group_.problem, EntryPointOf(group_.problem), replies_, calls, sandbox_);
  }

  // What function tests need before them.
  void FindSetup() {
    const std::string entry_point = EntryPointOf(group_.problem);
    made_.setup = std::string(group_.problem.verification_info.StringOr("setup", ""));
    const CodePrompt prompt = ReadCodePrompt(group_.problem.prompt, entry_point);
    if (!entry_point.empty() && made_.setup.empty() && !prompt.before.empty())
      made_.setup = prompt.before;
  }

  // A task of these tests; `list` as ListTexts.
  Result<CodeTask> TaskOf(const std::vector<Test>& tests, bool list) const {
    Problem problem = group_.problem;
    MadeTests shown;
    shown.kept.assign(tests.begin(), tests.end());
    shown.setup = made_.setup;
    shown.streams = made_.streams;
    problem.verification_info = WithTests(problem, shown, rules_);
    problem.verification_info.Set("partial", true);
    CodeOptions options;
    options.beside = false;
    options.check_reference = false;
    Result<CodeTask> task = ReadCodeTask(problem, options);
    if (!task.ok()) return task.error();
    task->limits.cpu_ms = std::min(task->limits.cpu_ms, rules_.cpu_ms);
    if (list && !made_.streams) ListTexts(&*task);
    return task;
  }

  // The reference alone, or the different programs of the samples.
  Status FindPrograms() {
    const std::string any =
        made_.streams ? StreamSource("", "") : StrCat("assert ", EntryPointOf(group_.problem));
    Result<CodeTask> task = TaskOf({Test{{any, ""}}}, false);
    if (!task.ok()) return task.error();
    base_ = *task;
    const std::string reference =
        rules_.ignore_reference ? "" : audit::SolutionOf(group_.problem, rules_.reference_key);
    if (!reference.empty()) {
      CodeTask whole = *task;  // a solution is no base model's text
      whole.options.cut_humaneval = false;
      made_.by_reference = true;
      programs_.push_back({BuildProgram(whole, reference)});
      if (programs_[0].code.text.empty()) programs_.clear();
      return {};
    }
    std::map<std::string, size_t> known;
    for (size_t i = 0; i < group_.samples.size(); ++i) {
      const std::string& text = group_.samples[i].text;
      CodeProgram code = BuildProgram(*task, text);
      if (Trim(code.text).empty()) continue;
      const auto [found, fresh] = known.emplace(code.text, programs_.size());
      if (fresh) {
        programs_.push_back({std::move(code), 1, static_cast<int64_t>(i), text.size()});
        continue;
      }
      Program& same = programs_[found->second];
      ++same.samples;
      if (text.size() < same.bytes) {
        same.first = static_cast<int64_t>(i);
        same.bytes = text.size();
      }
    }
    made_.samples = static_cast<int64_t>(group_.samples.size());
    return {};
  }

  struct Value {
    std::string text;
    int64_t samples = 0;
  };

  // What every program gives for every call; then tests out of the calls that tell programs apart, with the values that most samples give.
  void ProposeValues(const std::vector<std::string>& calls) {
    if (calls.empty()) return;
    for (const Program& program : programs_) {
      seen_.push_back(made_.streams ? ObserveStreams(base_, program.code.text, calls, sandbox_)
                                    : Observe(program.code.text, calls, sandbox_));
    }
    if (!made_.by_reference) DropStubs();
    for (const size_t c : TellingCalls(calls.size())) {
      std::vector<Value> values = ValuesOf(c);
      std::stable_sort(values.begin(), values.end(),
                       [](const Value& a, const Value& b) { return a.samples > b.samples; });
      for (size_t v = 0; v < values.size() && v < kValuesMost; ++v) {
        if (made_.by_reference || values[v].samples >= rules_.min_agreement)
          AddValueTest(calls[c], c, values[v].text);
      }
    }
  }

  void AddValueTest(const std::string& call, size_t c, const std::string& value) {
    std::string source = made_.streams ? StreamSource(call, value + "\n") : AssertOf(call, value);
    const bool known = std::any_of(tests_.begin(), tests_.end(),
                                   [&](const Test& test) { return test.source == source; });
    if (known) {
      ++made_.dropped["double"];
      return;
    }
    Test& test = tests_.emplace_back();
    test.source = std::move(source);
    test.origin = kInput;
    test.call = c;
    test.value = value;
  }

  std::vector<Value> ValuesOf(size_t call) const {
    std::vector<Value> values;
    for (size_t p = 0; p < programs_.size(); ++p) {
      const std::optional<std::string>& seen = seen_[p][call];
      if (!seen) continue;
      auto found = std::find_if(values.begin(), values.end(),
                                [&](const Value& value) { return value.text == *seen; });
      if (found == values.end()) found = values.insert(found, Value{*seen, 0});
      found->samples += programs_[p].samples;
    }
    return values;
  }

  // A program that answers everything with one value (a body of `pass` above all) would agree with all others of its kind: it has no say.
  void DropStubs() {
    std::vector<Program> programs;
    std::vector<std::vector<std::optional<std::string>>> seen;
    for (size_t p = 0; p < programs_.size(); ++p) {
      std::vector<std::string> values;
      for (const auto& value : seen_[p]) {
        if (value) values.push_back(*value);
      }
      const bool stub =
          values.size() >= kStubCalls && std::count(values.begin(), values.end(), values[0]) ==
                                             static_cast<ptrdiff_t>(values.size());
      if (stub) {
        made_.stubs += programs_[p].samples;
        continue;
      }
      programs.push_back(std::move(programs_[p]));
      seen.push_back(std::move(seen_[p]));
    }
    programs_ = std::move(programs);
    seen_ = std::move(seen);
  }

  // At most `inputs` calls of those that most programs answer, each the one that parts most of what those before it left together.
  std::vector<size_t> TellingCalls(size_t calls) const {
    std::vector<size_t> left;
    size_t most = 0;
    const auto answers = [&](size_t c) {
      size_t count = 0;
      for (const auto& row : seen_) count += row[c] ? 1 : 0;
      return count;
    };
    for (size_t c = 0; c < calls; ++c) most = std::max(most, answers(c));
    for (size_t c = 0; c < calls; ++c) {
      if (answers(c) > 0 && 2 * answers(c) >= most) left.push_back(c);
    }
    std::vector<size_t> chosen;
    std::vector<size_t> group(programs_.size());
    while (!left.empty() && static_cast<int64_t>(chosen.size()) < rules_.inputs) {
      const auto best = std::min_element(left.begin(), left.end(), [&](size_t a, size_t b) {
        return Together(Parted(group, a)) < Together(Parted(group, b));
      });
      group = Parted(group, *best);
      chosen.push_back(*best);
      left.erase(best);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  // Groups of programs, parted by what they give for a call.
  std::vector<size_t> Parted(const std::vector<size_t>& group, size_t call) const {
    std::map<std::pair<size_t, std::string>, size_t> numbers;
    std::vector<size_t> out;
    for (size_t p = 0; p < group.size(); ++p) {
      const std::pair<size_t, std::string> key(group[p], seen_[p][call].value_or(""));
      out.push_back(numbers.emplace(key, numbers.size()).first->second);
    }
    return out;
  }

  // How many pairs of samples are in one group.
  int64_t Together(const std::vector<size_t>& group) const {
    std::vector<int64_t> sizes(group.size());
    for (size_t p = 0; p < group.size(); ++p) sizes[group[p]] += programs_[p].samples;
    int64_t pairs = 0;
    for (const int64_t size : sizes) pairs += size * size;
    return pairs;
  }

  // Why each of the task's `count` tests failed, "" where it held; one word for all where the program ended before the tests did.
  Result<std::vector<std::string>> Judge(const CodeTask& task, const CodeProgram& program,
                                         size_t count) const {
    if (made_.streams) return JudgeStreams(task, program);
    const Verdict verdict = JudgeProgram(task, program, sandbox_).verdict;
    std::vector<std::string> words(count);
    if (verdict.outcome == Outcome::kPass) return words;
    if (verdict.reason == "sandbox_fault") return Error{ErrorCode::kInternal, verdict.detail, ""};
    const Json* texts = verdict.evidence.Find("texts");
    const bool listed =
        texts != nullptr && texts->IsArray() && texts->AsArray()->size() == words.size();
    for (size_t t = 0; t < words.size(); ++t)
      words[t] = listed ? (*texts->AsArray())[t].ScalarText() : verdict.reason;
    return words;
  }

  // The same for a whole program: each test is a run of its own.
  Result<std::vector<std::string>> JudgeStreams(const CodeTask& task,
                                                const CodeProgram& program) const {
    std::vector<std::string> words;
    CodeTask one = task;
    for (const StdioCase& test : task.stdio) {
      one.stdio = {test};
      const Verdict verdict = JudgeProgram(one, program, sandbox_).verdict;
      if (verdict.reason == "sandbox_fault") return Error{ErrorCode::kInternal, verdict.detail, ""};
      words.push_back(verdict.outcome == Outcome::kPass ? "" : verdict.reason);
      if (verdict.reason != "syntax_error" && verdict.reason != "compile_error") continue;
      words.resize(task.stdio.size(), verdict.reason);
      break;
    }
    return words;
  }

  // Judge with all tests, but one that ends the program or breaks the tests takes no other with it.
  Result<std::vector<std::string>> JudgeEach(const CodeProgram& program) {
    Result<CodeTask> task = TaskOf(tests_, true);
    if (!task.ok()) return task.error();
    Result<std::vector<std::string>> words = Judge(*task, program, tests_.size());
    if (!words.ok()) return words.error();
    const bool whole = std::all_of(words->begin(), words->end(), [&](const std::string& word) {
      return !word.empty() && word == words->front();
    });
    if (made_.streams || !whole || tests_.size() < 2) return words;
    for (size_t t = 0; t < tests_.size(); ++t) {
      Result<CodeTask> one = TaskOf({tests_[t]}, false);
      if (!one.ok()) return one.error();
      const Verdict verdict = JudgeProgram(*one, program, sandbox_).verdict;
      if (verdict.reason == "sandbox_fault") return Error{ErrorCode::kInternal, verdict.detail, ""};
      (*words)[t] = verdict.outcome == Outcome::kPass ? "" : verdict.reason;
    }
    return words;
  }

  // Drops tests for which `why` has a reason.
  void Drop(const std::vector<std::string>& why) {
    std::vector<Test> left;
    for (size_t t = 0; t < tests_.size(); ++t) {
      if (why[t].empty()) {
        left.push_back(std::move(tests_[t]));
      } else {
        ++made_.dropped[why[t]];
      }
    }
    tests_ = std::move(left);
  }

  static std::string Why(const std::string& word) {
    if (word.empty()) return "";
    if (word == "wrong_answer") return "fails_on_reference";
    const bool ends = word == "exception" || word == "nonzero_exit";
    return StartsWith(word, "gold_") || ends ? "does_not_run" : word;
  }

  Status BelieveReference() {
    solution_ = programs_[0].code;
    return KeepWhatPasses();
  }

  // Only what holds on the solution stays.
  Status KeepWhatPasses() {
    if (tests_.empty()) return {};
    Result<std::vector<std::string>> words = JudgeEach(solution_);
    if (!words.ok()) return words.error();
    for (std::string& word : *words) word = Why(word);
    Drop(*words);
    return {};
  }

  // Which tests each program passes: those of calls by what it gave for them, the others by the judge.
  Result<std::vector<std::vector<bool>>> AskPrograms() {
    std::vector<Test> asked;
    for (const Test& test : tests_) {
      if (!test.call) asked.push_back(test);
    }
    Result<CodeTask> task = TaskOf(asked.empty() ? tests_ : asked, true);
    if (!task.ok()) return task.error();
    std::vector<std::vector<bool>> passes(programs_.size());
    for (size_t p = 0; p < programs_.size(); ++p) {
      Result<std::vector<std::string>> words =
          asked.empty() ? Result<std::vector<std::string>>(std::vector<std::string>())
                        : Judge(*task, programs_[p].code, asked.size());
      if (!words.ok()) return words.error();
      size_t next = 0;
      for (const Test& test : tests_)
        passes[p].push_back(test.call ? seen_[p][*test.call] == test.value
                                      : (*words)[next++].empty());
    }
    return passes;
  }

  Status BelieveAgreement() {
    const auto passes = AskPrograms();
    if (!passes.ok()) return passes.error();
    std::vector<int64_t> samples;
    for (const Program& program : programs_) samples.push_back(program.samples);
    const Agreement agreement = Agree(*passes, samples);
    made_.sets = agreement.sets;
    made_.agreeing = agreement.samples;
    std::vector<std::string> why(tests_.size());
    for (size_t t = 0; t < why.size(); ++t) why[t] = agreement.passes[t] ? "" : "not_agreed";
    Drop(why);
    if (agreement.programs.empty() || agreement.samples < rules_.min_agreement) {
      made_.dropped["not_agreed"] += static_cast<int64_t>(tests_.size());
      tests_.clear();
      made_.nothing = "no_agreement";
      return {};
    }
    const size_t best = *std::max_element(
        agreement.programs.begin(), agreement.programs.end(),
        [&](size_t a, size_t b) { return programs_[a].samples < programs_[b].samples; });
    made_.picked = programs_[best].first;
    solution_ = programs_[best].code;
    return KeepWhatPasses();
  }

  // A test that no change to the solution fails notices nothing.
  Status AskMutants() {
    // Programs of other languages are not changed.
    if (tests_.empty() || base_.language != "python") return {};
    const std::vector<audit::Mutant> mutants =
        audit::MakeMutants(solution_.text, rules_.mutants, rules_.seed);
    made_.mutants = static_cast<int64_t>(mutants.size());
    Result<CodeTask> task = TaskOf(tests_, true);
    if (!task.ok()) return task.error();
    std::vector<int64_t> noticed(tests_.size());
    for (const audit::Mutant& mutant : mutants) {
      Result<std::vector<std::string>> words =
          Judge(*task, {mutant.program, solution_.first_line}, tests_.size());
      if (!words.ok()) return words.error();
      for (size_t t = 0; t < noticed.size(); ++t) noticed[t] += (*words)[t].empty() ? 0 : 1;
    }
    std::vector<std::string> why(tests_.size());
    for (size_t t = 0; t < why.size(); ++t) why[t] = noticed[t] > 0 ? "" : "notices_no_change";
    const auto most = static_cast<size_t>(rules_.most_tests);
    if (most > 0 && tests_.size() > most) {
      std::vector<size_t> order(tests_.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return noticed[a] > noticed[b]; });
      for (size_t i = most; i < order.size(); ++i) {
        if (why[order[i]].empty()) why[order[i]] = "over_most_tests";
      }
    }
    Drop(why);
    return {};
  }

  const Group& group_;
  const std::vector<std::string>& replies_;
  const TestRules& rules_;
  Sandbox* const sandbox_;
  MadeTests made_;
  std::vector<Test> tests_;
  std::vector<Program> programs_;
  std::vector<std::vector<std::optional<std::string>>>
      seen_;  // of each program, what each call gives
  CodeProgram solution_;
  CodeTask base_;  // of a test that means nothing: language and limits
};

}  // namespace

Result<MadeTests> MakeTests(const Group& group, const std::vector<std::string>& replies,
                            const TestRules& rules, Sandbox* sandbox) {
  return Maker(group, replies, rules, sandbox).Run();
}

std::string EntryPointOf(const Problem& problem) {
  for (const Json* where : {&problem.verification_info, &problem.extra}) {
    for (const char* key : {"entry_point", "fn_name", "func_name"}) {
      const std::string_view name = Trim(where->StringOr(key, ""));
      if (!name.empty()) return std::string(name);
    }
  }
  return "";
}

Json WithTests(const Problem& problem, const MadeTests& made, const TestRules& rules) {
  Json info = problem.verification_info.IsObject() ? problem.verification_info : Json::MakeObject();
  for (const char* key : {"test_cases", "asserts", "assert_case", "test", "inputs", "outputs",
                          "fn_name", "func_name", "checker", "interactor"})
    info.Erase(key);
  if (made.streams) {
    Json cases = Json::MakeArray();
    for (const Proposal& test : made.kept) cases.Append(StreamCase(test.source));
    if (info.Find("language") == nullptr) info.Set("language", "python");
    return info.Set("test_cases", std::move(cases));
  }
  Json asserts = Json::MakeArray();
  for (const Proposal& test : made.kept) asserts.Append(test.source);
  info.Set("asserts", std::move(asserts));
  const std::string entry_point = EntryPointOf(problem);
  if (!entry_point.empty()) info.Set("entry_point", entry_point);
  if (!made.setup.empty()) info.Set("setup", made.setup);
  if (rules.cut_humaneval) info.Set("cut", "humaneval");
  return info;
}

}  // namespace assay::testgen
