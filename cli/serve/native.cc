// Our own routes: /v1/score, /v1/check, /v1/run, /v1/verifiers. What they answer is what `assay score`, `assay check`, `assay run
// --output-format json` and `assay verifiers` write.
#include <memory>
#include <utility>

#include "cli/questions.h"
#include "cli/serve/base64.h"
#include "cli/serve/fields.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "cli/serve/vet.h"
#include "core/option_docs.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/score/score_line.h"

namespace assay {
namespace {

HttpResponse OfError(const Error& error) {
  Json said = Json().Set("message", error.message).Set("hint", error.hint);
  return HttpResponse::OfJson(422,
                              Json().Set("detail", error.message).Set("error", std::move(said)));
}

struct ScoreBody {
  Json rows = Json::MakeArray();
  Json verifier, rubric, options;
  std::string input_format = "auto";
  bool times = true, keep_input = false;
};

Fields ScoreFields(ScoreBody* b) {
  Json names = Json::MakeArray();
  for (const std::string& name : InputFormats()) names.Append(name);
  const Json text_or = Json().Set(
      "type", Json::MakeArray().Append("string").Append("array").Append("object").Append("null"));
  Fields table;
  table.AddList("rows", &b->rows, "groups and flat samples as a line of `assay score` has them")
      .Required()
      .Schema(Json().Set("type", "array").Set("items", Json().Set("type", "object")))
      .Example(Json::MakeArray().Append(
          Json().Set("task", "math").Set("answer", "4").Set("completion", "\\boxed{4}")));
  table
      .AddAny("verifier", &b->verifier,
              "names, \"math,format\" or a list: each weighs 1; without it and a rubric the "
              "server's own, or else the row's task decides")
      .Schema(text_or);
  table
      .AddAny("rubric", &b->rubric,
              "a rubric: its TOML as text, or an object with the same keys (docs/rubrics.md)")
      .Schema(text_or);
  table.AddAny("options", &b->options, "options of the verifiers by name: {\"math\": {..}}")
      .Schema(Json().Set("type", Json::MakeArray().Append("object").Append("null")));
  table.Add("input_format", &b->input_format, "how rows are laid out; auto: by each row's keys");
  table.Add("times", &b->times, "whether verdicts say what they cost (`ms`)");
  table.Add("keep_input", &b->keep_input, "whether results hold the prompts and completions too");
  table.OnlyThese();
  return table;
}

// "math,format", ["math", "format"].
Result<RubricSpec> FromNames(const Json& names) {
  if (const std::string* text = names.AsString()) return RubricFromNames(*text);
  const Error bad = {ErrorCode::kUsage, "'verifier' is neither text nor a list of names",
                     "for example \"math,format\""};
  const Json::Array* list = names.AsArray();
  if (list == nullptr || list->empty()) return bad;
  std::string joined;
  for (const Json& name : *list) {
    if (!name.IsString()) return bad;
    StrAppend(&joined, joined.empty() ? "" : ",", *name.AsString());
  }
  return RubricFromNames(joined);
}

Result<RubricSpec> FromRubric(const Json& rubric) {
  if (const std::string* text = rubric.AsString()) return RubricFromToml(*text, "rubric");
  if (rubric.IsObject()) return RubricFromJson(rubric, "rubric");
  return Error{ErrorCode::kUsage, "'rubric' is neither text nor an object", "see docs/rubrics.md"};
}

// What a request says of its rubric, vetted; the server's own if it says nothing.
Result<RubricSpec> AskedRubric(const ServeContext& context, const ScoreBody& body) {
  if (!body.verifier.IsNull() && !body.rubric.IsNull())
    return Error{ErrorCode::kUsage, "'verifier' and 'rubric' are both given", "use one of them"};
  const bool own = body.verifier.IsNull() && body.rubric.IsNull();
  Result<RubricSpec> spec = own                     ? Result<RubricSpec>(context.default_rubric())
                            : !body.rubric.IsNull() ? FromRubric(body.rubric)
                                                    : FromNames(body.verifier);
  if (!spec.ok()) return spec;
  if (own && body.options.IsNull()) return spec;
  if (!body.options.IsNull() && !body.options.IsObject())
    return Error{ErrorCode::kUsage, "'options' is no object", "{\"math\": {..}}, by verifier"};
  if (Status status = ApplyOptions(body.options, &*spec); !status.ok()) {
    Error error = status.error();
    if (StartsWith(error.message, "--")) error.message = error.message.substr(2);
    return error;
  }
  if (Status status = VetRubric(context.bounds(), &*spec); !status.ok()) return status.error();
  return spec;
}

// Rows that are being scored: one piece a row, results in their order.
struct ScoreWork {
  std::shared_ptr<const Rubric> rubric;
  std::string input_format;
  ScoreLineStyle style;
  std::vector<Json> rows;  // or, where they are lines, not yet parsed:
  std::vector<std::string> lines;
  std::vector<int64_t> numbers;  // of the lines
  std::vector<std::string> results;

  size_t size() const { return results.size(); }
  Result<Group> Read(const ServeBounds& bounds, size_t i);
};

Result<Group> ScoreWork::Read(const ServeBounds& bounds, size_t i) {
  Json row;
  if (lines.empty()) {
    row = std::move(rows[i]);
  } else {
    Result<Json> parsed = ParseJson(lines[i]);
    if (!parsed.ok()) return parsed.error();
    row = std::move(*parsed);
  }
  if (!row.IsObject()) return Error{ErrorCode::kInput, "the row is no object", ""};
  if (Status status = ToAssayRow(input_format, &row); !status.ok()) return status.error();
  Result<Group> group = GroupFromJson(row);
  if (!group.ok()) return group;
  if (Status status = VetGroup(bounds, rubric->spec(), &*group); !status.ok())
    return status.error();
  return group;
}

PlanOrResponse ScorePlan(const ServeContext& context, std::shared_ptr<ScoreWork> work,
                         std::string_view before, std::string_view between, std::string_view after,
                         std::string content_type) {
  WorkPlan plan;
  plan.pieces = work->size();
  plan.run = [&context, work](size_t i) {
    const Result<Group> group = work->Read(context.bounds(), i);
    if (!group.ok()) {
      const int64_t number = work->numbers.empty() ? static_cast<int64_t>(i) + 1 : work->numbers[i];
      return AppendErrorLine("", number, group.error(), &work->results[i]);
    }
    AppendScoreLine(*group, context.Score(*work->rubric, *group), work->style, &work->results[i]);
  };
  plan.finish = [work, before, between, after, content_type] {
    HttpResponse response;
    response.content_type = content_type;
    response.body = before;
    for (size_t i = 0; i < work->size(); ++i)
      StrAppend(&response.body, i > 0 ? between : std::string_view(), work->results[i]);
    response.body += after;
    return response;
  };
  if (plan.pieces == 0) return plan.finish();
  return plan;
}

// The lines of a body of JSON Lines, blank ones left out.
void SplitLines(const std::string& body, ScoreWork* work) {
  int64_t number = 0;
  for (std::string_view line : SplitChar(body, '\n')) {
    ++number;
    if (Trim(line).empty()) continue;
    work->lines.emplace_back(line);
    work->numbers.push_back(number);
  }
}

bool IsJsonLines(std::string_view content_type) {
  for (const char* name : {"application/x-ndjson", "application/ndjson", "application/jsonl",
                           "application/x-jsonlines"}) {
    if (StartsWith(content_type, name)) return true;
  }
  return false;
}

std::optional<HttpResponse> TooMany(const ServeContext& context, size_t pieces) {
  if (static_cast<int64_t>(pieces) <= context.bounds().pieces_max) return std::nullopt;
  return HttpError(413, StrCat("at most ", context.bounds().pieces_max, " in one request"));
}

}  // namespace

PlanOrResponse PlanScore(const ServeContext& context, const HttpRequest& request) {
  ScoreBody body;
  auto work = std::make_shared<ScoreWork>();
  const bool lines = IsJsonLines(request.content_type);
  if (lines) {
    Json asked = QueryObject(request.query);
    asked.Set("rows", Json::MakeArray());  // they are the body
    if (std::optional<HttpResponse> bad = ReadFields(asked, ScoreFields(&body))) return *bad;
    SplitLines(request.body, work.get());
    work->results.resize(work->lines.size());
  } else {
    if (std::optional<HttpResponse> bad = ReadBody(request, ScoreFields(&body))) return *bad;
    work->rows = std::move(*body.rows.AsArray());
    work->results.resize(work->rows.size());
  }
  if (std::optional<HttpResponse> bad = TooMany(context, work->size())) return *bad;
  const Result<RubricSpec> spec = AskedRubric(context, body);
  if (!spec.ok()) return OfError(spec.error());
  const Result<std::shared_ptr<const Rubric>> rubric = context.RubricFor(*spec);
  if (!rubric.ok()) return OfError(rubric.error());
  work->rubric = *rubric;
  work->input_format = body.input_format == "auto" ? "" : body.input_format;
  work->style = {body.times, body.keep_input};
  if (lines) return ScorePlan(context, work, "", "\n", "\n", "application/x-ndjson");
  return ScorePlan(context, work, "{\"results\":[", ",", "]}", "application/json");
}

Json ScoreRequestSchema() {
  ScoreBody body;
  return ScoreFields(&body).Schema();
}

Json ScoreResponseSchema() {
  return ObjectSchema(
      {{"results",
        ArraySchema(Json().Set("type", "object"),
                    "one for each row, in order, as docs/schemas/score_group, score_flat "
                    "and score_error say")}});
}

namespace {

struct CheckBody {
  Json gold, options;
  std::string answer, verifier = "math";
};

Fields CheckFields(CheckBody* b) {
  Json types = Json::MakeArray();
  for (const char* type : {"string", "number", "array", "object", "null"}) types.Append(type);
  const Json any = Json().Set("type", std::move(types));
  Fields table;
  table
      .AddAny(
          "gold", &b->gold,
          "the reference answer, or a list of them (null: none); for `code` the verification_info")
      .Required()
      .Schema(any)
      .Example("\\frac{5}{6}");
  table.Add("answer", &b->answer, "the answer to judge").Required().Example("10/12");
  table.Add("verifier", &b->verifier, "which verifier judges");
  table.AddAny("options", &b->options, "its options")
      .Schema(Json().Set("type", Json::MakeArray().Append("object").Append("null")));
  table.OnlyThese();
  return table;
}

}  // namespace

PlanOrResponse PlanCheck(const ServeContext& context, const HttpRequest& request) {
  CheckBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, CheckFields(&body))) return *bad;
  if (!body.options.IsNull() && !body.options.IsObject())
    return OfError({ErrorCode::kUsage, "'options' is no object", ""});
  RubricSpec spec = CheckRubric(body.verifier, std::move(body.options));
  if (Status status = VetRubric(context.bounds(), &spec); !status.ok())
    return OfError(status.error());
  const Result<std::shared_ptr<const Rubric>> rubric = context.RubricFor(spec);
  if (!rubric.ok()) return OfError(rubric.error());
  Result<Group> group = CheckGroup(body.verifier, body.gold, body.answer);
  if (!group.ok()) return OfError(group.error());
  if (Status status = VetGroup(context.bounds(), spec, &*group); !status.ok())
    return OfError(status.error());
  auto shared = std::make_shared<const Group>(std::move(*group));
  return OnePiece([&context, rubric = *rubric, shared] {
    const GroupScore score = context.Score(*rubric, *shared);
    return HttpResponse::OfJson(200, VerdictToJson(score.samples[0].verdicts[0], true));
  });
}

Json CheckRequestSchema() {
  CheckBody body;
  return CheckFields(&body).Schema();
}

Json VerdictSchema() {
  return ObjectSchema({{"outcome", StringSchema("pass, fail, abstain or fault")},
                       {"score", NumberSchema("from 0 to 1")},
                       {"reason", StringSchema("stable: docs/reasons.md")},
                       {"detail", StringSchema("a sentence for people")},
                       {"ms", NumberSchema("what it cost")}},
                      "`evidence` says more where there is more");
}

namespace {

struct RunBody {
  std::string source, language = "python", stdin_text;
  std::vector<std::string> args, allow, fetch_files;
  Json files, limits;
};

Fields RunFields(RunBody* b) {
  Fields table;
  table.Add("source", &b->source, "the program").Required().Example("print(6 * 7)");
  table.Add("language", &b->language, "one of `assay doctor`");
  table.Add("stdin", &b->stdin_text, "standard input");
  table.Add("args", &b->args, "its arguments");
  table.Add("allow", &b->allow, "relaxations of the policy: subprocess");
  table.AddObject("files", &b->files, "files beside the program, by path, in base64")
      .Schema(Json().Set("type", "object").Set("additionalProperties", StringSchema("")));
  table.Add("fetch_files", &b->fetch_files, "files to hand back, by path");
  table.AddObject("limits", &b->limits, "cpu_ms, wall_ms, memory_mib, .. (docs/sandbox.md)");
  table.OnlyThese();
  return table;
}

Status ReadLimits(const ServeBounds& bounds, const Json& given, Limits* limits) {
  const double run_ms = bounds.run_seconds_max * 1000;
  limits->memory_mib = std::min(limits->memory_mib, bounds.memory_mib_max);
  limits->output_bytes = std::min(limits->output_bytes, bounds.output_bytes);
  Options table("limit");
  table.Add("cpu_ms", &limits->cpu_ms, "").Range(1, run_ms);
  table.Add("wall_ms", &limits->wall_ms, "").Range(1, run_ms);
  table.Add("memory_mib", &limits->memory_mib, "")
      .Range(1, static_cast<double>(bounds.memory_mib_max));
  table.Add("processes", &limits->processes, "").Range(1, 4096);
  table.Add("output_bytes", &limits->output_bytes, "")
      .Range(1, static_cast<double>(bounds.output_bytes));
  table.Add("files", &limits->files, "").Range(1, 1 << 20);
  table.Add("disk_mib", &limits->disk_mib, "").Range(1, static_cast<double>(bounds.memory_mib_max));
  table.Add("stack_mib", &limits->stack_mib, "").Range(1, 4096);
  table.Add("open_files", &limits->open_files, "").Range(8, 65536);
  table.Add("compile_cpu_ms", &limits->compile_cpu_ms, "")
      .Range(1, bounds.compile_seconds_max * 1000);
  return table.Read(given.IsNull() ? Json::MakeObject() : given);
}

Status ReadJobFiles(const RunBody& body, Job* job) {
  if (body.files.IsObject()) {
    for (const Json::Member& file : *body.files.AsObject()) {
      const std::string* text = file.value.AsString();
      std::optional<std::string> bytes =
          text != nullptr ? Base64Decoded(*text) : std::optional<std::string>();
      if (!bytes || !StaysInside(file.key)) {
        return Error{ErrorCode::kUsage,
                     StrCat("files: '", file.key, "' is no relative path with base64 for content"),
                     ""};
      }
      job->files.push_back({file.key, std::move(*bytes)});
    }
  }
  for (const std::string& path : body.fetch_files) {
    if (!StaysInside(path))
      return Error{ErrorCode::kUsage, StrCat("fetch_files: '", path, "' is no relative path"), ""};
  }
  job->collect = body.fetch_files;
  return {};
}

}  // namespace

PlanOrResponse PlanRun(const ServeContext& context, const HttpRequest& request) {
  RunBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, RunFields(&body))) return *bad;
  auto job = std::make_shared<Job>();
  if (context.sandbox() != nullptr) {
    if (Status known = context.sandbox()->CheckLanguage(body.language); !known.ok())
      return OfError(known.error());
  }
  if (Status status = ReadLimits(context.bounds(), body.limits, &job->limits); !status.ok())
    return OfError(status.error());
  if (Status status = ReadJobFiles(body, job.get()); !status.ok()) return OfError(status.error());
  for (const std::string& name : body.allow) {
    if (name != "subprocess") {
      return OfError({ErrorCode::kUsage, StrCat("unknown relaxation '", name, "'"),
                      DidYouMean(name, {"subprocess"})});
    }
  }
  job->language = body.language;
  job->source = std::move(body.source);
  job->stdin_bytes = std::move(body.stdin_text);
  job->args = std::move(body.args);
  job->allow = std::move(body.allow);
  return OnePiece([&context, job] {
    const RunResult result = context.Run(*job);
    Json json = result.ToJson();
    if (!job->collect.empty()) {
      Json files = Json::MakeObject();
      for (const SourceFile& file : result.collected)
        files.Set(file.path, Base64Encoded(file.bytes));
      json.Set("files", std::move(files));
    }
    return HttpResponse::OfJson(200, json);
  });
}

Json RunRequestSchema() {
  RunBody body;
  return RunFields(&body).Schema();
}

Json RunResponseSchema() {
  return ObjectSchema({{"cause", StringSchema("ok, nonzero_exit, cpu_limit, ..: docs/sandbox.md")},
                       {"exit_code", OrNull(IntegerSchema("null: it did not end by itself"))},
                       {"signal", OrNull(IntegerSchema("that ended it"))},
                       {"stdout", StringSchema("bytes that are no UTF-8 as U+FFFD")},
                       {"stderr", StringSchema("likewise")},
                       {"stdout_truncated", BooleanSchema("")},
                       {"stderr_truncated", BooleanSchema("")},
                       {"cpu_ms", NumberSchema("")},
                       {"wall_ms", NumberSchema("")},
                       {"peak_memory_kib", IntegerSchema("")},
                       {"isolation", StringSchema("namespaces, landlock or none")}},
                      "docs/schemas/run_result.schema.json");
}

PlanOrResponse PlanVerifiers(const ServeContext&, const HttpRequest&) {
  Json list = Json::MakeArray();
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    list.Append(Json()
                    .Set("name", info.name)
                    .Set("summary", info.summary)
                    .Set("needs_sandbox", info.needs_sandbox)
                    .Set("requests_may_name_it", IsHarmless(info.name))
                    .Set("options_schema", OptionSchema(info.options(), true)));
  }
  return HttpResponse::OfJson(200, Json().Set("verifiers", std::move(list)));
}

Json VerifiersResponseSchema() {
  return ObjectSchema(
      {{"verifiers", ArraySchema(ObjectSchema({{"name", StringSchema("")},
                                               {"summary", StringSchema("")},
                                               {"needs_sandbox", BooleanSchema("")},
                                               {"requests_may_name_it", BooleanSchema("")},
                                               {"options_schema", Json().Set("type", "object")}}),
                                 "")}});
}

}  // namespace assay
