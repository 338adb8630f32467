// The protocol of Piston: /api/v2/execute and /api/v2/runtimes; and, on the same path, what open-r1's Codeforces reward sends to a
// Piston of its own making: the languages `cf_python3` and `c++17` with the files input.txt, correct_output.txt and checker.py, which
// are judged by the `code` verifier. What differs from the original: `output` is stdout and then stderr, not as they came; the limit
// on output is the server's, not 1,024 bytes.
#include <memory>
#include <set>
#include <utility>

#include "cli/serve/base64.h"
#include "cli/serve/fields.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "cli/serve/versions.h"
#include "cli/serve/vet.h"
#include "core/text.h"

namespace assay {
namespace {

// Its names beside ours.
struct Aliases {
  const char* language;
  std::vector<const char*> names;
};
const std::vector<Aliases>& KnownAliases() {
  static const std::vector<Aliases> kAliases = {
      {"python", {"py", "py3", "python3"}},
      {"c++", {"cpp", "g++", "c++17", "c++20"}},
      {"c", {"gcc"}},
      {"javascript", {"js", "node", "nodejs", "node-javascript", "node-js"}},
      {"bash", {"sh", "shell"}},
      {"c#", {"csharp", "cs"}},
      {"typescript", {"ts"}},
      {"rust", {"rs"}},
      {"go", {"golang"}},
  };
  return kAliases;
}

constexpr char kJudgedPython[] = "cf_python3";
constexpr char kJudgedCpp[] = "c++17";
constexpr char kInputFile[] = "input.txt";
constexpr char kExpectedFile[] = "correct_output.txt";
constexpr char kConfigFile[] = "grader_config";  // lines KEY=VALUE

HttpResponse BadRequest(const std::string& message) {
  return HttpResponse::OfJson(400, Json().Set("message", message));
}

struct ExecuteBody {
  std::string language, version;
  Json files;
  std::string stdin_text;
  std::vector<std::string> args;
  double run_timeout = 3000, compile_timeout = 10000;       // ms
  double run_cpu_time = 0, compile_cpu_time = 0;            // ms; 0: as the clock
  double run_memory_limit = -1, compile_memory_limit = -1;  // bytes
};

Fields ExecuteFields(ExecuteBody* b) {
  const Json file =
      Json()
          .Set("type", "object")
          .Set("properties", Json()
                                 .Set("name", StringSchema("path; else fileN.code"))
                                 .Set("content", StringSchema(""))
                                 .Set("encoding", StringSchema("utf8, base64 or hex")))
          .Set("required", Json::MakeArray().Append("content"));
  Fields table;
  table.Add("language", &b->language, "name or alias of a runtime").Required().Example("python");
  table.Add("version", &b->version, "which one: *, 3.x, ^3.11.0").Required().Example("*");
  table.AddList("files", &b->files, "the first in utf8 is the program")
      .Required()
      .Schema(Json().Set("type", "array").Set("items", file))
      .Example(Json::MakeArray().Append(Json().Set("content", "print(6 * 7)")));
  table.Add("stdin", &b->stdin_text, "standard input; a last newline is added");
  table.Add("args", &b->args, "the program's arguments");
  table.Add("run_timeout", &b->run_timeout, "ms by the clock");
  table.Add("compile_timeout", &b->compile_timeout, "ms of CPU time");
  table.Add("run_cpu_time", &b->run_cpu_time, "ms; 0: as run_timeout");
  table.Add("compile_cpu_time", &b->compile_cpu_time, "ms; 0: as compile_timeout");
  table.Add("run_memory_limit", &b->run_memory_limit, "bytes; -1: the most that the server gives");
  table.Add("compile_memory_limit", &b->compile_memory_limit,
            "bytes; the compile step has its own");
  return table;
}

// The first of FastAPI's errors as a sentence.
std::string Sentence(const HttpResponse& errors) {
  const Result<Json> body = ParseJson(errors.body);
  const Json* details = body.ok() ? body->Find("detail") : nullptr;
  if (details == nullptr || !details->IsArray() || details->AsArray()->empty())
    return "the request is not understood";
  const Json& first = details->AsArray()->front();
  std::string path;
  if (const Json* loc = first.Find("loc"); loc != nullptr && loc->IsArray()) {
    for (size_t i = 1; i < loc->AsArray()->size(); ++i)
      StrAppend(&path, i > 1 ? "." : "", (*loc->AsArray())[i].ScalarText());
  }
  return StrCat(path, path.empty() ? "" : ": ", first.StringOr("msg", ""));
}

// The files; nothing, or what is wrong with them. `names`: as they were sent, the program's first.
std::string ReadFiles(const Json& list, std::string* source, std::vector<SourceFile>* files) {
  bool found = false;
  std::set<std::string> seen;
  for (size_t i = 0; i < list.AsArray()->size(); ++i) {
    const Json& file = (*list.AsArray())[i];
    const Json* content = file.Find("content");
    if (content == nullptr || !content->IsString())
      return StrCat("files[", i, "].content is required as a string");
    const std::string encoding(file.StringOr("encoding", "utf8"));
    const std::string name(file.StringOr("name", StrCat("file", i, ".code")));
    if (!StaysInside(name)) return StrCat("files[", i, "].name leaves the working folder");
    if (encoding == "utf8" && !found) {
      found = true;
      *source = *content->AsString();
      continue;
    }
    std::optional<std::string> bytes = encoding == "utf8"     ? *content->AsString()
                                       : encoding == "base64" ? Base64Decoded(*content->AsString())
                                       : encoding == "hex"    ? HexDecoded(*content->AsString())
                                                              : std::optional<std::string>();
    if (!bytes) return StrCat("files[", i, "] is not in the encoding ", encoding);
    if (seen.insert(name).second) files->push_back({name, std::move(*bytes)});
  }
  return found ? "" : "files must include at least one utf8 encoded file";
}

// The sentence that Piston says, where a request asks for more than there is.
std::string OverLimit(const ServeBounds& bounds, const ExecuteBody& body) {
  const double run_ms = bounds.run_seconds_max * 1000;
  const double compile_ms = bounds.compile_seconds_max * 1000;
  const double memory = static_cast<double>(bounds.memory_mib_max) * 1024 * 1024;
  const struct {
    const char* name;
    double value, most;
  } all[] = {{"run_timeout", body.run_timeout, run_ms},
             {"compile_timeout", body.compile_timeout, compile_ms},
             {"run_cpu_time", body.run_cpu_time, run_ms},
             {"compile_cpu_time", body.compile_cpu_time, compile_ms},
             {"run_memory_limit", body.run_memory_limit, memory},
             {"compile_memory_limit", body.compile_memory_limit, memory}};
  for (const auto& limit : all) {
    if (limit.value > limit.most) {
      return StrCat(limit.name, " cannot exceed the configured limit of ",
                    static_cast<int64_t>(limit.most));
    }
  }
  return "";
}

Limits MakeLimits(const ServeBounds& bounds, const ExecuteBody& body) {
  const double cpu_ms = body.compile_cpu_time > 0 ? body.compile_cpu_time : body.compile_timeout;
  const double memory_mib = body.run_memory_limit / 1024 / 1024;
  Limits limits = LimitsFor(bounds, body.run_timeout / 1000, cpu_ms / 1000,
                            memory_mib > 0 ? static_cast<int64_t>(memory_mib) : -1);
  if (body.run_cpu_time >= 1)
    limits.cpu_ms = std::min(limits.cpu_ms, static_cast<int64_t>(body.run_cpu_time));
  return limits;
}

const char* StatusOf(const RunResult& result) {
  if (result.cause == Cause::kFault) return "XX";
  if (IsTimeout(result.cause)) return "TO";
  if (result.stdout_truncated) return "OL";
  if (result.stderr_truncated) return "EL";
  if (result.cause == Cause::kOutputLimit) return "OL";
  if (SignalOf(result) != 0) return "SG";
  return result.ok() ? nullptr : "RE";
}

Json StageJson(const RunResult& result, const Limits& limits) {
  const std::string out = SanitizeUtf8(result.stdout_bytes);
  const std::string err = SanitizeUtf8(result.stderr_bytes);
  const int signal = SignalOf(result);
  const char* status = StatusOf(result);
  const std::string remark = Remark(result, limits);
  const int code = result.ok() ? 0 : result.exit_code > 0 ? result.exit_code : 1;
  return Json()
      .Set("stdout", out)
      .Set("stderr", err)
      .Set("output", out + err)
      .Set("code", signal != 0 ? Json() : Json(code))
      .Set("signal", signal != 0 ? Json(SignalName(signal)) : Json())
      .Set("message", remark.empty() ? Json() : Json(remark))
      .Set("status", status != nullptr ? Json(status) : Json())
      .Set("cpu_time", static_cast<int64_t>(result.cpu_ms))
      .Set("wall_time", static_cast<int64_t>(result.wall_ms))
      .Set("memory", result.peak_memory_kib * 1024);
}

HttpResponse Execute(const ServeContext& context, const Job& job, const LanguageInfo& language) {
  const RunResult result = context.Run(job);
  if (result.cause == Cause::kFault)
    return HttpResponse::OfJson(503, Json().Set("message", result.fault));
  Json answer = Json()
                    .Set("language", language.name)
                    .Set("version", VersionIn(language.version))
                    .Set("run", StageJson(result, job.limits));
  if (result.compile != nullptr) answer.Set("compile", StageJson(*result.compile, job.limits));
  return HttpResponse::OfJson(200, answer);
}

const std::string* ContentOf(const std::vector<SourceFile>& files, std::string_view name) {
  for (const SourceFile& file : files) {
    if (file.path == name) return &file.bytes;
  }
  return nullptr;
}

// A stage that says so much; what open-r1 reads of it.
Json PlainStage(int code, const std::string& out, const std::string& err) {
  return Json()
      .Set("stdout", out)
      .Set("stderr", err)
      .Set("output", out + err)
      .Set("code", code)
      .Set("signal", Json())
      .Set("message", Json())
      .Set("status", code == 0 ? Json() : Json("RE"));
}

bool AsksForFiles(const std::vector<SourceFile>& files) {
  const std::string* config = ContentOf(files, kConfigFile);
  return config != nullptr && config->find("INPUT_MODE=file") != std::string::npos;
}

// One test of one program: 1 on stdout if it passes, 0 if not.
PlanOrResponse PlanJudged(const ServeContext& context, const ExecuteBody& body,
                          const std::string& source, const std::vector<SourceFile>& files) {
  const std::string* expected = ContentOf(files, kExpectedFile);
  const std::string* checker = ContentOf(files, "checker.py");
  if (expected == nullptr && checker == nullptr)
    return BadRequest(StrCat("files must include ", kExpectedFile, " or checker.py"));
  const bool python = body.language == kJudgedPython;
  Json test = Json()
                  .Set("type", "stdin_stdout")
                  .Set("input", *ContentOf(files, kInputFile))
                  .Set("output", expected != nullptr ? *expected : std::string());
  const Limits limits = MakeLimits(context.bounds(), body);
  Json info = Json()
                  .Set("language", python ? "python" : "c++")
                  .Set("test_cases", Json::MakeArray().Append(std::move(test)))
                  .Set("limits", Json()
                                     .Set("wall_ms", limits.wall_ms)
                                     .Set("cpu_ms", limits.cpu_ms)
                                     .Set("memory_mib", limits.memory_mib)
                                     .Set("compile_cpu_ms", limits.compile_cpu_ms));
  if (checker != nullptr) info.Set("checker", *checker);
  if (AsksForFiles(files)) info.Set("input_mode", "file");
  auto group = std::make_shared<Group>(ProgramGroup(source, info));
  const Result<RubricSpec> spec = RubricFromNames("code");
  if (!spec.ok()) return BadRequest(spec.error().message);
  const Result<std::shared_ptr<const Rubric>> rubric = context.RubricFor(*spec);
  if (!rubric.ok()) return HttpResponse::OfJson(503, Json().Set("message", rubric.error().message));
  return OnePiece([&context, group, rubric = *rubric, language = body.language] {
    const GroupScore score = context.Score(*rubric, *group);
    const Verdict& verdict = score.samples[0].verdicts[0];
    if (verdict.outcome != Outcome::kPass && verdict.outcome != Outcome::kFail)
      return HttpResponse::OfJson(503,
                                  Json().Set("message", verdict.reason + ": " + verdict.detail));
    const bool compiled = verdict.reason != "compile_error";
    const Json compile = PlainStage(compiled ? 0 : 1, "", compiled ? "" : verdict.detail);
    const std::string out = verdict.outcome == Outcome::kPass ? "1\n" : "0\n";
    const std::string why =
        verdict.outcome == Outcome::kPass ? "" : verdict.reason + ": " + verdict.detail;
    return HttpResponse::OfJson(200, Json()
                                         .Set("language", language)
                                         .Set("version", "1.0.0")
                                         .Set("run", compiled ? PlainStage(0, out, why) : compile)
                                         .Set("compile", compile));
  });
}

}  // namespace

PlanOrResponse PlanRuntimes(const ServeContext& context, const HttpRequest&) {
  return OnePiece([&context] {
    Json list = Json::MakeArray();
    for (const LanguageInfo& info : context.Languages()) {
      if (!info.available) continue;
      Json names = Json::MakeArray();
      for (const Aliases& aliases : KnownAliases()) {
        if (info.name != aliases.language) continue;
        for (const char* name : aliases.names) names.Append(name);
      }
      list.Append(Json()
                      .Set("language", info.name)
                      .Set("version", VersionIn(info.version))
                      .Set("aliases", std::move(names)));
    }
    return HttpResponse::OfJson(200, list);
  });
}

Json RuntimesResponseSchema() {
  return ArraySchema(ObjectSchema({{"language", StringSchema("")},
                                   {"version", StringSchema("three numbers")},
                                   {"aliases", ArraySchema(StringSchema(""), "")}}),
                     "what is installed");
}

PlanOrResponse PlanPackages(const ServeContext& context, const HttpRequest&) {
  return OnePiece([&context] {
    Json list = Json::MakeArray();
    for (const LanguageInfo& info : context.Languages()) {
      if (!info.available) continue;
      list.Append(Json()
                      .Set("language", info.name)
                      .Set("language_version", VersionIn(info.version))
                      .Set("installed", true));
    }
    return HttpResponse::OfJson(200, list);
  });
}

Json PackagesResponseSchema() {
  return ArraySchema(ObjectSchema({{"language", StringSchema("")},
                                   {"language_version", StringSchema("three numbers")},
                                   {"installed", BooleanSchema("")}}),
                     "what is installed; nothing more can be");
}

PlanOrResponse PlanExecute(const ServeContext& context, const HttpRequest& request) {
  if (!StartsWith(request.content_type, "application/json")) {
    return HttpResponse::OfJson(415,
                                Json().Set("message", "requests must be of type application/json"));
  }
  ExecuteBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, ExecuteFields(&body)))
    return BadRequest(Sentence(*bad));
  std::string source;
  std::vector<SourceFile> files;
  if (std::string wrong = ReadFiles(body.files, &source, &files); !wrong.empty())
    return BadRequest(wrong);
  if (std::string over = OverLimit(context.bounds(), body); !over.empty()) return BadRequest(over);
  const bool judged = body.language == kJudgedPython || body.language == kJudgedCpp;
  if (judged && ContentOf(files, kInputFile) != nullptr)
    return PlanJudged(context, body, source, files);
  auto job = std::make_shared<Job>();
  job->language = body.language;
  for (const Aliases& aliases : KnownAliases()) {
    for (const char* name : aliases.names) {
      if (AsciiLower(body.language) == name) job->language = aliases.language;
    }
  }
  job->source = std::move(source);
  job->files = std::move(files);
  job->args = std::move(body.args);
  job->stdin_bytes = std::move(body.stdin_text);
  if (!job->stdin_bytes.empty() && job->stdin_bytes.back() != '\n') job->stdin_bytes += '\n';
  job->limits = MakeLimits(context.bounds(), body);
  job->allow = {"subprocess"};
  const std::string unknown = StrCat(body.language, "-", body.version, " runtime is unknown");
  return OnePiece([&context, job, unknown, version = body.version] {
    const LanguageInfo* language = context.FindLanguage(job->language);
    if (language == nullptr || !VersionFits(version, VersionIn(language->version)))
      return BadRequest(unknown);
    return Execute(context, *job, *language);
  });
}

Json ExecuteRequestSchema() {
  ExecuteBody body;
  return ExecuteFields(&body).Schema();
}

Json ExecuteResponseSchema() {
  const Json stage = ObjectSchema(
      {{"stdout", StringSchema("")},
       {"stderr", StringSchema("")},
       {"output", StringSchema("stdout, then stderr")},
       {"code", OrNull(IntegerSchema("null: a signal ended it"))},
       {"signal", OrNull(StringSchema("SIGKILL, .."))},
       {"message", OrNull(StringSchema("what the sandbox did to it"))},
       {"status", OrNull(StringSchema("RE, SG, TO, OL or EL"))}},
      "with cpu_time and wall_time in ms and memory in bytes; `compile`, too, where there is one");
  return ObjectSchema(
      {{"language", StringSchema("")}, {"version", StringSchema("")}, {"run", stage}});
}

}  // namespace assay
