#include "datagen/pipeline/recipe.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "core/jsonl.h"
#include "core/text.h"
#include "core/toml.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// What a stage's output can be used as.
enum class Sort : uint8_t { kRows, kModel, kGroups, kStore, kSelection };

struct KindRow {
  StageKind kind;
  const char* name;
  Sort gives;
  bool takes_model, takes_data, takes_eval, takes_rubric;
  Sort data;  // the sort of stages in `data`
};
constexpr KindRow kKinds[] = {
    {StageKind::kProblems, "problems", Sort::kRows, false, false, false, false, Sort::kRows},
    {StageKind::kSft, "sft", Sort::kModel, true, true, true, true, Sort::kRows},
    {StageKind::kGrpo, "grpo", Sort::kModel, true, true, true, true, Sort::kRows},
    {StageKind::kGenerate, "generate", Sort::kGroups, true, true, false, false, Sort::kRows},
    {StageKind::kScore, "score", Sort::kStore, false, true, false, true, Sort::kGroups},
    {StageKind::kSelect, "select", Sort::kSelection, false, true, false, false, Sort::kStore},
    {StageKind::kExport, "export", Sort::kRows, false, true, false, false, Sort::kSelection},
    {StageKind::kMix, "mix", Sort::kRows, false, true, false, false, Sort::kRows},
    {StageKind::kEval, "eval", Sort::kStore, true, true, false, true, Sort::kRows},
    {StageKind::kDistill, "distill", Sort::kModel, true, true, true, true, Sort::kRows},
};

const KindRow& RowOf(StageKind kind) {
  return *std::find_if(std::begin(kKinds), std::end(kKinds),
                       [&](const KindRow& row) { return row.kind == kind; });
}

std::string_view SortName(Sort sort) {
  constexpr std::string_view kNames[] = {"rows", "a model", "sampled groups", "a store of scores",
                                         "a selection"};
  return kNames[static_cast<size_t>(sort)];
}

ChoiceNames<StageKind> KindNames() {
  ChoiceNames<StageKind> names;
  for (const KindRow& row : kKinds) names.emplace_back(row.name, row.kind);
  return names;
}

Options StageTable(StageSpec* stage, std::string* kind) {
  std::vector<std::string> kinds;
  for (const KindRow& row : kKinds) kinds.emplace_back(row.name);
  Options table;
  table.Add("name", &stage->name, "what other stages call it: letters, digits, - and _")
      .Required("\"base\"");
  table.Add("kind", kind, "what it does").OneOf(std::move(kinds)).Required("\"sft\"");
  table.Add("model", &stage->model,
            "what it begins from or samples: a stage, a name of [models], or a path");
  table.Add("teacher", &stage->teacher, "distill: whose replies are learned; as `model`");
  table.Add("data", &stage->data, "what comes in: stages or files").OrOne();
  table.Add("eval", &stage->eval, "held-out problems of a trainer: stages or files").OrOne();
  table.Add("rubric", &stage->rubric,
            "a rubric file; a table is the rubric itself; none: each row's task decides");
  table.Add("options", &stage->options, "the keys of the command that does it");
  table.Add("generate", &stage->generate, "distill: how the teacher is sampled");
  table.Add("select", &stage->select, "distill: which of its replies are taken");
  table.Add("export", &stage->exported, "distill: how they are written");
  return table;
}

Status Fault(const TomlFile& file, const std::string& path, std::string message,
             std::string hint = "") {
  return Error{ErrorCode::kUsage, StrCat(file.At(path), message), std::move(hint)};
}

// [defaults.KIND] below the stage's own options, tables key by key.
void MergeBelow(const Json& defaults, Json* options) {
  if (!defaults.IsObject()) return;
  for (const Json::Member& member : *defaults.AsObject()) {
    Json* own = options->Find(member.key);
    if (own == nullptr)
      options->Set(member.key, member.value);
    else if (own->IsObject())
      MergeBelow(member.value, own);
  }
}

// [defaults] has tables by kind.
Status CheckDefaults(const TomlFile& file, const Json& defaults) {
  std::vector<std::string> kinds;
  for (const KindRow& row : kKinds) kinds.emplace_back(row.name);
  for (const Json::Member& member : *defaults.AsObject()) {
    const std::string path = "defaults." + member.key;
    if (std::find(kinds.begin(), kinds.end(), member.key) == kinds.end())
      return Fault(file, path, StrCat("[defaults]: no kind '", member.key, "'"),
                   DidYouMean(member.key, kinds));
    if (!member.value.IsObject())
      return Fault(file, path, StrCat("[defaults]: '", member.key, "' is not a table"),
                   StrCat("[defaults.", member.key, "] begins one"));
  }
  return {};
}

// StageSpec::where.
std::function<std::string(std::string_view)> WhereOf(const TomlFile& file, const std::string& stage,
                                                     const std::string& kind) {
  const auto lines = std::make_shared<const TomlFile>(file);
  return [lines, stage, kind](std::string_view path) {
    // Shorter and shorter, in the stage itself and then below it.
    for (std::string_view part = path; !part.empty();) {
      const std::string own = StrCat(stage, ".", part);
      if (lines->lines.count(own) != 0) return lines->At(own);
      if (StartsWith(part, "models.") && lines->lines.count(part) != 0) return lines->At(part);
      if (StartsWith(part, "options.")) {
        const std::string below = StrCat("defaults.", kind, ".", part.substr(8));
        if (lines->lines.count(below) != 0) return lines->At(below);
      }
      const size_t dot = part.rfind('.');
      part = dot == std::string_view::npos ? "" : part.substr(0, dot);
    }
    return lines->At(stage);
  };
}

Status ReadStage(const TomlFile& file, size_t at, const Json& defaults, Json json,
                 StageSpec* stage) {
  const std::string path = StrCat("stage[", at, "]");
  if (Json* rubric = json.Find("rubric"); rubric != nullptr && rubric->IsObject()) {
    stage->rubric_table = *rubric;
    json.Erase("rubric");
  }
  std::string kind;
  stage->options = Json::MakeObject();
  Options table = StageTable(stage, &kind);
  const Status read =
      table.Read(json, [&](std::string_view key) { return file.At(StrCat(path, ".", key)); });
  if (!read.ok()) return read;
  if (stage->name.empty()) return Fault(file, path, "a stage needs a name", "name = \"base\"");
  if (stage->name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != std::string::npos)
    return Fault(file, path, StrCat("stage '", stage->name, "' is no name"),
                 "letters, digits, - and _: it becomes a folder");
  stage->kind = *FromName("kind", kind, KindNames());
  if (const Json* below = defaults.Find(kind)) MergeBelow(*below, &stage->options);
  stage->where = WhereOf(file, path, kind);
  return {};
}

// What a key of the kind may not have.
Status CheckShape(const TomlFile& file, size_t at, const StageSpec& stage) {
  const KindRow& row = RowOf(stage.kind);
  const std::string path = StrCat("stage[", at, "]");
  const auto refuse = [&](bool given, bool taken, const char* key) -> Status {
    if (!given || taken) return {};
    return Fault(file, StrCat(path, ".", key),
                 StrCat("stage '", stage.name, "' of kind '", row.name, "' takes no '", key, "'"));
  };
  const bool distill = stage.kind == StageKind::kDistill;
  const Status checks[] = {
      refuse(!stage.model.empty(), row.takes_model, "model"),
      refuse(!stage.data.empty(), row.takes_data, "data"),
      refuse(!stage.eval.empty(), row.takes_eval, "eval"),
      refuse(!stage.rubric.empty() || !stage.rubric_table.IsNull(), row.takes_rubric, "rubric"),
      refuse(!stage.teacher.empty(), distill, "teacher"),
      refuse(!stage.generate.IsNull(), distill, "generate"),
      refuse(!stage.select.IsNull(), distill, "select"),
      refuse(!stage.exported.IsNull(), distill, "export")};
  for (const Status& status : checks) {
    if (!status.ok()) return status;
  }
  const auto require = [&](bool missing, const char* key) -> Status {
    if (!missing) return {};
    return Fault(file, path,
                 StrCat("stage '", stage.name, "' of kind '", row.name, "' needs '", key, "'"));
  };
  const bool elsewhere = AsksElsewhere(stage);
  if (elsewhere && !stage.model.empty())
    return Fault(file, StrCat(path, ".model"),
                 StrCat("stage '", stage.name, "' asks elsewhere and names a model of its own"),
                 "options = { model = \"..\" } is the endpoint's name of its model");
  if (Status s = require(row.takes_model && stage.model.empty() && !elsewhere, "model"); !s.ok())
    return s;
  if (Status s = require(row.takes_data && stage.data.empty(), "data"); !s.ok()) return s;
  return require(distill && stage.teacher.empty(), "teacher");
}

// Why a file or folder cannot be rows, or a model; "" if it may be.
std::string WrongWithFile(const std::string& path, bool model) {
  if (fs::is_directory(path)) {
    const bool holds_model = fs::exists(path + "/config.json");
    if (model) return holds_model ? "" : "is a folder without config.json";
    return holds_model ? "is a model" : "is a folder";
  }
  if (!fs::is_regular_file(path)) return "";
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  if (!file) return "cannot be read";
  file.read(magic, sizeof magic);
  const bool gguf = std::string_view(magic, sizeof magic) == "GGUF";
  if (model) return gguf ? "" : "is no model";
  if (gguf) return "is a model";
  return file.gcount() == 0 ? "is empty" : "";
}

// One input: a stage that gives what is asked for, or else a file that is there. `models`: names of [models] count too.
Status ResolveInput(const TomlFile& file, size_t at, const PipelineRecipe& recipe,
                    const std::string& input, const char* key, Sort sort, StageSpec* stage) {
  const std::string path = StrCat("stage[", at, "].", key);
  std::vector<std::string> names;
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    const StageSpec& other = recipe.stages[i];
    names.push_back(other.name);
    if (other.name != input) continue;
    const Sort gives = RowOf(other.kind).gives;
    // Groups, once scored, still are groups; a problem's rows may hold completions.
    if (gives != sort && !(sort == Sort::kGroups && gives == Sort::kRows))
      return Fault(file, path,
                   StrCat("stage '", stage->name, "' needs ", SortName(sort), ", and stage '",
                          input, "' gives ", SortName(gives)));
    const bool wants_replies = stage->kind == StageKind::kSft || stage->kind == StageKind::kScore;
    if (wants_replies && other.kind == StageKind::kProblems &&
        other.options.StringOr("solutions", "none") == "none")
      return Fault(file, path,
                   StrCat("stage '", stage->name, "' needs replies, and stage '", input,
                          "' gives problems alone"),
                   "options = { solutions = \"worked\" } of the problems, or samples of a model");
    stage->needs.push_back(i);
    return {};
  }
  if (sort == Sort::kModel && recipe.models.Find(input) != nullptr) return {};
  if (sort == Sort::kModel && recipe.models.IsObject()) {
    for (const Json::Member& member : *recipe.models.AsObject()) names.push_back(member.key);
  }
  const bool may_be_file = sort == Sort::kRows || sort == Sort::kModel || sort == Sort::kGroups;
  if (may_be_file && fs::exists(ResolvePath(recipe, input))) {
    const std::string wrong = WrongWithFile(ResolvePath(recipe, input), sort == Sort::kModel);
    if (wrong.empty()) return {};
    return Fault(file, path, StrCat("stage '", stage->name, "': '", input, "' ", wrong),
                 sort == Sort::kModel ? "a model is a folder with config.json, or a .gguf file"
                                      : "rows are JSON Lines, plain or .gz");
  }
  return Fault(file, path,
               StrCat("stage '", stage->name, "': '", input, "' is no stage",
                      may_be_file ? " and no file" : ""),
               NearestName(input, names).empty() ? "" : DidYouMean(input, names));
}

Status ResolveInputs(const TomlFile& file, PipelineRecipe* recipe) {
  for (size_t at = 0; at < recipe->stages.size(); ++at) {
    StageSpec* stage = &recipe->stages[at];
    const KindRow& row = RowOf(stage->kind);
    if (Status s = CheckShape(file, at, *stage); !s.ok()) return s;
    const auto resolve = [&](const std::string& input, const char* key, Sort sort) {
      return ResolveInput(file, at, *recipe, input, key, sort, stage);
    };
    for (const std::string& input : stage->data) {
      if (Status s = resolve(input, "data", row.data); !s.ok()) return s;
    }
    for (const std::string& input : stage->eval) {
      if (Status s = resolve(input, "eval", Sort::kRows); !s.ok()) return s;
    }
    for (const std::string* input : {&stage->model, &stage->teacher}) {
      if (input->empty()) continue;
      if (Status s = resolve(*input, input == &stage->model ? "model" : "teacher", Sort::kModel);
          !s.ok())
        return s;
    }
    if (!stage->rubric.empty() && !fs::exists(ResolvePath(*recipe, stage->rubric)))
      return Fault(file, StrCat("stage[", at, "].rubric"),
                   StrCat("stage '", stage->name, "': no rubric '", stage->rubric, "'"));
    std::sort(stage->needs.begin(), stage->needs.end());
    stage->needs.erase(std::unique(stage->needs.begin(), stage->needs.end()), stage->needs.end());
  }
  return {};
}

// Into an order in which each comes behind what it needs, as near to the file's as may be.
Status SortStages(const TomlFile& file, PipelineRecipe* recipe) {
  const size_t count = recipe->stages.size();
  std::vector<size_t> order, place(count);
  std::vector<bool> placed(count, false);
  while (order.size() < count) {
    const size_t before = order.size();
    for (size_t i = 0; i < count; ++i) {
      const std::vector<size_t>& needs = recipe->stages[i].needs;
      if (placed[i] ||
          !std::all_of(needs.begin(), needs.end(), [&](size_t n) { return placed[n]; }))
        continue;
      placed[i] = true, place[i] = order.size();
      order.push_back(i);
    }
    if (order.size() > before) continue;
    std::string names;
    for (size_t i = 0; i < count; ++i) {
      if (!placed[i]) StrAppend(&names, names.empty() ? "'" : ", '", recipe->stages[i].name, "'");
    }
    return Fault(file, "stage", StrCat("stages need each other in a circle: ", names));
  }
  std::vector<StageSpec> sorted;
  for (size_t i : order) {
    sorted.push_back(std::move(recipe->stages[i]));
    for (size_t& need : sorted.back().needs) need = place[need];
    std::sort(sorted.back().needs.begin(), sorted.back().needs.end());
  }
  recipe->stages = std::move(sorted);
  return {};
}

// "a.b.c" = value inside of an object.
void SetInside(Json* object, std::string_view path, Json value) {
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) {
    object->Set(path, std::move(value));
    return;
  }
  const std::string key(path.substr(0, dot));
  if (object->Find(key) == nullptr || !object->Find(key)->IsObject())
    object->Set(key, Json::MakeObject());
  SetInside(object->Find(key), path.substr(dot + 1), std::move(value));
}

Status ApplyOverride(const std::string& text, PipelineRecipe* recipe) {
  const size_t equals = text.find('=');
  const std::string key = text.substr(0, equals);
  if (equals == std::string::npos || key.empty())
    return Error{ErrorCode::kUsage, StrCat("--set '", text, "' is not KEY=VALUE"),
                 "--set zero.max_steps=10"};
  const std::string written = text.substr(equals + 1);
  const std::optional<Json> parsed = ParseTomlValue(written);
  const Json value = parsed ? *parsed : Json(written);
  if (key == "seed") {
    if (!value.IsInt()) return Error{ErrorCode::kUsage, "--set seed: no whole number", ""};
    recipe->seed = *value.AsInt();
    return {};
  }
  const size_t dot = key.find('.');
  std::vector<std::string> names;
  for (StageSpec& stage : recipe->stages) {
    names.push_back(stage.name);
    if (dot == std::string::npos || stage.name != key.substr(0, dot)) continue;
    SetInside(&stage.options, std::string_view(key).substr(dot + 1), value);
    return {};
  }
  return Error{ErrorCode::kUsage, StrCat("--set: no stage '", key.substr(0, dot), "'"),
               DidYouMean(key.substr(0, dot), names)};
}

}  // namespace

std::string_view StageKindName(StageKind kind) { return RowOf(kind).name; }

std::vector<OptionInfo> StageOptionInfos() {
  StageSpec stage;
  std::string kind = "sft";
  return StageTable(&stage, &kind).Infos();
}

const StageSpec* FindStage(const PipelineRecipe& recipe, std::string_view name) {
  for (const StageSpec& stage : recipe.stages) {
    if (stage.name == name) return &stage;
  }
  return nullptr;
}

std::string ResolvePath(const PipelineRecipe& recipe, const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  const fs::path beside = fs::path(recipe.file).parent_path() / path;
  return (fs::exists(beside) ? beside : fs::path(recipe.stands_in) / path)
      .lexically_normal()
      .string();
}

Options SampleOptionTable(SampleOptions* options) {
  Options table;
  table.Add("samples", &options->samples, "completions of each problem").Range(1, 1 << 20);
  table.Add("limit", &options->limit, "only so many problems; 0: all").AtLeast(0);
  table.Add("temperature", &options->temperature, "0 is greedy").AtLeast(0);
  table.Add("top_p", &options->top_p, "nucleus sampling; 1: off").Range(0, 1);
  table.Add("top_k", &options->top_k, "the likeliest tokens alone; 0: off").AtLeast(0);
  table.Add("min_p", &options->min_p, "tokens below this share of the likeliest are left out")
      .Range(0, 1);
  table.Add("repetition_penalty", &options->repetition_penalty, "1: off").AtLeast(0.001);
  table.Add("max_new_tokens", &options->max_new_tokens, "tokens of a completion").AtLeast(1);
  table.Add("stop", &options->stop, "texts that end a completion").OrOne();
  table.Add("rows", &options->rows, "completions decoded side by side").AtLeast(1);
  table.Add("prompt_prefix", &options->prompt_prefix, "stands before each plain prompt");
  table.Add("prompt_suffix", &options->prompt_suffix, "stands after each plain prompt");
  table.Add("system_prompt", &options->system_prompt,
            "the first message; makes a chat of a prompt");
  table.Add("few_shot", &options->few_shot,
            "a file of rows with prompt and completion, shown before each problem");
  table.Add("device", &options->device, "cpu, cuda, cuda:1");
  table.Add("dtype", &options->dtype, "float32 or bfloat16");
  return table;
}

Options EndpointStageTable(EndpointStageOptions* options) {
  Options table;
  table.Add("endpoint", &options->endpoint, "base of an OpenAI-compatible API");
  table.Add("command", &options->command, "or a command that answers lines");
  table.Add("model", &options->model, "the endpoint's name of its model");
  table.Add("samples", &options->samples, "completions of each problem").Range(1, 100'000);
  table.Add("temperature", &options->temperature, "0 is greedy").AtLeast(0);
  table.Add("top_p", &options->top_p, "nucleus sampling; 1: off").Range(0, 1);
  table.Add("max_tokens", &options->max_tokens, "of one reply; 0: the server's own bound")
      .AtLeast(0);
  table.Add("stop", &options->stop, "texts that end a completion").OrOne();
  table.Add("system", &options->system, "a system prompt for problems without one");
  table.Add("few_shot", &options->few_shot,
            "a file of rows with prompt and completion, shown before each problem");
  table.Add("request", &options->request, "further keys of each request, as JSON text");
  table.Add("concurrency", &options->concurrency, "requests at once").Range(1, 1024);
  table.Add("requests_per_minute", &options->requests_per_minute, "at most; 0: no bound")
      .AtLeast(0);
  table.Add("retries", &options->retries, "of a request that failed by itself").Range(0, 100);
  table.Add("timeout", &options->timeout, "seconds, of one request").AtLeast(0.001);
  table.Add("key_variable", &options->key_variable, "the environment variable that holds the key");
  return table;
}

bool AsksElsewhere(const StageSpec& stage) {
  return stage.kind == StageKind::kGenerate && stage.options.IsObject() &&
         (!stage.options.StringOr("endpoint", "").empty() ||
          !stage.options.StringOr("command", "").empty());
}

Options ExportStageTable(ExportStageOptions* options) {
  Options table;
  table.Add("format", &options->format, "one of `assay export`'s forms");
  table.Add("split", &options->split, "only the rows of this split");
  table.Add("columns", &options->columns, "only these columns, in this order").OrOne();
  table.Add("system", &options->system, "a system prompt for rows without one");
  table.Add("strip_reasoning", &options->strip_reasoning,
            "replies without what stands in think tags");
  table.Add("template", &options->reply_template,
            "how replies with one block of reasoning are written: text with {reasoning} and "
            "{summary}");
  table.Add("shuffle", &options->shuffle, "rows in an order that the recipe's seed draws");
  return table;
}

Options MixOptionTable(MixOptions* options) {
  Options table;
  table.Add("count", &options->count, "rows that come out; 0: as many as the shares allow")
      .AtLeast(0);
  table.Add("shares", &options->shares,
            "by input, its share of the mixture; none: all rows of every input");
  return table;
}

Result<PipelineRecipe> ReadPipelineRecipe(const std::string& file,
                                          const std::vector<std::string>& overrides) {
  Result<std::string> text = ReadFile(file, size_t{1} << 20);
  if (!text.ok()) return text.error();
  Result<TomlFile> toml = ParseToml(*text, file);
  if (!toml.ok()) return toml.error();
  PipelineRecipe recipe;
  std::error_code code;
  recipe.stands_in = fs::current_path(code).string();
  recipe.file = fs::absolute(file, code).string();
  Json stages, defaults = Json::MakeObject();
  Options table;
  table.Add("name", &recipe.name, "what the recipe is called");
  table.Add("seed", &recipe.seed, "of all that is drawn").AtLeast(0);
  table.Add("models", &recipe.models, "models to begin from");
  table.Add("defaults", &defaults, "by kind, options of all its stages");
  table.Add("stage", &stages, "the stages").ListOfTables();
  const Status read = table.Read(toml->json, [&](std::string_view key) { return toml->At(key); });
  if (!read.ok()) return read.error();
  if (recipe.name.empty()) recipe.name = fs::path(file).stem().string();
  const Json::Array* list = stages.AsArray();
  if (list == nullptr || list->empty())
    return Error{ErrorCode::kUsage, StrCat(file, ": no stages"), "[[stage]] begins one"};
  if (Status s = CheckDefaults(*toml, defaults); !s.ok()) return s.error();
  std::set<std::string> names;
  for (size_t i = 0; i < list->size(); ++i) {
    StageSpec stage;
    if (Status s = ReadStage(*toml, i, defaults, (*list)[i], &stage); !s.ok()) return s.error();
    if (!names.insert(stage.name).second)
      return Fault(*toml, StrCat("stage[", i, "]"),
                   StrCat("two stages are called '", stage.name, "'"))
          .error();
    recipe.stages.push_back(std::move(stage));
  }
  for (const std::string& text_of : overrides) {
    if (Status s = ApplyOverride(text_of, &recipe); !s.ok()) return s.error();
  }
  if (Status s = ResolveInputs(*toml, &recipe); !s.ok()) return s.error();
  if (Status s = SortStages(*toml, &recipe); !s.ok()) return s.error();
  return recipe;
}

}  // namespace assay
