#include <memory>
#include <optional>
#include <string>

#include "core/text.h"
#include "verifiers/json_schema/schema.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

constexpr size_t kAnswerBytesMax = size_t{1} << 20;

// `json_schema`: the answer is JSON that a schema describes.
struct JsonSchemaJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    Json schema;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("json_schema");
    AddAnswerPlace(&s->from, &table);
    table.Add("schema", &s->schema,
              "a JSON Schema; none: the row's `schema` or `json_schema`, an object or its text");
    return table;
  }

  static Status Check(const Settings& s) {
    if (s.schema.IsNull()) return {};
    Result<std::shared_ptr<const JsonSchema>> made = JsonSchema::Make(s.schema);
    if (made.ok()) return {};
    return Error{ErrorCode::kUsage,
                 StrCat("option 'schema' of verifier 'json_schema': ", made.error().message),
                 made.error().hint};
  }

  JsonSchemaJudge(const Settings& s, const Problem& problem) : from(s.from) {
    Json given = s.schema;
    for (const Json* object : {&problem.verification_info, &problem.extra}) {
      for (const char* key : {"schema", "json_schema"}) {
        const Json* found = object->Find(key);
        if (given.IsNull() && found != nullptr) given = *found;
      }
    }
    if (given.AsString() != nullptr) {
      Result<Json> read = ParseJson(*given.AsString());
      given = read.ok() ? *read : Json();
    }
    if (given.IsNull()) {
      fault = "the row has no schema";
      return;
    }
    Result<std::shared_ptr<const JsonSchema>> made = JsonSchema::Make(std::move(given));
    if (made.ok()) {
      schema = *made;
    } else {
      fault = made.error().message;
    }
  }

  Verdict operator()(const Sample& sample) const {
    if (schema == nullptr) return Verdict::Fault("gold_bad_schema", fault);
    const FoundAnswer found = FindAnswer(sample.text, from);
    if (found.refusal) return *found.refusal;
    const std::string_view text = WithoutFence(found.text);
    if (text.size() > kAnswerBytesMax)
      return Verdict::Fail("limit_reached", "the answer is too long");
    JsonRepairs repairs;
    const Result<Json> value = ParseJson(text, &repairs);
    if (!value.ok() || repairs.nonfinite > 0 || repairs.invalid_utf8 > 0)
      return Verdict::Fail("unparseable", StrCat("the answer is no JSON: ", Shorten(text, 80)));
    const JsonSchema::Answer answer = schema->Check(*value);
    if (answer.valid) return Verdict::Pass();
    if (answer.spent) return Verdict::Fail("limit_reached", "the schema asks for too many steps");
    return Verdict::Fail("schema_mismatch", answer.problem);
  }

  // A fence around all of it is taken off.
  static std::string_view WithoutFence(std::string_view text) {
    if (!StartsWith(text, "```") || !EndsWith(text, "```") || text.size() < 6) return text;
    const size_t line = text.find('\n');
    if (line == std::string_view::npos) return text;
    const std::string label = AsciiLower(Trim(text.substr(3, line - 3)));
    if (!label.empty() && label != "json") return text;
    return Trim(text.substr(line, text.size() - 3 - line));
  }

  AnswerPlace from;
  std::shared_ptr<const JsonSchema> schema;
  std::string fault;
};

}  // namespace

std::vector<OptionInfo> JsonSchemaOptionInfos() {
  return TextVerifierOptionInfos<JsonSchemaJudge>();
}
Result<std::unique_ptr<Verifier>> MakeJsonSchemaVerifier(const Json& options,
                                                         const VerifierEnv& env) {
  return MakeTextVerifier<JsonSchemaJudge>(options, env);
}

}  // namespace assay
