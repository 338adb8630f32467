// open-instruct's code API: /test_program (asserts) and /test_program_stdio. Each test is judged by the `code` verifier by itself. A
// test that cannot be run because it is broken did not pass (0); where it is the server that failed, the request fails.
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr double kNotPassed = -1.0;  // its runtime

struct TestBody {
  std::string program;
  Json tests;
  double max_execution_time = 1.0;
};

Fields TestFields(TestBody* b) {
  Fields table;
  table.Add("program", &b->program, "Python").Required().Example("def add(a, b): return a + b");
  table
      .AddAny("tests", &b->tests,
              "a list, or one as JSON text: asserts, or objects with input and output")
      .Required()
      .Schema(Json().Set("type", Json::MakeArray().Append("array").Append("string")))
      .Example(Json::MakeArray().Append("assert add(1, 2) == 3"));
  table.Add("max_execution_time", &b->max_execution_time, "seconds for each test");
  return table;
}

HttpResponse BadTests(const char* message, const Json& input) {
  return FieldErrors(
      Json::MakeArray().Append(FieldError("value_error", {"body", "tests"}, message, input)));
}

// The list, also where it came as JSON text.
std::optional<HttpResponse> ReadTests(Json* tests) {
  if (const std::string* text = tests->AsString()) {
    Result<Json> parsed = ParseJson(text->empty() ? "[]" : std::string_view(*text));
    if (!parsed.ok()) {
      return BadTests(
          "Value error, the text is no JSON; pickles are not read, for reading one runs it",
          Json());
    }
    *tests = std::move(*parsed);
  }
  if (tests->IsNull()) *tests = Json::MakeArray();
  if (!tests->IsArray()) return BadTests("Value error, the tests are no list", *tests);
  return std::nullopt;
}

// verification_info with this one test; null if it is none.
Json TestInfo(const Json& test, bool stdio) {
  Json info = Json().Set("language", "python");
  if (!stdio) return test.IsString() ? info.Set("asserts", test) : Json();
  const Json *input = test.Find("input"), *output = test.Find("output");
  if (input == nullptr || output == nullptr) return Json();
  return info.Set(
      "test_cases",
      Json::MakeArray().Append(
          Json().Set("type", "stdin_stdout").Set("input", *input).Set("output", *output)));
}

struct TestWork {
  std::shared_ptr<const Rubric> rubric;
  std::string program;
  Json tests;
  bool stdio = false;
  Limits limits;
  std::vector<int> results;
  std::vector<double> runtimes;
  std::vector<std::string> faults;
};

void RunTest(const ServeContext& context, TestWork* work, size_t i) {
  Json info = TestInfo((*work->tests.AsArray())[i], work->stdio);
  if (info.IsNull()) return;
  info.Set("limits",
           Json().Set("wall_ms", work->limits.wall_ms).Set("cpu_ms", work->limits.cpu_ms));
  const Group group = ProgramGroup(work->program, std::move(info));
  const GroupScore score = context.Score(*work->rubric, group);
  const Verdict& verdict = score.samples[0].verdicts[0];
  if (verdict.outcome == Outcome::kFault && !StartsWith(verdict.reason, "gold_"))
    work->faults[i] = StrCat(verdict.reason, ": ", verdict.detail);
  if (verdict.outcome != Outcome::kPass) return;
  work->results[i] = 1;
  work->runtimes[i] = verdict.ms / 1000;
}

HttpResponse TestResponse(const TestWork& work) {
  Json results = Json::MakeArray(), runtimes = Json::MakeArray();
  for (size_t i = 0; i < work.results.size(); ++i) {
    if (!work.faults[i].empty()) return HttpError(503, work.faults[i]);
    results.Append(work.results[i]);
    runtimes.Append(work.runtimes[i]);
  }
  return HttpResponse::OfJson(
      200, Json().Set("results", std::move(results)).Set("runtimes", std::move(runtimes)));
}

PlanOrResponse PlanTests(const ServeContext& context, const HttpRequest& request, bool stdio) {
  TestBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, TestFields(&body))) return *bad;
  if (std::optional<HttpResponse> bad = ReadTests(&body.tests)) return *bad;
  const size_t count = body.tests.AsArray()->size();
  if (static_cast<int64_t>(count) > context.bounds().pieces_max)
    return HttpError(413, StrCat("at most ", context.bounds().pieces_max, " in one request"));
  auto work = std::make_shared<TestWork>();
  work->program = std::move(body.program);
  work->tests = std::move(body.tests);
  work->stdio = stdio;
  work->limits = LimitsFor(context.bounds(), body.max_execution_time, 30, -1);
  work->results.assign(count, 0);
  work->runtimes.assign(count, kNotPassed);
  work->faults.resize(count);
  if (count == 0) return TestResponse(*work);
  const Result<RubricSpec> spec = RubricFromNames("code");
  if (!spec.ok()) return HttpError(500, spec.error().message);
  const Result<std::shared_ptr<const Rubric>> rubric = context.RubricFor(*spec);
  if (!rubric.ok()) return HttpError(503, rubric.error().message, rubric.error().hint);
  work->rubric = *rubric;
  WorkPlan plan;
  plan.pieces = count;
  plan.run = [&context, work](size_t i) { RunTest(context, work.get(), i); };
  plan.finish = [work] { return TestResponse(*work); };
  return plan;
}

}  // namespace

PlanOrResponse PlanTestProgram(const ServeContext& context, const HttpRequest& request) {
  return PlanTests(context, request, /*stdio=*/false);
}

PlanOrResponse PlanTestProgramStdio(const ServeContext& context, const HttpRequest& request) {
  return PlanTests(context, request, /*stdio=*/true);
}

Json TestProgramRequestSchema() {
  TestBody body;
  return TestFields(&body).Schema();
}

Json TestProgramResponseSchema() {
  return ObjectSchema(
      {{"results", ArraySchema(IntegerSchema(""), "1: the test passed; 0: it did not")},
       {"runtimes", ArraySchema(NumberSchema(""), "seconds; -1 for tests that did not pass")}});
}

}  // namespace assay
