#include "cli/front.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "core/text.h"

namespace assay {
namespace {

Context* g_context = nullptr;  // for the signal handler only

void OnInterrupt(int) {
  // A second one means it.
  if (!g_context->polls_interrupted || g_context->interrupted.exchange(true))
    _exit(kExitInterrupted);
}

// In whichever thread it happens: what was written is valid, as after a kill, and nothing can be said with more memory.
void OnOutOfMemory() {
  constexpr std::string_view kText =
      "error: out of memory\n\nhint: give a smaller -j, or raise the limit (ulimit -v)\n";
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  _exit(kExitUsage);
}

// CLI11 wraps negative numbers and cuts large ones in silence.
std::string CheckSeed(const std::string& text) {
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return "'" + text + "' is no whole number from 0 to 18446744073709551615";
}

// The subcommand that was chosen, or the program itself.
const CLI::App* Deepest(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? &app : Deepest(*chosen[0]);
}

// Where else than on the command line the bad value of a global option may stand.
std::string SettingsHint(const CLI::App& app, const std::string& message) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string& variable = option->get_envname();
    if (variable.empty() || std::getenv(variable.c_str()) == nullptr) continue;
    for (const std::string& name : option->get_lnames()) {
      if (message.find("--" + name) != std::string::npos)
        return StrCat("; if no flag says so, ", variable, " or assay.toml does");
    }
  }
  return "";
}

// CLI11's sentence in our style, with the nearest name.
Error FromParseError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = Deepest(app);
  const auto remaining = app.remaining(true);
  if (!remaining.empty()) {
    const std::string& first = remaining[0];
    std::vector<std::string> names;
    if (StartsWith(first, "-")) {
      for (const CLI::App* level : {command, &app}) {
        for (const CLI::Option* option : level->get_options()) {
          for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        }
      }
      const std::string bare = first.substr(0, first.find('='));
      const std::string near = NearestName(bare, names);
      return {ErrorCode::kUsage, StrCat("unknown option '", first, "'"),
              near.empty() ? StrCat("see `assay ", command == &app ? "" : command->get_name() + " ",
                                    "--help`")
                           : StrCat("did you mean '", near, "'?")};
    }
    if (command == &app) {
      for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(sub->get_name());
      return {ErrorCode::kUsage, StrCat("unknown command '", first, "'"), DidYouMean(first, names)};
    }
    return {ErrorCode::kUsage, StrCat("unexpected argument '", first, "'"),
            StrCat("see `assay ", command->get_name(), " --help`")};
  }
  std::string message = error.what();
  if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z' &&
      (message.size() < 2 || message[1] >= 'a')) {
    message[0] = static_cast<char>(message[0] - 'A' + 'a');
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  return {ErrorCode::kUsage, message,
          StrCat("see `assay ", command == &app ? "" : command->get_name() + " ", "--help`",
                 SettingsHint(app, message))};
}

// `assay help store check` says what `assay store check --help` says.
int RunHelp(Context* context, const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  std::string before = app.get_name();
  for (size_t i = 0; i < words.size(); ++i) {
    const auto subs = command->get_subcommands([](const CLI::App*) { return true; });
    const auto found = std::find_if(
        subs.begin(), subs.end(), [&](const CLI::App* sub) { return sub->get_name() == words[i]; });
    if (found == subs.end()) {
      std::vector<std::string> names;
      for (const CLI::App* sub : subs) names.push_back(sub->get_name());
      return Fail(*context, {ErrorCode::kUsage, StrCat("unknown command '", words[i], "'"),
                             DidYouMean(words[i], names)});
    }
    if (command != &app) StrAppend(&before, " ", command->get_name());
    command = *found;
  }
  // Not help(), which goes on to the command that was given: `help`.
  return context->Output(
      command->get_formatter()->make_help(command, before, CLI::AppFormatMode::Normal));
}

}  // namespace

void AddHelpCommand(CLI::App* app, Context* context) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app->add_subcommand("help", "Say what a command does, and its options");
  command->add_option("COMMAND", *words, "Which one; the list of all without it");
  command->callback([app, context, words] {
    context->run = [app, context, words] { return RunHelp(context, *app, *words); };
  });
}

void AddGlobalOptions(CLI::App* app, GlobalOptions* global) {
  app->fallthrough();
  app->add_flag("-q,--quiet", global->quiet, "No summaries or remarks on stderr")
      ->envname("ASSAY_QUIET");
  app->add_flag("-v,--verbose", global->verbose, "More on stderr")->envname("ASSAY_VERBOSE");
  app->add_option("--color", global->color, "auto, always or never")
      ->envname("ASSAY_COLOR")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app->add_flag("--no-progress", global->no_progress, "No progress bar")
      ->envname("ASSAY_NO_PROGRESS");
  app->add_option("-j,--jobs", global->jobs, "Rows scored at once (default: number of cores)")
      ->envname("ASSAY_JOBS")
      ->check(CLI::Range(1, 1024));
  app->add_option("--seed", global->seed, "Seed of everything random")
      ->envname("ASSAY_SEED")
      ->check(CLI::Validator(CheckSeed, "UINT64"));
  app->add_option("--output-format", global->output_format, "text or json")
      ->envname("ASSAY_OUTPUT_FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  app->add_option("-o,--output", global->output, "Write data to FILE instead of stdout")
      ->type_name("FILE");
  app->add_option("--isolation", global->isolation,
                  "Sandbox tier: namespaces, landlock or none (default: the best there is)")
      ->envname("ASSAY_ISOLATION")
      ->check(CLI::IsMember({"namespaces", "landlock", "none"}));
  app->add_option("--python", global->python,
                  "Interpreter or venv whose packages the sandbox offers")
      ->envname("ASSAY_PYTHON")
      ->type_name("PATH");
  app->add_option("--languages", global->languages,
                  "TOML file that declares further languages for the sandbox (docs/sandbox.md)")
      ->envname("ASSAY_LANGUAGES")
      ->type_name("FILE");
  app->add_option("--preimport", global->preimport,
                  "Modules that every box has imported already: numpy,..")
      ->delimiter(',')
      ->allow_extra_args(false)  // the next word is not another name
      ->type_name("NAMES");
  app->add_option("--cache", global->cache,
                  "Keep verdicts on programs in this folder (default: in memory, for one run)")
      ->envname("ASSAY_CACHE")
      ->type_name("DIR");
  app->add_flag("--no-cache", global->no_cache,
                "Judge and compile everything anew, equal programs of a group aside")
      ->envname("ASSAY_NO_CACHE");
}

int ParseAndRun(CLI::App* app, Context* context, int argc, char** argv) {
  try {
    app->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* command = Deepest(*app);
    return context->Output(command == app ? app->help() : command->help(app->get_name()));
  } catch (const CLI::Success& success) {
    return app->exit(success);
  } catch (const CLI::ParseError& error) {
    return Fail(*context, FromParseError(*app, error));
  }
  if (!context->run) {
    std::fputs(app->help().c_str(), stderr);
    return kExitUsage;
  }
  std::set_new_handler(OnOutOfMemory);
  g_context = context;
  std::signal(SIGPIPE, SIG_IGN);
  // A write beyond the limit on a file's size is an error with a hint then. A handler, unlike SIG_IGN, is not passed on to other programs.
  std::signal(SIGXFSZ, [](int) {});
  std::signal(SIGINT, OnInterrupt);
  std::signal(SIGTERM, OnInterrupt);
  try {
    return context->run();
  } catch (const std::exception& error) {
    return Fail(*context, {ErrorCode::kInternal, error.what(),
                           "what was written before is valid; the limits of this machine (ulimit "
                           "-a) may be too low"});
  }
}

}  // namespace assay
