// The protocol of SandboxFusion: /run_code and /v1/ping. What it does not do as the original does: output is read while the program
// runs, and where it is cut, `message` says so; bytes that are no UTF-8 become U+FFFD instead of an error text in their place; paths that
// climb out of the working folder are refused.
#include <cstdlib>
#include <memory>
#include <set>

#include "cli/serve/base64.h"
#include "cli/serve/fields.h"
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

// What a client asks to have fetched; more names than this are dropped.
constexpr size_t kFetchedMax = 256;
constexpr char kIgnoredFile[] = "IGNORE_THIS_FILE";
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
  const Json content = Json().Set("type", Json::MakeArray().Append("string").Append("null"));
  table.AddObject("files", &b->files, "files beside the program, by path, in base64")
      .Schema(Json().Set("type", "object").Set("additionalProperties", content));
  table.Add("fetch_files", &b->fetch_files,
            "files to hand back, by path; missing ones are left out");
  return table;
}

// Errors are put in the list of FastAPI's.
void ReadFiles(const Json& files, std::vector<SourceFile>* out, Json* errors) {
  if (!files.IsObject()) return;
  const auto complain = [&](const Json::Member& file, const char* type, const char* message) {
    errors->Append(FieldError(type, {"body", "files", file.key}, message, file.value));
  };
  std::set<std::string> seen;
  for (const Json::Member& file : *files.AsObject()) {
    if (file.value.IsNull() || file.key.find(kIgnoredFile) != std::string::npos) continue;
    const std::string* text = file.value.AsString();
    if (text == nullptr) {
      complain(file, "string_type", "Input should be a valid string");
    } else if (!StaysInside(file.key)) {
      complain(file, "value_error", "Value error, the path leaves the working folder");
    } else if (std::optional<std::string> bytes = Base64Decoded(*text); !bytes) {
      complain(file, "value_error", "Value error, the content is no base64");
    } else if (seen.insert(file.key).second) {
      out->push_back({file.key, std::move(*bytes)});
    }
  }
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
  std::set<std::string> fetched;
  for (std::string& path : body->fetch_files) {
    if (fetched.size() < kFetchedMax && StaysInside(path) && fetched.insert(path).second)
      job.collect.push_back(std::move(path));
  }
  return job;
}

// compile_result or run_result.
Json StageJson(const RunResult& result) {
  Json stage = Json::MakeObject();
  const bool fault = result.cause == Cause::kFault, late = IsTimeout(result.cause);
  const int signal = SignalOf(result);
  const int code = result.cause == Cause::kOk             ? 0
                   : result.cause == Cause::kCompileError ? 1
                   : signal != 0                          ? -signal
                                                          : result.exit_code;
  stage.Set("status", fault ? "Error" : late ? "TimeLimitExceeded" : "Finished");
  stage.Set("execution_time", result.wall_ms / 1000);
  stage.Set("cpu_time", result.cpu_ms / 1000);
  stage.Set("return_code", fault || late ? Json() : Json(code));
  stage.Set("stdout", SanitizeUtf8(result.stdout_bytes));
  stage.Set("stderr", fault ? result.fault : SanitizeUtf8(result.stderr_bytes));
  return stage;
}

Json PodName() {
  const char* name = std::getenv("MY_POD_NAME");
  return name != nullptr ? Json(name) : Json();
}

Json ResponseJson(std::string_view status, const std::string& message, Json compile, Json run,
                  Json files) {
  return Json()
      .Set("status", status)
      .Set("message", message)
      .Set("compile_result", std::move(compile))
      .Set("run_result", std::move(run))
      .Set("executor_pod_name", PodName())
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
                        result.compile != nullptr ? StageJson(*result.compile) : Json(),
                        compiled ? StageJson(result) : Json(), std::move(files)));
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
  ReadFiles(body.files, &files, &errors);
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
  const Json stage = OrNull(ObjectSchema(
      {{"status", StringSchema("Finished, Error or TimeLimitExceeded")},
       {"execution_time", OrNull(NumberSchema("seconds by the clock"))},
       {"cpu_time", OrNull(NumberSchema("seconds of CPU time"))},
       {"return_code", OrNull(IntegerSchema("exit code; -9 for signal 9; null: time ran out"))},
       {"stdout", OrNull(StringSchema("bytes that are no UTF-8 as U+FFFD"))},
       {"stderr", OrNull(StringSchema("likewise"))}}));
  return ObjectSchema(
      {{"status", StringSchema("Success, Failed or SandboxError")},
       {"message", StringSchema("what went wrong in the sandbox, what was cut; else empty")},
       {"compile_result", stage},
       {"run_result", stage},
       {"executor_pod_name", OrNull(StringSchema("the server's MY_POD_NAME"))},
       {"files", Json()
                     .Set("type", "object")
                     .Set("description", "the fetched ones, in base64")
                     .Set("additionalProperties", StringSchema(""))}});
}

}  // namespace assay
