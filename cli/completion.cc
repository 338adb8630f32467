// assay completion, assay man: what shells and `man` want to know, made of the same tables that parse the command line.
#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/text.h"

namespace assay {
namespace {

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// "--verifier", "-o".
std::vector<std::string> Flags(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// `text` with a backslash before each of `special`.
std::string Escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (char c : text) {
    if (special.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

// Within single quotes of a shell.
std::string ShellQuoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out.push_back(c);
  }
  return out + "'";
}

std::string FirstSentence(const std::string& text) { return text.substr(0, text.find(". ")); }

std::string Joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) StrAppend(&out, out.empty() ? "" : between, word);
  return out;
}

std::vector<std::string> Words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* sub : Commands(app)) words.push_back(sub->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : Flags(*option)) words.push_back(name);
  }
  return words;
}

std::string BashCompletion(const CLI::App& root) {
  std::string out = "_assay() {\n  local global=\"" + Joined(Words(root), " ") +
                    "\"\n  local words=\"$global\" word\n  for word in "
                    "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$word\" in\n";
  for (const CLI::App* sub : Commands(root)) {
    StrAppend(&out, "      ", sub->get_name(), ") words=\"", Joined(Words(*sub), " "), "\" ;;\n");
  }
  return out +
         "    esac\n  done\n  COMPREPLY=($(compgen -W \"$words\" -- "
         "\"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _assay assay\n";
}

// "'(-o --output)'{-o,--output}'[Write data ..]:FILE:_files'".
std::string ZshOption(const CLI::Option& option) {
  const std::vector<std::string> names = Flags(option);
  const std::string described =
      ShellQuoted(StrCat("[", Escaped(option.get_description(), "[]:\\"), "]")).substr(1);
  std::string value;
  if (option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();
    const bool path = type == "FILE" || type == "DIR" || type == "PATH";
    value = StrCat(":", Escaped(type.empty() ? "value" : type, ":"), ":", path ? "_files" : " ");
  }
  const std::string tail = StrCat(described.substr(0, described.size() - 1), value, "'");
  if (names.size() == 1) return StrCat("'", names[0], tail);
  return StrCat("'(", Joined(names, " "), ")'{", Joined(names, ","), "}'", tail);
}

std::string ZshOptions(const CLI::App& app, std::string_view indent) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    if (!Flags(*option).empty()) StrAppend(&out, " \\\n", indent, ZshOption(*option));
  }
  return out;
}

std::string ZshCompletion(const CLI::App& root) {
  std::string out = "#compdef assay\n_assay() {\n  local -a commands\n  commands=(\n";
  for (const CLI::App* sub : Commands(root)) {
    StrAppend(&out, "    ",
              ShellQuoted(StrCat(sub->get_name(), ":",
                                 Escaped(FirstSentence(sub->get_description()), ":"))),
              "\n");
  }
  StrAppend(&out, "  )\n  local state line\n  _arguments -C", ZshOptions(root, "    "),
            " \\\n    '1: :->command' \\\n    '*:: :->rest'\n  case $state in\n    command) "
            "_describe command commands ;;\n    rest)\n      case $line[1] in\n");
  for (const CLI::App* sub : Commands(root)) {
    StrAppend(&out, "        ", sub->get_name(), ") _arguments", ZshOptions(*sub, "          "),
              ZshOptions(root, "          "), " \\\n          '*:file:_files' ;;\n");
  }
  return out +
         "      esac ;;\n  esac\n}\nif [ \"$funcstack[1]\" = _assay ]; then _assay \"$@\"; "
         "else compdef _assay assay; fi\n";
}

std::string FishOption(const CLI::Option& option, const std::string& condition) {
  std::string out = StrCat("complete -c assay -n ", ShellQuoted(condition));
  for (const std::string& name : option.get_lnames()) StrAppend(&out, " -l ", name);
  for (const std::string& name : option.get_snames()) StrAppend(&out, " -s ", name);
  if (option.get_items_expected_max() > 0) out += " -r";
  // fish's single quotes know a backslash.
  return StrCat(out, " -d '", Escaped(option.get_description(), "'\\"), "'\n");
}

std::string FishCompletion(const CLI::App& root) {
  std::string out;
  for (const CLI::Option* option : root.get_options()) {
    if (!Flags(*option).empty()) out += FishOption(*option, "true");
  }
  for (const CLI::App* sub : Commands(root)) {
    StrAppend(&out, "complete -c assay -n __fish_use_subcommand -a ", sub->get_name(), " -d '",
              Escaped(FirstSentence(sub->get_description()), "'\\"), "'\n");
    for (const CLI::Option* option : sub->get_options()) {
      if (!Flags(*option).empty())
        out += FishOption(*option, "__fish_seen_subcommand_from " + sub->get_name());
    }
  }
  return out;
}

// Text for troff: no backslash or minus of its own, no line that begins with a request.
std::string Troff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\n')
      out += "\n.br\n";
    else
      out.push_back(c);
  }
  if (StartsWith(out, ".") || StartsWith(out, "'")) out = "\\&" + out;
  return out;
}

std::string ManOptions(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    const std::vector<std::string> names = Flags(*option);
    if (names.empty() || option->get_name() == "--help") continue;
    StrAppend(&out, ".TP\n\\fB", Troff(Joined(names, ", ")), "\\fR");
    if (option->get_items_expected_max() > 0 && !option->get_type_name().empty())
      StrAppend(&out, " \\fI", Troff(option->get_type_name()), "\\fR");
    StrAppend(&out, "\n", Troff(option->get_description()));
    if (!option->get_default_str().empty())
      StrAppend(&out, " (default: ", Troff(option->get_default_str()), ")");
    out += "\n";
  }
  return out;
}

void ManCommand(const CLI::App& command, const std::string& name, std::string* out) {
  std::string synopsis;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) StrAppend(&synopsis, " \\fI", Troff(option->get_name()), "\\fR");
  }
  StrAppend(out, ".SS ", Troff(name), "\n.B assay ", Troff(name), "\\fR", synopsis, "\n.PP\n",
            Troff(command.get_description()), ".\n", ManOptions(command));
  for (const CLI::App* sub : Commands(command))
    ManCommand(*sub, StrCat(name, " ", sub->get_name()), out);
}

std::string ManPage(const CLI::App& root) {
  std::string out = StrCat(
      ".TH ASSAY 1 \"\" \"assay ", Version(), "\" \"User Commands\"\n.SH NAME\nassay \\- ",
      "what a language model's answer is worth\n.SH SYNOPSIS\n.B assay\n.I COMMAND\n[options]\n",
      ".SH DESCRIPTION\n", Troff(root.get_description()),
      "\n.SH OPTIONS\nThey stand before or behind any command.\n", ManOptions(root),
      ".SH COMMANDS\n");
  for (const CLI::App* sub : Commands(root)) ManCommand(*sub, sub->get_name(), &out);
  StrAppend(&out, ".SH EXIT STATUS\n");
  const std::pair<int, const char*> codes[] = {
      {kExitOk, "done, whatever the pass rate"},
      {kExitGate, "a gate that was asked for failed"},
      {kExitUsage, "bad usage, configuration or input; isolation that is not to be had"},
      {kExitFaults, "finished, but some rows are not scored"},
      {kExitInterrupted, "interrupted: what was written is valid"}};
  for (const auto& [code, meaning] : codes) StrAppend(&out, ".TP\n", code, "\n", meaning, "\n");
  StrAppend(
      &out,
      ".SH ENVIRONMENT\nA flag beats \\fBASSAY_\\fINAME\\fR, which beats \\fIassay.toml\\fR in "
      "the current folder (or the file that \\fBASSAY_CONFIG\\fR names).\n");
  return out;
}

}  // namespace

void AddCompletionCommand(CLI::App* app, Context* context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app->add_subcommand("completion", "Print a completion script for a shell");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([app, context, shell] {
    context->run = [app, context, shell] {
      return context->Output(*shell == "bash"  ? BashCompletion(*app)
                             : *shell == "zsh" ? ZshCompletion(*app)
                                               : FishCompletion(*app));
    };
  });
  app->add_subcommand("man", "Print the manual page (man -l reads it)")->callback([app, context] {
    context->run = [app, context] { return context->Output(ManPage(*app)); };
  });
}

}  // namespace assay
