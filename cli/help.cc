// assay version, verifiers, config: what this program is and can do.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/command.h"
#include "core/option_docs.h"
#include "core/text.h"

namespace assay {
namespace {

int RunVerifiers(Context* context, const std::string& name) {
  if (!name.empty()) {
    const VerifierInfo* info = FindVerifier(name);
    if (info == nullptr) {
      std::vector<std::string> names;
      for (const VerifierInfo& other : BuiltinVerifiers()) names.push_back(other.name);
      return Fail(*context, {ErrorCode::kUsage, StrCat("unknown verifier '", name, "'"),
                             DidYouMean(name, names)});
    }
    if (context->global.json()) {
      return context->Output(Json()
                                 .Set("name", info->name)
                                 .Set("summary", info->summary)
                                 .Set("options", OptionLines(info->options()))
                                 .Set("options_schema", OptionSchema(info->options(), true))
                                 .Set("needs_sandbox", info->needs_sandbox)
                                 .Dump());
    }
    std::string text = StrCat(info->name, ": ", info->summary, "\n");
    const std::string lines = OptionLines(info->options());
    for (std::string_view line : SplitChar(lines, '\n')) StrAppend(&text, "  ", line, "\n");
    if (info->needs_sandbox)
      StrAppend(&text, "  (runs programs in the sandbox: see `assay doctor`)\n");
    return context->Output(text);
  }
  Json list = Json::MakeArray();
  std::string text;
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    list.Append(Json()
                    .Set("name", info.name)
                    .Set("summary", info.summary)
                    .Set("needs_sandbox", info.needs_sandbox));
    const std::string name_column(info.name);
    StrAppend(&text, name_column,
              std::string(name_column.size() < 14 ? 14 - name_column.size() : 1, ' '), info.summary,
              "\n");
  }
  return context->Output(context->global.json() ? list.Dump() : text);
}

int RunConfig(Context* context) {
  const GlobalOptions& global = context->global;
  const std::pair<const char*, Json> values[] = {
      {"jobs", Json(static_cast<int64_t>(global.Jobs()))},
      {"seed", Json(global.seed)},
      {"color", Json(global.color)},
      {"output_format", Json(global.output_format)},
      {"isolation", Json(global.isolation.empty() ? "best available" : global.isolation)},
      {"python", Json(global.python.empty() ? "built in" : global.python)},
      {"no_progress", Json(global.no_progress)},
      {"quiet", Json(global.quiet)},
      {"verbose", Json(global.verbose)},
      {"cache", Json(global.cache.empty() ? "in memory" : global.cache)},
      {"no_cache", Json(global.no_cache)}};
  Json out = Json::MakeObject();
  std::string text =
      "# in force now; a flag beats ASSAY_NAME beats assay.toml (or $ASSAY_CONFIG) beats the "
      "default\n";
  for (const auto& [key, value] : values) {
    out.Set(key, value);
    StrAppend(&text, key, " = ", value.Dump(), "\n");
  }
  return context->Output(global.json() ? out.Dump() : text);
}

}  // namespace

void AddVersionCommand(CLI::App* app, Context* context) {
  app->add_subcommand("version", "Print the version")->callback([context] {
    context->run = [context] {
      return context->Output(context->global.json()
                                 ? Json().Set("name", "assay").Set("version", Version()).Dump()
                                 : StrCat("assay ", Version()));
    };
  });
}

void AddVerifiersCommand(CLI::App* app, Context* context) {
  auto name = std::make_shared<std::string>();
  CLI::App* command =
      app->add_subcommand("verifiers", "List the verifiers, or explain one and its options");
  command->add_option("NAME", *name, "Which one");
  command->callback(
      [context, name] { context->run = [context, name] { return RunVerifiers(context, *name); }; });
}

void AddConfigCommand(CLI::App* app, Context* context) {
  app->add_subcommand("config", "Print the settings in force")->callback([context] {
    context->run = [context] { return RunConfig(context); };
  });
}

}  // namespace assay
