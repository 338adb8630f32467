#include "datagen/pipeline/plan.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/problems/problems.h"
#include "datagen/select/select_options.h"
#include "grpo/config/fresh_config.h"
#include "grpo/config/recipe.h"
#include "verifiers/rubric.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = "scores";  // the run's name in a stage's store
constexpr const char* kSelected = "selected";

// --key-with-dashes value, a flag for true, nothing for false; lists repeat.
void AddFlags(const Json& options, std::vector<std::string>* words) {
  for (const Json::Member& member : *options.AsObject()) {
    std::string flag = "--" + member.key;
    for (char& c : flag) c = c == '_' ? '-' : c;
    if (member.value.IsNull()) continue;
    if (const bool* on = member.value.AsBool()) {
      if (*on) words->push_back(flag);
    } else if (const Json::Array* list = member.value.AsArray()) {
      for (const Json& item : *list) words->insert(words->end(), {flag, item.ScalarText()});
    } else {
      words->insert(words->end(), {flag, member.value.ScalarText()});
    }
  }
}

// "r.toml:3: stage 'zero': ", where `path` of the stage ("options.count") or what it has from [defaults] stands.
std::string Head(const StageSpec& stage, std::string_view path) {
  return StrCat(stage.where ? stage.where(path) : "", "stage '", stage.name, "': ");
}

Error InStage(const StageSpec& stage, Error error, std::string_view path = "") {
  error.message = Head(stage, path) + error.message;
  return error;
}

// The names and options of a rubric's verifiers, as far as making them starts nothing and loads nothing of the user's.
Status CheckVerifiers(const RubricSpec& spec) {
  for (const RubricTerm& term : spec.terms) {
    const VerifierInfo* info = FindVerifier(term.verifier);
    const bool is_users =
        term.verifier == "python" || term.verifier == "plugin" || term.verifier == "http";
    if (is_users || (info != nullptr && info->needs_sandbox)) continue;
    const Result<std::unique_ptr<Verifier>> made = MakeVerifier(term.verifier, term.options, {});
    if (!made.ok()) return made.error();
  }
  return {};
}

// What the planning of one stage works with.
struct Planner {
  const PipelineRecipe& recipe;
  const StageSpec& stage;
  const std::string& out;
  StagePlan plan;

  std::string Path(const std::string& name) const { return plan.folder + "/" + name; }

  // Where an input lies: a stage's output, a model of [models], or a file. "" for a model of random weights.
  std::string Input(const std::string& name) const {
    const StageSpec* made_by = FindStage(recipe, name);
    if (made_by != nullptr) return StageOutput(out, *made_by);
    const Json* model = recipe.models.Find(name);
    return ResolvePath(recipe, model == nullptr ? name : std::string(model->StringOr("path", "")));
  }
  std::string UseInput(const std::string& name) {
    plan.inputs.push_back(Input(name));
    return plan.inputs.back();
  }
  std::string Seed() const { return StrCat(recipe.seed); }

  Error Wrong(const std::string& option, std::string message, std::string hint) const {
    return InStage(stage, {ErrorCode::kUsage, std::move(message), std::move(hint)},
                   "options." + option);
  }
  // `given` stands under `key` of the stage.
  Status ReadOptions(Options table, const Json& given, const char* key) const {
    return table.Read(given,
                      [&](std::string_view path) { return Head(stage, StrCat(key, ".", path)); });
  }

  // The rubric as a file of the stage: what it says is part of what the stage depends on.
  Result<std::string> UseRubric() {
    std::string text;
    if (!stage.rubric.empty()) {
      Result<std::string> read = ReadFile(ResolvePath(recipe, stage.rubric), size_t{1} << 20);
      if (!read.ok()) return read.error();
      text = *read;
    } else if (stage.rubric_table.IsObject()) {
      for (const Json::Member& member : *stage.rubric_table.AsObject())
        StrAppend(&text, member.key, " = ", TomlText(member.value), "\n");
    } else {
      return std::string();
    }
    const Result<RubricSpec> spec =
        RubricFromToml(text, stage.rubric.empty() ? "rubric" : stage.rubric);
    if (!spec.ok()) return InStage(stage, spec.error(), "rubric");
    if (Status s = CheckVerifiers(*spec); !s.ok()) return InStage(stage, s.error(), "rubric");
    plan.config.Set("rubric", text);
    plan.written.emplace_back(Path("rubric.toml"), text);
    return Path("rubric.toml");
  }

  PlanCommand& Add(std::vector<std::string> words, const std::string& writes) {
    PlanCommand command;
    command.words = std::move(words);
    command.writes = writes;
    plan.commands.push_back(std::move(command));
    return plan.commands.back();
  }

  Status Problems() {
    ProblemOptions options;
    if (Status s = ReadOptions(ProblemOptionTable(&options), stage.options, "options"); !s.ok())
      return s;
    if (Result<ProblemSource> source = ProblemSource::Make(options); !source.ok())
      return InStage(stage, source.error(), "options");
    Json flags = stage.options;
    flags.Erase("kind");
    std::vector<std::string> words = {"problems", options.kind, "--seed", Seed()};
    AddFlags(flags, &words);
    words.insert(words.end(), {"-o", Path("rows.jsonl.part")});
    Add(std::move(words), Path("rows.jsonl"));
    return {};
  }

  Status Train() {
    Result<Json> json = TrainingRecipe(recipe, stage, out);
    if (!json.ok()) return json.error();
    for (const std::string& name : stage.data) UseInput(name);
    for (const std::string& name : stage.eval) UseInput(name);
    if (!Input(stage.model).empty()) UseInput(stage.model);
    AddTrainer(*json, stage.kind == StageKind::kGrpo ? "grpo" : "sft");
    return {};
  }

  void AddTrainer(const Json& json, const std::string& trainer) {
    std::string text;
    for (const Json::Member& member : *json.AsObject())
      StrAppend(&text, member.key, " = ", TomlText(member.value), "\n");
    plan.written.emplace_back(Path("recipe.toml"), text);
    plan.config.Set("recipe", text);
    PlanCommand& command = Add({trainer, Path("recipe.toml"), "--out", Path("run")}, Path("run"));
    command.program = PlanCommand::Program::kTrain;
    command.trains = true;
  }

  Status Generate(const Json& given, const std::string& model,
                  const std::vector<std::string>& data) {
    SampleOptions options;
    const bool distills = stage.kind == StageKind::kDistill;
    if (Status s =
            ReadOptions(SampleOptionTable(&options), given, distills ? "generate" : "options");
        !s.ok())
      return s;
    if (Input(model).empty())
      return InStage(stage,
                     {ErrorCode::kUsage, StrCat("'", model, "' has no weights to sample from"),
                      "a stage that trains it comes first"},
                     distills ? "teacher" : "model");
    Json flags = given;
    if (Status s = UseExamples(options.few_shot, &flags); !s.ok()) return s;
    std::vector<std::string> words = {"generate", "--model", UseInput(model), "--seed", Seed()};
    AddFlags(flags, &words);
    for (const std::string& name : data) words.push_back(UseInput(name));
    words.insert(words.end(), {"-o", Path("groups.jsonl.part")});
    Add(std::move(words), Path("groups.jsonl")).program = PlanCommand::Program::kTrain;
    return {};
  }

  // The file of few shots as an input, and the flag as where it lies.
  Status UseExamples(const std::string& few_shot, Json* flags) {
    if (few_shot.empty()) return {};
    const std::string shots = ResolvePath(recipe, few_shot);
    if (!fs::exists(shots))
      return InStage(stage,
                     {ErrorCode::kInput, StrCat("no file '", few_shot, "'"),
                      "few_shot names rows with a prompt and a completion"},
                     "options.few_shot");
    plan.inputs.push_back(shots);
    flags->Set("few_shot", shots);
    return {};
  }

  // Samples of an endpoint or a command: into a store, which is kept when the stage ends early, for they cost money; then as groups.
  Status AskElsewhere() {
    EndpointStageOptions options;
    if (Status s = ReadOptions(EndpointStageTable(&options), stage.options, "options"); !s.ok())
      return s;
    Json flags = stage.options;
    if (Status s = UseExamples(options.few_shot, &flags); !s.ok()) return s;
    const std::string store = Path("store.sqlite");
    std::vector<std::string> words = {"generate"};
    for (const std::string& name : stage.data) words.push_back(UseInput(name));
    words.insert(words.end(), {"--store", store, "--run", kRun, "--seed", Seed()});
    AddFlags(flags, &words);
    words.insert(words.end(), {"-o", Path("asked.txt.part")});
    Add(std::move(words), Path("asked.txt"));
    Add({"select", "--store", store, "--run", kRun, "--dataset", kSelected, "--replace",
         "--strategy", "all", "--keep-unscored", "--keep-duplicates", "-o",
         Path("selection.txt.part")},
        Path("selection.txt"));
    Add({"export", "--store", store, "--dataset", kSelected, "--format", "jsonl", "--group",
         "--no-card", "-o", Path("groups.jsonl.part")},
        Path("groups.jsonl"));
    return {};
  }

  Status Score(const std::vector<std::string>& files) {
    Result<std::string> rubric = UseRubric();
    if (!rubric.ok()) return rubric.error();
    std::vector<std::string> words = {"score"};
    words.insert(words.end(), files.begin(), files.end());
    if (!rubric->empty()) words.insert(words.end(), {"--rubric", *rubric});
    words.insert(words.end(), {"--no-times", "--seed", Seed(), "--store", Path("store.sqlite"),
                               "--run", kRun, "-o", Path("scored.jsonl.part")});
    PlanCommand& command = Add(std::move(words), Path("scored.jsonl"));
    command.scores = true;
    command.drop_first = Path("store.sqlite");
    return {};
  }

  Status Select(const Json& given, const std::string& store) {
    SelectOptions options;
    const char* key = stage.kind == StageKind::kDistill ? "select" : "options";
    if (Status s = ReadOptions(SelectTable(&options), given, key); !s.ok()) return s;
    // A store of its own: the selection must not change what another stage left.
    PlanCommand& copy = Add({}, Path("selected.sqlite"));
    copy.copy_from = store;
    std::vector<std::string> words = {"select",  "--store",   Path("selected.sqlite"),
                                      "--run",   kRun,        "--dataset",
                                      kSelected, "--replace", "--seed",
                                      Seed()};
    AddFlags(given, &words);
    words.insert(words.end(), {"-o", Path("selection.txt.part")});
    Add(std::move(words), Path("selection.txt"));
    return {};
  }

  Status Export(const Json& given, const std::string& store) {
    ExportStageOptions options;
    const char* key = stage.kind == StageKind::kDistill ? "export" : "options";
    if (Status s = ReadOptions(ExportStageTable(&options), given, key); !s.ok()) return s;
    std::vector<std::string> words = {"export", "--store", store, "--dataset", kSelected};
    if (given.Find("format") == nullptr) words.insert(words.end(), {"--format", options.format});
    if (options.shuffle) words.insert(words.end(), {"--seed", Seed()});
    AddFlags(given, &words);
    words.insert(words.end(), {"-o", Path("rows.jsonl.part")});
    Add(std::move(words), Path("rows.jsonl"));
    return {};
  }

  // Every input has a share, and nothing else has one.
  Status CheckShares(const Json& shares) const {
    if (!shares.IsObject()) return {};
    double sum = 0;
    for (const Json::Member& share : *shares.AsObject()) {
      if (std::find(stage.data.begin(), stage.data.end(), share.key) == stage.data.end())
        return Wrong("shares", StrCat("'", share.key, "' has a share and is none of its data"),
                     DidYouMean(share.key, stage.data));
      const double value = share.value.NumberOr(-1);
      if (!(value >= 0))
        return Wrong("shares", StrCat("the share of '", share.key, "' is no number from 0"), "");
      sum += value;
    }
    for (const std::string& name : stage.data) {
      if (shares.Find(name) == nullptr)
        return Wrong("shares", StrCat("'", name, "' has no share"), "0 leaves it out");
    }
    if (sum > 0) return {};
    return Wrong("shares", "all shares are 0", "");
  }

  Status Mix() {
    MixOptions options;
    if (Status s = ReadOptions(MixOptionTable(&options), stage.options, "options"); !s.ok())
      return s;
    if (Status s = CheckShares(options.shares); !s.ok()) return s;
    std::vector<std::string> words = {"mix", "--seed", Seed()};
    if (options.count > 0) words.insert(words.end(), {"--count", StrCat(options.count)});
    for (const std::string& name : stage.data) {
      const Json* share = options.shares.Find(name);
      words.push_back(UseInput(name));
      if (share != nullptr) words.insert(words.end(), {"--share", share->ScalarText()});
    }
    words.insert(words.end(), {"-o", Path("rows.jsonl.part")});
    Add(std::move(words), Path("rows.jsonl"));
    return {};
  }

  Status Distill() {
    const Json none = Json::MakeObject();
    if (Status s =
            Generate(stage.generate.IsNull() ? none : stage.generate, stage.teacher, stage.data);
        !s.ok())
      return s;
    if (Status s = Score({Path("groups.jsonl")}); !s.ok()) return s;
    const Json select =
        stage.select.IsNull() ? Json().Set("strategy", "all-correct") : stage.select;
    if (Status s = Select(select, Path("store.sqlite")); !s.ok()) return s;
    if (Status s = Export(stage.exported.IsNull() ? none : stage.exported, Path("selected.sqlite"));
        !s.ok())
      return s;
    Result<Json> json = TrainingRecipe(recipe, stage, out);
    if (!json.ok()) return json.error();
    for (const std::string& name : stage.eval) UseInput(name);
    if (!Input(stage.model).empty()) UseInput(stage.model);
    AddTrainer(*json, "sft");
    return {};
  }

  Status Make() {
    switch (stage.kind) {
      case StageKind::kProblems:
        return Problems();
      case StageKind::kSft:
      case StageKind::kGrpo:
        return Train();
      case StageKind::kGenerate:
        return AsksElsewhere(stage) ? AskElsewhere()
                                    : Generate(stage.options, stage.model, stage.data);
      case StageKind::kScore: {
        std::vector<std::string> files;
        for (const std::string& name : stage.data) files.push_back(UseInput(name));
        return Score(files);
      }
      case StageKind::kSelect: {
        const StageSpec* scored = FindStage(recipe, stage.data[0]);
        UseInput(stage.data[0]);
        return Select(stage.options, StageStore(out, *scored));
      }
      case StageKind::kExport: {
        const StageSpec* selection = FindStage(recipe, stage.data[0]);
        UseInput(stage.data[0]);
        return Export(stage.options, StageStore(out, *selection));
      }
      case StageKind::kMix:
        return Mix();
      case StageKind::kEval:
        if (Status s = Generate(stage.options, stage.model, stage.data); !s.ok()) return s;
        return Score({Path("groups.jsonl")});
      case StageKind::kDistill:
        return Distill();
    }
    return {};
  }
};

// The model's table: a folder, or one of [models] to begin from.
Json ModelTable(const PipelineRecipe& recipe, const StageSpec& stage, const std::string& out) {
  Json model = Json::MakeObject();
  const StageSpec* made_by = FindStage(recipe, stage.model);
  if (made_by != nullptr) return model.Set("path", StageOutput(out, *made_by));
  if (const Json* named = recipe.models.Find(stage.model)) {
    model = *named;
    if (const Json* path = model.Find("path"); path != nullptr && path->IsString())
      model.Set("path", ResolvePath(recipe, *path->AsString()));
    return model;
  }
  return model.Set("path", ResolvePath(recipe, stage.model));
}

constexpr const char* kTrainers = "recipe";  // the name of what is made for a trainer

// An error about the recipe made for a trainer, whose line N is the Nth member of `json`, as one about the stage that it was made from.
Error AsWritten(const StageSpec& stage, const Json& json, Error error) {
  const std::string head = StrCat(kTrainers, ":");
  std::string key;
  if (StartsWith(error.message, head)) {
    size_t at = head.size(), line = 0;
    while (at < error.message.size() && error.message[at] >= '0' && error.message[at] <= '9')
      line = line * 10 + static_cast<size_t>(error.message[at++] - '0');
    if (line > 0 && line <= json.AsObject()->size()) key = (*json.AsObject())[line - 1].key;
    if (line > 0 && at < error.message.size() && error.message[at] == ':') ++at;
    error.message = Trim(std::string_view(error.message).substr(at));
  }
  return InStage(stage, std::move(error), "options." + key);
}

// A model of random weights can be made.
Status CheckFreshModel(const StageSpec& stage, const ModelSpec& model) {
  if (!model.path.empty()) return {};
  const std::string place = StrCat("models.", stage.model, ".config");
  // The tokenizer, which says how many tokens there are, is read when the model is made.
  constexpr int64_t kSomeTokens = 1024;
  if (const Result<ModelConfig> config = FreshModelConfig(model.config, kSomeTokens); !config.ok())
    return InStage(stage, config.error(), place);
  if (!model.tokenizer.empty()) return {};
  return InStage(stage,
                 {ErrorCode::kUsage, "a model of random weights needs a tokenizer",
                  "tokenizer = \"characters\" or \"words\" with an alphabet, or a path"},
                 place);
}

}  // namespace

std::string StageOutput(const std::string& out, const StageSpec& stage) {
  const std::string folder = StrCat(out, "/", stage.name, "/");
  switch (stage.kind) {
    case StageKind::kSft:
    case StageKind::kGrpo:
    case StageKind::kDistill:
      return folder + "run/model";
    case StageKind::kGenerate:
      return folder + "groups.jsonl";
    case StageKind::kScore:
    case StageKind::kEval:
      return folder + "scored.jsonl";
    case StageKind::kSelect:
      return folder + "selection.txt";
    case StageKind::kProblems:
    case StageKind::kExport:
    case StageKind::kMix:
      return folder + "rows.jsonl";
  }
  return folder;
}

std::string StageStore(const std::string& out, const StageSpec& stage) {
  return StrCat(out, "/", stage.name,
                stage.kind == StageKind::kSelect ? "/selected.sqlite" : "/store.sqlite");
}

std::string TomlText(const Json& value) {
  std::string text;
  if (const Json::Object* object = value.AsObject()) {
    for (const Json::Member& member : *object) {
      if (member.value.IsNull()) continue;
      std::string key;
      AppendJsonString(member.key, &key);
      StrAppend(&text, text.empty() ? "{ " : ", ", key, " = ", TomlText(member.value));
    }
    return text.empty() ? "{}" : text + " }";
  }
  if (const Json::Array* array = value.AsArray()) {
    for (const Json& item : *array) StrAppend(&text, text.empty() ? "[" : ", ", TomlText(item));
    return text.empty() ? "[]" : text + "]";
  }
  value.AppendTo(&text);
  return text;
}

Result<Json> TrainingRecipe(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out) {
  Json json = stage.options;
  if (json.Find("seed") == nullptr) json.Set("seed", recipe.seed);
  Json model = ModelTable(recipe, stage, out);
  if (const Json* own = json.Find("model"); own != nullptr && own->IsObject()) {
    for (const Json::Member& member : *own->AsObject()) model.Set(member.key, member.value);
  }
  model.Erase("parameters");
  json.Set("model", std::move(model));
  const auto paths = [&](const std::vector<std::string>& names) {
    Json list = Json::MakeArray();
    for (const std::string& name : names) {
      const StageSpec* made_by = FindStage(recipe, name);
      list.Append(made_by != nullptr ? StageOutput(out, *made_by) : ResolvePath(recipe, name));
    }
    return list;
  };
  Json data = json.Find("data") != nullptr && json.Find("data")->IsObject() ? *json.Find("data")
                                                                            : Json::MakeObject();
  if (stage.kind == StageKind::kDistill)
    data.Set("train", Json::MakeArray().Append(StrCat(out, "/", stage.name, "/rows.jsonl")));
  else
    data.Set("train", paths(stage.data));
  if (!stage.eval.empty()) data.Set("eval", paths(stage.eval));
  json.Set("data", std::move(data));
  if (!stage.rubric.empty() || stage.rubric_table.IsObject()) {
    Json reward = json.Find("reward") != nullptr ? *json.Find("reward") : Json::MakeObject();
    json.Set("reward", reward.Set("rubric", StrCat(out, "/", stage.name, "/rubric.toml")));
  }
  std::string text;
  for (const Json::Member& member : *json.AsObject())
    StrAppend(&text, member.key, " = ", TomlText(member.value), "\n");
  ModelSpec begins_from;
  if (stage.kind == StageKind::kGrpo) {
    const Result<GrpoRecipe> parsed = GrpoRecipeFromToml(text, kTrainers, {});
    if (!parsed.ok()) return AsWritten(stage, json, parsed.error());
    begins_from = parsed->train.model;
  } else {
    const Result<SftRecipe> parsed = SftRecipeFromToml(text, kTrainers, {});
    if (!parsed.ok()) return AsWritten(stage, json, parsed.error());
    begins_from = parsed->train.model;
  }
  if (Status s = CheckFreshModel(stage, begins_from); !s.ok()) return s.error();
  return json;
}

Result<StagePlan> PlanStage(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out) {
  Planner planner{recipe, stage, out, {}};
  planner.plan.folder = StrCat(out, "/", stage.name);
  planner.plan.config.Set("kind", StageKindName(stage.kind));
  // A trainer's rubric is written by Train's caller too: its text belongs to what the stage depends on.
  const bool trains = stage.kind == StageKind::kSft || stage.kind == StageKind::kGrpo;
  if (trains) {
    if (Result<std::string> rubric = planner.UseRubric(); !rubric.ok()) return rubric.error();
  }
  if (Status status = planner.Make(); !status.ok()) return status.error();
  Json commands = Json::MakeArray();
  for (const PlanCommand& command : planner.plan.commands) {
    Json words = Json::MakeArray();
    for (const std::string& word : command.words) words.Append(word);
    commands.Append(std::move(words));
  }
  planner.plan.config.Set("commands", std::move(commands));
  planner.plan.outputs = {StageOutput(out, stage)};
  return std::move(planner.plan);
}

}  // namespace assay
