// assay generate, sft, grpo, gguf: exec the sibling assay-train, which links LibTorch (this program never does). generate from an endpoint or a
// command is done here (cli/generate.h).
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "cli/command.h"
#include "cli/generate.h"
#include "core/text.h"

namespace assay {
namespace {

int ExecTrain(Context* context, const std::string& command, const std::vector<std::string>& rest) {
  const std::string program = SiblingPath("assay-train");
  if (access(program.c_str(), X_OK) != 0) {
    return Fail(*context,
                {ErrorCode::kUnavailable, StrCat("training is off: '", program, "' is not there"),
                 "it was built without LibTorch: run `make setup build`, or set "
                 "TORCH_PREFIX and build again"});
  }
  std::vector<std::string> words = {program, command};
  words.insert(words.end(), rest.begin(), rest.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // Threads that spin while they wait stand still on a machine with more work than cores.
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  execv(program.c_str(), argv.data());
  return Fail(*context, {ErrorCode::kUnavailable,
                         StrCat("cannot run '", program, "': ", std::strerror(errno)), ""});
}

// Global options given before the command's name, for assay-train: it knows the same ones.
std::vector<std::string> GlobalWords(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty() || option->get_lnames()[0] == "help")
      continue;
    // Values from the environment are inherited; passing them on as flags does no harm.
    const std::string flag = "--" + option->get_lnames()[0];
    if (option->get_items_expected_max() == 0) {
      words.push_back(flag);
      continue;
    }
    for (const std::string& value : option->results()) words.insert(words.end(), {flag, value});
  }
  return words;
}

}  // namespace

void AddTrainCommands(CLI::App* app, Context* context) {
  const std::pair<const char*, const char*> commands[] = {
      {"generate", "Sample answers from a model into groups (assay-train)"},
      {"sft", "Supervised fine-tuning (assay-train)"},
      {"grpo", "Group-relative policy optimisation (assay-train)"},
      {"gguf", "Write a model folder as GGUF for llama.cpp (assay-train)"}};
  for (const auto& [name, summary] : commands) {
    CLI::App* command = app->add_subcommand(name, summary);
    command->allow_extras();
    command->prefix_command();
    command->fallthrough(false);  // its words are not ours
    command->set_help_flag();     // --help goes to assay-train
    command->callback([app, command, context, name = std::string(name)] {
      context->run = [app, command, context, name] {
        std::vector<std::string> words = GlobalWords(*app);
        for (const std::string& word : command->remaining()) words.push_back(word);
        if (name == "generate" && GeneratesIntoStore(command->remaining()))
          return RunGenerate(context, words);
        return ExecTrain(context, name, words);
      };
    });
  }
}

}  // namespace assay
