// The protocol of SandboxFusion: /run_code and /v1/ping. What it does not do as the original does: output is read while the program
// runs, and where it is cut, `message` says so; bytes that are no UTF-8 become U+FFFD instead of an error text in their place; paths that
// climb out of the working folder are refused.
#include <memory>

#include "cli/serve/fields.h"
#include "cli/serve/fusion_stage.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

// Its names of languages, and ours where they differ. A name that stands for no language of ours may be declared (--languages).
struct FusionLanguage {
  const char* name;
  const char* ours;
};
constexpr FusionLanguage kLanguages[] = {
    {"python", "python"},
    {"cpp", "c++"},
    {"nodejs", "javascript"},
    {"go", "go"},
    {"go_test", "go_test"},
    {"java", "java"},
    {"php", "php"},
    {"csharp", "c#"},
    {"bash", "bash"},
    {"typescript", "typescript"},
    {"sql", "sql"},
    {"rust", "rust"},
    {"cuda", "cuda"},
    {"lua", "lua"},
    {"R", "r"},
    {"perl", "perl"},
    {"D_ut", "d_ut"},
    {"ruby", "ruby"},
    {"scala", "scala"},
    {"julia", "julia"},
    {"pytest", "python"},
    {"junit", "junit"},
    {"kotlin_script", "kotlin_script"},
    {"jest", "jest"},
    {"verilog", "verilog"},
    {"python_gpu", "python_gpu"},
    {"lean", "lean"},
    {"swift", "swift"},
    {"racket", "racket"},
};

constexpr char kPytestFile[] = "test_solution.py";
// What pytest does with a file of tests; its own plug-in for a cache would leave a folder.
constexpr char kPytestProgram[] =
    "import sys, pytest\n"
    "sys.exit(pytest.main(['-p', 'no:cacheprovider', 'test_solution.py']))\n";

struct RunCodeBody {
  std::string code, language;
  double compile_timeout = 10, run_timeout = 10;
  int64_t memory_limit_mb = -1;
  std::optional<std::string> stdin_text;
  Json files;
  std::vector<std::string> fetch_files;
};

Fields RunCodeFields(RunCodeBody* b) {
  std::vector<std::string> languages;
  for (const FusionLanguage& language : kLanguages) languages.emplace_back(language.name);
  Fields table;
  table.Add("code", &b->code, "the program").Required().Example("print(\"hello\")");
  table.Add("language", &b->language, "language or mode")
      .Required()
      .OneOf(std::move(languages))
      .Example("python");
  table.Add("compile_timeout", &b->compile_timeout, "seconds of CPU time; twice that by the clock");
  table.Add("run_timeout", &b->run_timeout, "seconds, of CPU time and by the clock");
  table.Add("memory_limit_MB", &b->memory_limit_mb, "MiB; below 1: the most that the server gives");
  table.Add("stdin", &b->stdin_text, "standard input; null: empty");
  AddFusionFiles(&table, &b->files, &b->fetch_files);
  return table;
}

Job MakeJob(const ServeBounds& bounds, RunCodeBody* body, std::vector<SourceFile> files) {
  Job job;
  for (const FusionLanguage& language : kLanguages) {
    if (body->language == language.name) job.language = language.ours;
  }
  job.source = std::move(body->code);
  job.files = std::move(files);
  if (body->language == "pytest") {
    job.files.push_back({kPytestFile, std::move(job.source)});
    job.source = kPytestProgram;
  }
  job.stdin_bytes = body->stdin_text.value_or("");
  job.limits = LimitsFor(bounds, body->run_timeout, body->compile_timeout, body->memory_limit_mb);
  job.allow = {"subprocess"};
  job.collect = FusionFetched(body->fetch_files);
  return job;
}

Json ResponseJson(std::string_view status, const std::string& message, Json compile, Json run,
                  Json files) {
  return Json()
      .Set("status", status)
      .Set("message", message)
      .Set("compile_result", std::move(compile))
      .Set("run_result", std::move(run))
      .Set("executor_pod_name", FusionPodName())
      .Set("files", std::move(files));
}

HttpResponse RunCode(const ServeContext& context, const Job& job, const std::string& language) {
  if (context.FindLanguage(job.language) == nullptr) {
    return HttpResponse::OfJson(
        200, ResponseJson("SandboxError",
                          StrCat("language '", language, "' is not installed on this server"),
                          Json(), Json(), Json::MakeObject()));
  }
  const RunResult result = context.Run(job);
  const bool compiled = result.compile == nullptr || result.compile->ok();
  Json files = Json::MakeObject();
  for (const SourceFile& file : result.collected) files.Set(file.path, Base64Encoded(file.bytes));
  const bool fault = result.cause == Cause::kFault;
  return HttpResponse::OfJson(
      200, ResponseJson(fault         ? "SandboxError"
                        : result.ok() ? "Success"
                                      : "Failed",
                        fault ? result.fault : Remark(result, job.limits),
                        result.compile != nullptr ? FusionStage(*result.compile) : Json(),
                        compiled ? FusionStage(result) : Json(), std::move(files)));
}

}  // namespace

PlanOrResponse PlanPing(const ServeContext&, const HttpRequest&) {
  return HttpResponse::OfJson(200, "pong");
}

Json PingResponseSchema() { return StringSchema("always \"pong\""); }

PlanOrResponse PlanRunCode(const ServeContext& context, const HttpRequest& request) {
  RunCodeBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, RunCodeFields(&body))) return *bad;
  Json errors = Json::MakeArray();
  std::vector<SourceFile> files;
  ReadFusionFiles(body.files, &files, &errors);
  if (!errors.AsArray()->empty()) return FieldErrors(std::move(errors));
  const std::string language = body.language;
  auto job = std::make_shared<const Job>(MakeJob(context.bounds(), &body, std::move(files)));
  return OnePiece([&context, job, language] { return RunCode(context, *job, language); });
}

Json RunCodeRequestSchema() {
  RunCodeBody body;
  return RunCodeFields(&body).Schema();
}

Json RunCodeResponseSchema() {
  const Json stage = FusionStageSchema();
  return ObjectSchema(
      {{"status", StringSchema("Success, Failed or SandboxError")},
       {"message", StringSchema("what went wrong in the sandbox, what was cut; else empty")},
       {"compile_result", stage},
       {"run_result", stage},
       {"executor_pod_name", OrNull(StringSchema("the server's MY_POD_NAME"))},
       {"files", FusionFilesSchema()}});
}

}  // namespace assay
