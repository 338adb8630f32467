// What every subcommand of `assay` shares: the global options, how errors are said, how a result leaves. A subcommand is one
// file with one Add*Command function that registers its options and sets Context::run; main.cc parses and runs it.
// stdout carries data, everything else goes to stderr. Single-threaded.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "verifiers/verifier.h"

namespace CLI {
class App;
}

namespace assay {

inline constexpr int kExitOk = 0;
inline constexpr int kExitGate = 1;    // a requested gate failed
inline constexpr int kExitUsage = 2;   // bad usage, configuration or input
inline constexpr int kExitFaults = 3;  // finished, but some rows are not scored
inline constexpr int kExitInterrupted = 130;

const char* Version();
// Where settings are read from: ASSAY_CONFIG, or assay.toml in the current folder.
std::string ConfigFile();

struct GlobalOptions {
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";  // auto | always | never
  bool no_progress = false;
  int jobs = 0;  // 0: as many as there are cores
  uint64_t seed = 0;
  std::string output_format = "text";  // text | json
  std::string output;                  // -o
  std::string isolation;               // of the sandbox; "" = the best there is
  std::string python;                  // interpreter whose packages the sandbox offers
  std::vector<std::string> preimport;  // modules that every box has imported already
  std::string languages;               // TOML file that declares further languages
  std::string cache;                   // folder for verdicts and compiled programs
  bool no_cache = false;               // keep nothing, not even in memory

  bool json() const { return output_format == "json"; }
  int Jobs() const;
};

struct SandboxConfig;  // sandbox/sandbox.h

struct Context {
  GlobalOptions global;
  std::function<int()> run;  // set by the subcommand that was chosen
  // Set by the first SIGINT or SIGTERM if the command looks at it (`polls_interrupted`); every other command ends at once with
  // kExitInterrupted, as it does at the second signal.
  std::atomic<bool> interrupted{false};
  std::atomic<bool> polls_interrupted{false};

  // A VerifierEnv whose sandbox is started when first needed, with Jobs() slots.
  VerifierEnv MakeEnv();
  // Kills what runs in that sandbox, if it was started; what it says from now on is worth nothing.
  void CancelSandbox();
  // What the global options say of the sandbox.
  SandboxConfig MakeSandboxConfig() const;
  // An error if -o or stdout is one of these files or the settings' own: opening it for writing would empty it.
  Status CheckOutput(const std::vector<std::string>& inputs) const;
  // Prints text to -o or stdout; returns the exit code.
  int Output(const std::string& text) const;

  Context();
  ~Context();

 private:
  struct LazySandbox;
  std::shared_ptr<LazySandbox> sandbox_;
};

// Where a program of ours lies that is installed beside this one (links resolved); it need not exist.
std::string SiblingPath(const std::string& name);

// Nothing, and kExitOk, where nobody reads our standard output any longer (`| head`): that is no error. Else
// "error: ...", an empty line, "hint: ..." on stderr; returns kExitUsage.
int Fail(const Context& context, const Error& error);
// A remark on stderr, unless --quiet.
void Note(const Context& context, const std::string& text);
void Warn(const Context& context, const std::string& text);

void AddScoreCommand(CLI::App* app, Context* context);
void AddCheckCommand(CLI::App* app, Context* context);
void AddRubricCommand(CLI::App* app, Context* context);
void AddExplainCommand(CLI::App* app, Context* context);
void AddAuditCommand(CLI::App* app, Context* context);
void AddAgreeCommand(CLI::App* app, Context* context);
void AddSelectCommand(CLI::App* app, Context* context);
void AddImportCommand(CLI::App* app, Context* context);
void AddExportCommand(CLI::App* app, Context* context);
void AddReportCommand(CLI::App* app, Context* context);
void AddStoreCommand(CLI::App* app, Context* context);
void AddStatsCommand(CLI::App* app, Context* context);
void AddSamplesCommand(CLI::App* app, Context* context);
void AddServeCommand(CLI::App* app, Context* context);
void AddProblemsCommand(CLI::App* app, Context* context);
void AddMixCommand(CLI::App* app, Context* context);
void AddPipelineCommand(CLI::App* app, Context* context);
void AddRunCommand(CLI::App* app, Context* context);
void AddRedteamCommand(CLI::App* app, Context* context);
void AddDoctorCommand(CLI::App* app, Context* context);
void AddVerifiersCommand(CLI::App* app, Context* context);
void AddConfigCommand(CLI::App* app, Context* context);
void AddCompletionCommand(CLI::App* app, Context* context);
void AddVersionCommand(CLI::App* app, Context* context);
// generate, sft, grpo: exec the sibling assay-train.
void AddTrainCommands(CLI::App* app, Context* context);

}  // namespace assay
