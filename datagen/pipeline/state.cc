#include "datagen/pipeline/state.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string StateFile(const std::string& folder) { return folder + "/stage.json"; }

// Large files are hashed a piece at a time.
std::string FileHash(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return "";
  std::string buffer(size_t{4} << 20, '\0');
  uint64_t chain = 0;
  Hash128 hash = HashBytes128("");
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file)) {
    hash = HashBytes128(std::string_view(buffer).substr(0, got), chain);
    chain = hash.low ^ (hash.high * 0x9E3779B97F4A7C15ULL);
  }
  std::fclose(file);
  return hash.Hex();
}

}  // namespace

std::string ContentHash(const std::string& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return fs::exists(path, code) ? FileHash(path) : "";
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(path, code)) {
    if (entry.is_regular_file()) names.push_back(fs::relative(entry.path(), path).string());
  }
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names)
    StrAppend(&all, name, "\n", FileHash(path + "/" + name), "\n");
  return names.empty() ? "" : HashBytes128(all).Hex();
}

Result<std::string> Fingerprint(const StagePlan& plan, const std::string& tool_version) {
  Json inputs = Json::MakeObject();
  for (const std::string& input : plan.inputs) {
    const std::string hash = ContentHash(input);
    if (hash.empty())
      return Error{ErrorCode::kInput, StrCat("'", input, "' is not there"),
                   "if a stage makes it, that has not run: leave out --only and --from"};
    inputs.Set(input, hash);
  }
  Json all;
  all.Set("version", tool_version).Set("config", plan.config).Set("inputs", std::move(inputs));
  return HashBytes128(all.Dump()).Hex();
}

StageState ReadStageState(const std::string& folder) {
  StageState state;
  const Result<std::string> text = ReadFile(StateFile(folder), size_t{16} << 20);
  if (!text.ok()) return state;
  const Result<Json> json = ParseJson(*text);
  if (!json.ok()) return state;
  state.done = true;
  state.fingerprint = json->StringOr("fingerprint", "");
  state.output_hash = json->StringOr("output_hash", "");
  state.seconds = json->DoubleOr("seconds", 0);
  if (const Json* figures = json->Find("figures")) state.figures = *figures;
  return state;
}

Status WriteStageState(const std::string& folder, const StageState& state) {
  const Json json = Json()
                        .Set("fingerprint", state.fingerprint)
                        .Set("output_hash", state.output_hash)
                        .Set("seconds", state.seconds)
                        .Set("figures", state.figures);
  return WriteFileAtomic(StateFile(folder), json.Dump() + "\n");
}

bool UpToDate(const StagePlan& plan, const StageState& state, const std::string& fingerprint) {
  return state.done && state.fingerprint == fingerprint && !plan.outputs.empty() &&
         ContentHash(plan.outputs[0]) == state.output_hash;
}

}  // namespace assay
