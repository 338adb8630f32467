// assay-options: prints every table of options as one JSON object, {"tables": {NAME: Markdown}, "schemas": {FILE: JSON
// Schema}}. `make docs` (scripts/option_docs.py) puts them where they belong, and a test compares. Needs no LibTorch.
#include <algorithm>
#include <cstdio>

#include "core/option_docs.h"
#include "core/text.h"
#include "datagen/pipeline/recipe.h"
#include "datagen/problems/problems.h"
#include "datagen/select/select_options.h"
#include "grpo/config/recipe.h"
#include "verifiers/rubric.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

using Infos = std::vector<OptionInfo>;

const OptionInfo* Find(const Infos& infos, std::string_view name) {
  const auto found = std::find_if(infos.begin(), infos.end(),
                                  [&](const OptionInfo& info) { return info.name == name; });
  return found == infos.end() ? nullptr : &*found;
}

// A schema that says which file it is.
Json Titled(std::string_view name, std::string_view title, const Json& schema) {
  Json out = Json::MakeObject();
  out.Set("$schema", "https://json-schema.org/draft/2020-12/schema")
      .Set("$id", StrCat("urn:assay:schema:", name, ":1"))
      .Set("title", title);
  for (const Json::Member& member : *schema.AsObject()) out.Set(member.key, member.value);
  return out;
}

Json VerifierSchema() {
  Json properties = Json::MakeObject();
  for (const VerifierInfo& info : BuiltinVerifiers())
    properties.Set(info.name, OptionSchema(info.options(), true));
  return Json()
      .Set("type", "object")
      .Set("description", "options by the name of the verifier")
      .Set("properties", std::move(properties))
      .Set("additionalProperties", Json().Set("type", "object"));
}

// The options of a term are those of its verifier.
Json RubricSchema() {
  Json schema = OptionSchema(RubricOptionInfos(), false);
  Json kinds = Json::MakeArray();
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    const std::string options = StrCat("verifier_options.schema.json#/properties/", info.name);
    kinds.Append(Json().Set(
        "properties", Json()
                          .Set("verifier", Json().Set("enum", Json::MakeArray().Append(info.name)))
                          .Set("options", Json().Set("$ref", options))));
  }
  schema.Find("properties")->Find("term")->Find("items")->Set("anyOf", std::move(kinds));
  return schema.Set("required", Json::MakeArray().Append("term"));
}

void AddRecipeTables(Json* tables) {
  const Infos sft = SftRecipeOptionInfos(), grpo = GrpoRecipeOptionInfos();
  Infos both, sft_only, grpo_only;
  for (const OptionInfo& info : sft) {
    const OptionInfo* other = Find(grpo, info.name);
    if (other == nullptr) {
      sft_only.push_back(info);
      continue;
    }
    both.push_back(info);
    if (!(info.initial == other->initial))
      both.back().initial = StrCat(DefaultText(info), " (sft), ", DefaultText(*other), " (grpo)");
  }
  for (const OptionInfo& info : grpo) {
    if (Find(sft, info.name) == nullptr) grpo_only.push_back(info);
  }
  tables->Set("recipe", OptionMarkdown(both, "key"))
      .Set("sft", OptionMarkdown(sft_only, "key"))
      .Set("grpo", OptionMarkdown(grpo_only, "key"));
}

void AddPipelineTables(Json* tables) {
  ProblemOptions problems;
  SampleOptions samples;
  MixOptions mix;
  EndpointStageOptions endpoint;
  ExportStageOptions exported;
  tables->Set("stage", OptionMarkdown(StageOptionInfos(), "key"))
      .Set("problems", OptionMarkdown(ProblemOptionTable(&problems).Infos(), "option"))
      .Set("samples", OptionMarkdown(SampleOptionTable(&samples).Infos(), "option"))
      .Set("endpoint", OptionMarkdown(EndpointStageTable(&endpoint).Infos(), "option"))
      .Set("export", OptionMarkdown(ExportStageTable(&exported).Infos(), "option"))
      .Set("mix", OptionMarkdown(MixOptionTable(&mix).Infos(), "option"));
}

Json AllTables() {
  Json tables = Json::MakeObject();
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    const Infos options = info.options();
    tables.Set(info.name, OptionMarkdown(options, "option"));
    for (const OptionInfo& option : options) {
      if (!option.keys.empty())
        tables.Set(StrCat(info.name, ".", option.name), OptionMarkdown(option.keys, "key"));
    }
  }
  const Infos rubric = RubricOptionInfos();
  tables.Set("rubric", OptionMarkdown(rubric, "key"))
      .Set("rubric.term", OptionMarkdown(Find(rubric, "term")->keys, "key"));
  tables.Set("select", OptionMarkdown(SelectOptionInfos(), "option"));
  AddRecipeTables(&tables);
  AddPipelineTables(&tables);
  return tables;
}

Json AllSchemas() {
  return Json()
      .Set("rubric.schema.json", Titled("rubric", "Rubric (TOML), version 1", RubricSchema()))
      .Set("verifier_options.schema.json",
           Titled("verifier_options", "Options of the verifiers, version 1", VerifierSchema()))
      .Set("sft_recipe.schema.json", Titled("sft_recipe", "Recipe of `assay sft` (TOML), version 1",
                                            OptionSchema(SftRecipeOptionInfos(), false)))
      .Set("grpo_recipe.schema.json",
           Titled("grpo_recipe", "Recipe of `assay grpo` (TOML), version 1",
                  OptionSchema(GrpoRecipeOptionInfos(), false)));
}

}  // namespace
}  // namespace assay

int main() {
  const std::string text =
      assay::Json().Set("tables", assay::AllTables()).Set("schemas", assay::AllSchemas()).Dump();
  return std::puts(text.c_str()) < 0 ? 1 : 0;
}
