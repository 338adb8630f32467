// open-r1's routers: /execute_batch, for its E2B and its Morph client alike. A script's result is the value of its last expression, as a
// notebook has it. Script, tests and result are in one process there, by the protocol: whoever can choose should have rows scored
// (/v1/score) instead.
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr char kScriptFile[] = "script.py";
constexpr char kResultFile[] = ".result.json";
// Runs the script in __main__'s own names, so that pickles and subclasses find what it defines; the last expression's value, or what was
// raised, goes into a file.
constexpr char kNotebook[] = R"(
def run_script():
    import ast, builtins, json, linecache, sys, traceback
    opened, dumps, exception = open, json.dumps, traceback.format_exc
    with opened("script.py", encoding="utf-8") as file:
        text = file.read()
    linecache.cache["script.py"] = (len(text), None, text.splitlines(True), "script.py")
    names = sys.modules["__main__"].__dict__
    names.pop("run_script", None)
    result = {"text": None, "error": None}
    try:
        tree, last = ast.parse(text, "script.py"), None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, "script.py", "exec"), names)
        if last is not None:
            value = eval(compile(last, "script.py", "eval"), names)
            if value is not None:
                result["text"] = repr(value)[:1 << 20]
    except BaseException as error:
        result["error"] = {"name": type(error).__name__, "value": str(error)[:1 << 20], "traceback": exception()[:1 << 20]}
    with opened(".result.json", "w", encoding="utf-8", errors="replace") as file:
        file.write(dumps(result))
    sys.stdout.flush()
run_script()
)";

struct BatchBody {
  std::vector<std::string> scripts;
  Json languages;
  std::string language = "python";
  double timeout = 300, request_timeout = 30;
};

Fields BatchFields(BatchBody* b) {
  Fields table;
  table.Add("scripts", &b->scripts, "programs; each is run by itself")
      .Required()
      .Example(Json::MakeArray().Append("x = 6\nx * 7"));
  table.AddAny("languages", &b->languages, "one for each script; none: `language` for all")
      .Schema(Json()
                  .Set("type", Json::MakeArray().Append("array").Append("null"))
                  .Set("items", StringSchema("")));
  table.Add("language", &b->language, "of all scripts");
  table.Add("timeout", &b->timeout, "seconds for each script");
  table.Add("request_timeout", &b->request_timeout, "taken, and not looked at");
  return table;
}

// The languages of all scripts; or what is wrong.
std::optional<HttpResponse> ReadLanguages(const BatchBody& body, std::vector<std::string>* out) {
  out->assign(body.scripts.size(), body.language);
  if (body.languages.IsNull()) return std::nullopt;
  const Json::Array* list = body.languages.AsArray();
  const auto wrong = [&](const char* message) {
    return FieldErrors(Json::MakeArray().Append(
        FieldError("value_error", {"body", "languages"}, message, body.languages)));
  };
  if (list == nullptr || list->size() != body.scripts.size())
    return wrong("Value error, there must be one language for each script");
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string* name = (*list)[i].AsString();
    if (name == nullptr) return wrong("Value error, a language is no string");
    (*out)[i] = *name;
  }
  return std::nullopt;
}

Json Lines(const std::string& bytes) {
  Json list = Json::MakeArray();
  if (!bytes.empty()) list.Append(SanitizeUtf8(bytes));
  return list;
}

Json Failed(const std::string& why) {
  return Json().Set("execution", Json()).Set("exception_str", why).Set("text", Json());
}

// What the notebook left; null if it left nothing that can be read.
Json NotebookResult(const RunResult& result) {
  for (const SourceFile& file : result.collected) {
    Result<Json> json = ParseJson(file.bytes);
    if (file.path == kResultFile && json.ok() && json->IsObject()) return std::move(*json);
  }
  return Json();
}

Json ExecutionJson(const RunResult& result, const Limits& limits, bool notebook) {
  if (result.cause == Cause::kFault) return Failed(result.fault);
  if (IsTimeout(result.cause))
    return Failed(StrCat("the script was still running after its time of ", limits.wall_ms, " ms"));
  const Json said = notebook ? NotebookResult(result) : Json();
  const Json* text = said.Find("text");
  const Json* error = said.Find("error");
  Json results = Json::MakeArray();
  if (text != nullptr && text->IsString())
    results.Append(Json().Set("text", *text).Set("is_main_result", true));
  Json failure = error != nullptr ? *error : Json();
  if (!said.IsObject() && !result.ok()) {
    const std::string remark = Remark(result, limits);
    failure = Json()
                  .Set("name", CauseName(result.cause))
                  .Set("value", remark.empty() ? StrCat("exit code ", result.exit_code) : remark)
                  .Set("traceback", SanitizeUtf8(result.stderr_bytes));
  }
  const std::string out = SanitizeUtf8(result.stdout_bytes);
  return Json()
      .Set("execution", Json()
                            .Set("results", std::move(results))
                            .Set("logs", Json()
                                             .Set("stdout", Lines(result.stdout_bytes))
                                             .Set("stderr", Lines(result.stderr_bytes)))
                            .Set("error", std::move(failure))
                            .Set("execution_count", 1))
      .Set("exception_str", Json())
      .Set("text", text != nullptr && text->IsString() ? *text : Json(out));
}

Job MakeJob(const ServeContext& context, std::string script, const std::string& language,
            double seconds, bool* notebook) {
  Job job;
  const LanguageInfo* info = context.FindLanguage(language);
  *notebook = info != nullptr && info->name == "python";
  job.language = language;
  job.limits = LimitsFor(context.bounds(), seconds, 30, -1);
  job.allow = {"subprocess"};
  if (*notebook) {
    job.files.push_back({kScriptFile, std::move(script)});
    job.source = kNotebook;
    job.collect = {kResultFile};
  } else {
    job.source = std::move(script);
  }
  return job;
}

}  // namespace

PlanOrResponse PlanExecuteBatch(const ServeContext& context, const HttpRequest& request) {
  auto body = std::make_shared<BatchBody>();
  if (std::optional<HttpResponse> bad = ReadBody(request, BatchFields(body.get()))) return *bad;
  auto languages = std::make_shared<std::vector<std::string>>();
  if (std::optional<HttpResponse> bad = ReadLanguages(*body, languages.get())) return *bad;
  if (static_cast<int64_t>(body->scripts.size()) > context.bounds().pieces_max)
    return HttpError(413, StrCat("at most ", context.bounds().pieces_max, " in one request"));
  if (body->scripts.empty()) return HttpResponse::OfJson(200, Json::MakeArray());
  auto results = std::make_shared<std::vector<Json>>(body->scripts.size());
  WorkPlan plan;
  plan.pieces = body->scripts.size();
  plan.run = [&context, body, languages, results](size_t i) {
    if (context.FindLanguage((*languages)[i]) == nullptr) {
      (*results)[i] = Failed(StrCat("language '", (*languages)[i], "' is not installed here"));
      return;
    }
    bool notebook = false;
    const Job job =
        MakeJob(context, std::move(body->scripts[i]), (*languages)[i], body->timeout, &notebook);
    (*results)[i] = ExecutionJson(context.Run(job), job.limits, notebook);
  };
  plan.finish = [results] {
    return HttpResponse::OfJson(200, Json(Json::Array(std::move(*results))));
  };
  return plan;
}

Json ExecuteBatchRequestSchema() {
  BatchBody body;
  return BatchFields(&body).Schema();
}

Json ExecuteBatchResponseSchema() {
  return ArraySchema(
      ObjectSchema(
          {{"execution", OrNull(Json().Set("type", "object"))},
           {"exception_str", OrNull(StringSchema("why there is no execution"))},
           {"text", OrNull(StringSchema("the last expression's value, or else standard output"))}}),
      "one for each script, in order; `execution` has results, logs, error and execution_count, as "
      "E2B's");
}

}  // namespace assay
