// assay: the front door. Parses the command line, loads what assay.toml and the environment say, runs one subcommand.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "cli/command.h"
#include "cli/curve.h"
#include "cli/front.h"
#include "cli/testgen.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

// Options that assay.toml may hold. A flag beats ASSAY_NAME beats assay.toml beats the default: so the file's values are put
// where an environment variable is not set, and CLI11 does the rest.
constexpr const char* kConfigKeys[] = {"jobs",      "seed",   "color",       "output_format",
                                       "isolation", "python", "no_progress", "quiet",
                                       "verbose",   "cache",  "no_cache"};

constexpr size_t kConfigBytesMax = size_t{1} << 20;

std::string EnvName(std::string_view key) {
  std::string name = "ASSAY_";
  for (char c : key) name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return name;
}

Status LoadConfigFile() {
  const std::string file = ConfigFile();
  if (std::getenv("ASSAY_CONFIG") == nullptr && access(file.c_str(), F_OK) != 0) return {};
  const Result<std::string> text = ReadFile(file, kConfigBytesMax);
  if (!text.ok()) return text.error();
  const toml::parse_result parsed = toml::parse(*text, file);
  if (!parsed) {
    return Error{ErrorCode::kUsage,
                 StrCat(file, ":", static_cast<int64_t>(parsed.error().source().begin.line), ": ",
                        std::string(parsed.error().description())),
                 "one line a setting: jobs = 4"};
  }
  const std::vector<std::string> known(std::begin(kConfigKeys), std::end(kConfigKeys));
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error{ErrorCode::kUsage, StrCat(file, ": unknown key '", name, "'"),
                   DidYouMean(name, known)};
    }
    std::string value;
    if (const auto text = node.value_exact<std::string>())
      value = *text;
    else if (const auto number = node.value_exact<int64_t>())
      value = StrCat(*number);
    else if (const auto flag = node.value_exact<bool>())
      value = *flag ? "true" : "false";
    else
      return Error{ErrorCode::kUsage, StrCat(file, ": '", name, "' is no text, number or boolean"),
                   "one line a setting: jobs = 4"};
    setenv(EnvName(name).c_str(), value.c_str(), /*overwrite=*/0);
  }
  return {};
}

int Main(int argc, char** argv) {
  Context context;
  const Status config = LoadConfigFile();
  if (!config.ok()) return Fail(context, config.error());

  CLI::App app(
      "Assay decides what a language model's answer is worth: scores sampled answers, selects "
      "data, trains.",
      "assay");
  app.set_help_all_flag("--help-all", "Help of every command");
  app.set_version_flag("--version", std::string("assay ") + Version());
  app.require_subcommand(0, 1);
  AddGlobalOptions(&app, &context.global);
  AddScoreCommand(&app, &context);
  AddCheckCommand(&app, &context);
  AddRubricCommand(&app, &context);
  AddExplainCommand(&app, &context);
  AddAuditCommand(&app, &context);
  AddTestgenCommand(&app, &context);
  AddAgreeCommand(&app, &context);
  AddImportCommand(&app, &context);
  AddSelectCommand(&app, &context);
  AddExportCommand(&app, &context);
  AddReportCommand(&app, &context);
  AddStoreCommand(&app, &context);
  AddStatsCommand(&app, &context);
  AddSamplesCommand(&app, &context);
  AddCurveCommand(&app, &context);
  AddProblemsCommand(&app, &context);
  AddMixCommand(&app, &context);
  AddPipelineCommand(&app, &context);
  AddTrainCommands(&app, &context);
  AddRunCommand(&app, &context);
  AddServeCommand(&app, &context);
  AddRedteamCommand(&app, &context);
  AddDoctorCommand(&app, &context);
  AddVerifiersCommand(&app, &context);
  AddConfigCommand(&app, &context);
  AddCompletionCommand(&app, &context);
  AddHelpCommand(&app, &context);
  AddVersionCommand(&app, &context);
  return ParseAndRun(&app, &context, argc, argv);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
