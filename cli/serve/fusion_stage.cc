#include "cli/serve/fusion_stage.h"

#include <cstdlib>
#include <set>
#include <utility>

#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

// What a client asks to have fetched; more names than this are dropped.
constexpr size_t kFetchedMax = 256;
constexpr char kIgnoredFile[] = "IGNORE_THIS_FILE";

}  // namespace

void AddFusionFiles(Fields* table, Json* files, std::vector<std::string>* fetch_files) {
  const Json content = Json().Set("type", Json::MakeArray().Append("string").Append("null"));
  table->AddObject("files", files, "files beside the program, by path, in base64")
      .Schema(Json().Set("type", "object").Set("additionalProperties", content));
  table->Add("fetch_files", fetch_files, "files to hand back, by path; missing ones are left out");
}

void ReadFusionFiles(const Json& files, std::vector<SourceFile>* out, Json* errors) {
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

std::vector<std::string> FusionFetched(const std::vector<std::string>& fetch_files) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (const std::string& path : fetch_files) {
    if (out.size() < kFetchedMax && StaysInside(path) && seen.insert(path).second)
      out.push_back(path);
  }
  return out;
}

Json FusionStage(const RunResult& result) {
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

Json FusionPodName() {
  const char* name = std::getenv("MY_POD_NAME");
  return name != nullptr ? Json(name) : Json();
}

Json FusionStageSchema() {
  return OrNull(ObjectSchema(
      {{"status", StringSchema("Finished, Error or TimeLimitExceeded")},
       {"execution_time", OrNull(NumberSchema("seconds by the clock"))},
       {"cpu_time", OrNull(NumberSchema("seconds of CPU time"))},
       {"return_code", OrNull(IntegerSchema("exit code; -9 for signal 9; null: time ran out"))},
       {"stdout", OrNull(StringSchema("bytes that are no UTF-8 as U+FFFD"))},
       {"stderr", OrNull(StringSchema("likewise"))}}));
}

Json FusionFilesSchema() {
  return Json()
      .Set("type", "object")
      .Set("description", "the fetched ones, in base64")
      .Set("additionalProperties", StringSchema(""));
}

}  // namespace assay
