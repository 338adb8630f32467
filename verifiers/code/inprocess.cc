#include "verifiers/code/inprocess.h"

#include <random>

#include "core/hash.h"
#include "core/text.h"

namespace assay {
namespace {

// Runs solution.py and tests.py in one namespace, then what the tests left to be run: check(entry point), TestCase classes,
// functions named test_*. Ends with 0 and the marker only if all of it held. argv: entry point, marker.
constexpr std::string_view kRunner = R"py(import sys, types
entry, marker = sys.argv[1:3]
module = types.ModuleType('solution')
sys.modules['solution'] = module
names = module.__dict__
exec(compile(open('solution.py', encoding='utf-8').read(), 'main.py', 'exec', dont_inherit=True), names)
before = dict(names)
exec(compile(open('tests.py', encoding='utf-8').read(), 'tests.py', 'exec', dont_inherit=True), names)
new = {name: value for name, value in names.items() if before.get(name) is not value}
if entry and 'check' in new:
    new['check'](names[entry])
unittest = sys.modules.get('unittest')
if unittest is not None:
    suite = unittest.TestSuite()
    for value in new.values():
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(value))
    result = unittest.TestResult()
    suite.run(result)
    for test, trace in result.failures + result.errors:
        sys.exit(f'{test.id()}: {trace.strip().splitlines()[-1]}')
    for test in result.unexpectedSuccesses:
        sys.exit(f'{test.id()}: passed, which it should not')
for name, value in new.items():
    if name.startswith('test_') and isinstance(value, types.FunctionType):
        try:
            value()
        except BaseException as error:
            sys.exit(f'{name}: {type(error).__name__}: {error}')
sys.stdout.flush()
print('\n' + marker)
)py";

// Not a secret (the program shares the process), only a word that no program prints by accident.
std::string Marker(const CodeProgram& program) {
  std::random_device device;
  return HashBytes128(program.text, (uint64_t{device()} << 32) | device()).Hex();
}

Verdict FromRun(const CodeTask& task, const CodeProgram& program, const RunResult& run,
                const std::string& marker) {
  if (run.cause == Cause::kFault) return Verdict::Fault("sandbox_fault", run.fault);
  if (run.ok()) {
    if (EndsWith(Trim(run.stdout_bytes), marker)) return Verdict::Pass();
    return Verdict::Fail("early_exit", "the program ended itself before the tests had run");
  }
  if (run.cause != Cause::kNonzeroExit) return FailByCause(run.cause, task.limits);
  LastWords words = ReadTraceback(run.stderr_bytes);
  if (words.traceback && words.type == "ModuleNotFoundError" &&
      run.stderr_bytes.find("File \"tests.py\"") != std::string::npos) {
    return Verdict::Fault("gold_tests",
                          StrCat("the tests cannot import what they need: ", words.sentence));
  }
  int64_t line = words.line - program.first_line;
  bool in_program = words.line > 0 && line > 0;
  Verdict verdict = Verdict::Fail(!words.traceback                 ? "wrong_answer"
                                  : words.type == "AssertionError" ? "wrong_answer"
                                  : words.type == "MemoryError"    ? "memory_limit"
                                  : IsSyntaxErrorName(words.type)  ? "syntax_error"
                                                                   : "exception",
                                  words.sentence);
  if (in_program && words.traceback && words.type != "AssertionError") {
    verdict.evidence.Set("program_line", line);
    StrAppend(&verdict.detail, " (line ", line, ")");
  }
  return verdict;
}

}  // namespace

Judged JudgeInProcess(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  std::string marker = Marker(program);
  Job job;
  job.source = std::string(kRunner);
  job.files = {{"solution.py", program.text}, {"tests.py", task.inprocess_tests}};
  job.args = {task.entry_point, marker};
  job.limits = task.limits;
  job.allow = task.allow;
  job.measure_bytecodes = task.options.measure;
  RunResult run = sandbox->Run(job);
  Verdict verdict = FromRun(task, program, run, marker);
  verdict.evidence.Set("forgeable", true);
  return {std::move(verdict), IsRepeatable(run.cause), run.bytecodes};
}

}  // namespace assay
