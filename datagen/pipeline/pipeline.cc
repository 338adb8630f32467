#include "datagen/pipeline/pipeline.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/command.h"
#include "datagen/pipeline/estimate.h"
#include "datagen/pipeline/figures.h"
#include "datagen/pipeline/page.h"
#include "datagen/pipeline/plan.h"
#include "datagen/pipeline/state.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Two pipelines in one folder would undo each other's work.
class FolderLock {
 public:
  static Result<FolderLock> Take(const std::string& folder) {
    std::error_code code;
    fs::create_directories(folder, code);
    const std::string file = folder + "/.lock";
    const int fd = open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0) return Error{ErrorCode::kIo, StrCat("cannot write into '", folder, "'"), ""};
    FolderLock lock(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
      return Error{ErrorCode::kUsage, StrCat("a pipeline runs in '", folder, "' already"), ""};
    return lock;
  }
  FolderLock(FolderLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

std::string Replaced(std::string text, std::string_view what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

double MemoryOfMachine() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// What is asked for and cannot be had.
Status CheckMachine(const PipelineRecipe& recipe, const std::string& out) {
  double disk = 0;
  Estimator estimator(recipe, out);
  for (const StageSpec& stage : recipe.stages) {
    const StageEstimate estimate = estimator.Of(stage);
    disk += estimate.disk_bytes;
    if (estimate.gpu || estimate.memory_bytes <= MemoryOfMachine()) continue;
    return Error{ErrorCode::kLimit,
                 StrCat("stage '", stage.name, "' needs ", HumanBytes(estimate.memory_bytes),
                        " of memory for ", ParametersText(estimate.parameters),
                        " parameters; this machine has ", HumanBytes(MemoryOfMachine())),
                 "--dry-run shows the whole estimate"};
  }
  std::error_code code;
  fs::path place = fs::absolute(out, code);
  while (place.has_relative_path() && !fs::exists(place, code)) place = place.parent_path();
  const fs::space_info space = fs::space(place, code);
  if (!code && disk > static_cast<double>(space.available))
    return Error{ErrorCode::kLimit,
                 StrCat("the runs need ", HumanBytes(disk), " of disk, and ",
                        HumanBytes(static_cast<double>(space.available)), " are free"),
                 "fewer checkpoints (save_total_limit), or another --out"};
  return {};
}

class Runner {
 public:
  Runner(const PipelineRecipe& recipe, const PipelineOptions& options)
      : recipe_(recipe), options_(options) {}

  Result<PipelineSummary> Run() {
    size_t first = 0, last = recipe_.stages.size();
    if (Status s = Bounds(&first, &last); !s.ok()) return s.error();
    std::vector<StagePlan> plans;
    for (const StageSpec& stage : recipe_.stages) {
      Result<StagePlan> plan = PlanStage(recipe_, stage, options_.out);
      if (!plan.ok()) return plan.error();
      plans.push_back(std::move(*plan));
    }
    if (Status s = CheckMachine(recipe_, options_.out); !s.ok()) return s.error();
    if (Status s = CheckModels(); !s.ok()) return s.error();
    NoteStale(plans, first, last);
    // So that a live page can begin with the first stage.
    if (Status s = WriteOverview(); !s.ok()) return s.error();
    for (size_t i = first; i < last && !Stopped(); ++i) {
      if (Status s = RunStage(recipe_.stages[i], plans[i], i); !s.ok()) {
        (void)WriteOverview();
        if (Stopped()) break;
        return s.error();
      }
    }
    if (Status s = WriteOverview(); !s.ok()) return s.error();
    summary_.interrupted = Stopped();
    return summary_;
  }

 private:
  bool Stopped() const { return options_.interrupted != nullptr && options_.interrupted->load(); }
  void Say(const std::string& sentence) const {
    if (options_.note) options_.note(sentence);
  }

  Status Place(const std::string& name, const char* flag, size_t* place) const {
    std::vector<std::string> names;
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      names.push_back(recipe_.stages[i].name);
      if (names.back() != name) continue;
      *place = i;
      return {};
    }
    return Error{ErrorCode::kUsage, StrCat(flag, ": no stage '", name, "'"),
                 DidYouMean(name, names)};
  }

  Status Bounds(size_t* first, size_t* last) const {
    size_t place = 0;
    if (!options_.from.empty()) {
      if (Status s = Place(options_.from, "--from", first); !s.ok()) return s;
    }
    if (!options_.until.empty()) {
      if (Status s = Place(options_.until, "--until", &place); !s.ok()) return s;
      *last = place + 1;
    }
    if (*first >= *last)
      return Error{
          ErrorCode::kUsage,
          StrCat("--from '", options_.from, "' comes behind --until '", options_.until, "'"),
          "--dry-run shows the order"};
    if (options_.only.empty()) return {};
    if (Status s = Place(options_.only, "--only", &place); !s.ok()) return s;
    *first = place, *last = place + 1;
    return {};
  }

  // A part of the graph takes what the rest has left, even where that would run again.
  void NoteStale(const std::vector<StagePlan>& plans, size_t first, size_t last) const {
    std::vector<bool> wanted(plans.size(), false);
    for (size_t i = last; i-- > 0;) {
      const bool runs = i >= first;
      if (!runs && !wanted[i]) continue;
      for (const size_t need : recipe_.stages[i].needs) wanted[need] = true;
      const StageState state = ReadStageState(plans[i].folder);
      if (runs || !state.done) continue;
      const Result<std::string> fingerprint = Fingerprint(plans[i], options_.tool_version);
      if (fingerprint.ok() && UpToDate(plans[i], state, *fingerprint)) continue;
      Say(StrCat("[", i + 1, "/", recipe_.stages.size(), "] ", recipe_.stages[i].name,
                 ": used as it is, though what it was made from has changed"));
    }
  }

  // Models that the recipe brings along are there before the first stage asks for one.
  Status CheckModels() const {
    if (!recipe_.models.IsObject()) return {};
    for (const Json::Member& model : *recipe_.models.AsObject()) {
      const std::string path(model.value.StringOr("path", ""));
      if (path.empty() || fs::exists(ResolvePath(recipe_, path))) continue;
      return Error{ErrorCode::kInput, StrCat("model '", model.key, "': '", path, "' is not there"),
                   "its path is relative to the recipe or to where you stand"};
    }
    return {};
  }

  // A stage begun with the same fingerprint goes on; anything else begins in an empty folder.
  Status Begin(const StagePlan& plan, const std::string& fingerprint, bool* goes_on) const {
    const std::string mark = plan.folder + "/begun";
    const Result<std::string> begun = ReadFile(mark, 1024);
    *goes_on = begun.ok() && Trim(*begun) == fingerprint;
    std::error_code code;
    if (!*goes_on) fs::remove_all(plan.folder, code);
    fs::create_directories(plan.folder, code);
    if (code)
      return Error{ErrorCode::kIo, StrCat("cannot make '", plan.folder, "': ", code.message()), ""};
    for (const auto& [name, contents] : plan.written) {
      if (Status s = WriteFileAtomic(name, contents); !s.ok()) return s;
    }
    return WriteFileAtomic(mark, fingerprint + "\n");
  }

  Status RunStage(const StageSpec& stage, const StagePlan& plan, size_t at) {
    const std::string head = StrCat("[", at + 1, "/", recipe_.stages.size(), "] ", stage.name, " (",
                                    StageKindName(stage.kind), "): ");
    Result<std::string> fingerprint = Fingerprint(plan, options_.tool_version);
    if (!fingerprint.ok()) return fingerprint.error();
    StageState state = ReadStageState(plan.folder);
    if (UpToDate(plan, state, *fingerprint)) {
      ++summary_.kept;
      Say(StrCat(head, "unchanged", FiguresText(state.figures)));
      return {};
    }
    bool goes_on = false;
    if (Status s = Begin(plan, *fingerprint, &goes_on); !s.ok()) return s;
    Say(StrCat(head, goes_on ? "goes on" : "runs"));
    const auto begun = std::chrono::steady_clock::now();
    for (const PlanCommand& command : plan.commands) {
      if (Status s = RunOne(stage, plan, command); !s.ok()) return s;
    }
    state = StageState();
    state.fingerprint = *fingerprint;
    state.output_hash = ContentHash(plan.outputs[0]);
    state.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    if (stage.kind == StageKind::kEval || stage.kind == StageKind::kScore) {
      const bool samples = stage.kind == StageKind::kEval;
      Result<Json> figures =
          EvalFigures(plan.folder + "/scored.jsonl", samples ? plan.folder + "/groups.jsonl" : "");
      if (!figures.ok()) return figures.error();
      state.figures = *figures;
    }
    if (Status s = WriteStageState(plan.folder, state); !s.ok()) return s;
    ++summary_.ran;
    Say(StrCat(head, "done in ", DurationText(state.seconds), FiguresText(state.figures)));
    return WriteOverview();
  }

  static std::string FiguresText(const Json& figures) {
    std::string text;
    const Json* terms = figures.Find("terms");
    if (terms == nullptr || !terms->IsObject()) return text;
    for (const Json::Member& term : *terms->AsObject())
      StrAppend(&text, text.empty() ? "; " : ", ", term.key, " ",
                FixedDigits(100 * term.value.DoubleOr("share", 0), 1), " %");
    return text;
  }

  // Then not even a log could be written.
  static bool DiskIsFull(const std::string& folder) {
    std::error_code code;
    const fs::space_info space = fs::space(folder, code);
    return !code && space.available < size_t{64} << 10;
  }

  // The card that an export puts beside its file, under the name that the file has in the end.
  static void MoveCard(const std::string& part, const std::string& writes) {
    std::error_code code;
    const std::string card = part + ".card.md";
    const Result<std::string> text = ReadFile(card, size_t{1} << 20);
    if (!text.ok()) return;
    const std::string name = fs::path(writes).filename().string();
    (void)WriteFileAtomic(writes + ".card.md", Replaced(*text, name + ".part", name));
    fs::remove(card, code);
  }

  // What a command said into its output, where that is a summary and no rows.
  static std::string SummaryLeft(const std::string& part) {
    if (!EndsWith(part, ".txt.part")) return "";
    const Result<std::string> text = ReadFile(part, size_t{1} << 16);
    return text.ok() ? SanitizeUtf8(Trim(*text)) : "";
  }

  Status RunOne(const StageSpec& stage, const StagePlan& plan, const PlanCommand& command) const {
    std::error_code code;
    if (!command.trains && fs::exists(command.writes, code)) return {};
    const std::string part = command.writes + ".part";
    if (!command.copy_from.empty()) {
      fs::copy_file(command.copy_from, part, fs::copy_options::overwrite_existing, code);
      if (code)
        return Error{ErrorCode::kIo,
                     StrCat("cannot copy '", command.copy_from, "': ", code.message()), ""};
      fs::rename(part, command.writes, code);
      return {};
    }
    for (const char* tail : {"", "-wal", "-shm", "-journal"}) {
      if (!command.drop_first.empty()) fs::remove(command.drop_first + tail, code);
    }
    fs::remove(part + ".resume", code);
    std::vector<std::string> argv = {
        command.program == PlanCommand::Program::kTrain ? options_.train : options_.assay};
    argv.insert(argv.end(), command.words.begin(), command.words.end());
    if (command.trains) argv.emplace_back("--resume");
    const std::string log = plan.folder + "/log.txt";
    Result<CommandResult> result = RunCommand(argv, log, options_.interrupted);
    if (!result.ok()) return result.error();
    if (result->exit_code != 0) {
      // Some commands put what they have to say where their output goes.
      std::string said(Trim(result->tail));
      if (said.empty()) said = SummaryLeft(part);
      if (said.empty() && DiskIsFull(plan.folder)) said = "no space is left on the disk";
      return Error{
          ErrorCode::kInput,
          StrCat("stage '", stage.name, "': `",
                 command.program == PlanCommand::Program::kTrain ? "assay-train " : "assay ",
                 command.words.empty() ? "" : command.words[0], "` ended with ", result->exit_code,
                 said.empty() ? "" : "\n", said),
          StrCat("its log is ", fs::absolute(log).lexically_normal().string(),
                 "; the same command goes on from here")};
    }
    if (!command.trains) fs::rename(part, command.writes, code);
    if (code)
      return Error{ErrorCode::kIo, StrCat("'", part, "' was not written: ", code.message()), ""};
    MoveCard(part, command.writes);
    fs::remove(part + ".resume", code);
    return {};
  }

  Status WriteOverview() const {
    Json list = Json::MakeArray();
    for (const StageSpec& stage : recipe_.stages) {
      const StageState state = ReadStageState(StrCat(options_.out, "/", stage.name));
      Json needs = Json::MakeArray();
      for (size_t need : stage.needs) needs.Append(recipe_.stages[need].name);
      Json data = Json::MakeArray();
      for (const std::string& name : stage.data)
        data.Append(FindStage(recipe_, name) != nullptr ? name : ResolvePath(recipe_, name));
      list.Append(Json()
                      .Set("name", stage.name)
                      .Set("kind", StageKindName(stage.kind))
                      .Set("model", stage.model)
                      .Set("data", std::move(data))
                      .Set("needs", std::move(needs))
                      .Set("done", state.done)
                      .Set("seconds", state.seconds)
                      .Set("output", StageOutput(options_.out, stage))
                      .Set("output_hash", state.output_hash)
                      .Set("figures", state.figures));
    }
    const Json all =
        Json().Set("recipe", recipe_.name).Set("seed", recipe_.seed).Set("stages", std::move(list));
    if (Status s = WriteFileAtomic(options_.out + "/stages.json", all.Dump() + "\n"); !s.ok())
      return s;
    Result<PageSource> source = ReadPageSource(options_.out);
    if (!source.ok()) return source.error();
    return WriteFileAtomic(options_.out + "/report.html", PipelinePage(*source));
  }

  const PipelineRecipe& recipe_;
  const PipelineOptions& options_;
  PipelineSummary summary_;
};

}  // namespace

Result<PipelineSummary> RunPipeline(const PipelineRecipe& recipe, const PipelineOptions& options) {
  Result<FolderLock> lock = FolderLock::Take(options.out);
  if (!lock.ok()) return lock.error();
  // Commands name what stages left relative to OUT: the same recipe leaves the same bytes in any folder, and a folder may be moved.
  std::error_code code;
  const fs::path before = fs::current_path(code);
  fs::current_path(options.out, code);
  if (code)
    return Error{ErrorCode::kIo, StrCat("cannot enter '", options.out, "': ", code.message()), ""};
  PipelineOptions inside = options;
  inside.out = ".";
  Result<PipelineSummary> summary = Runner(recipe, inside).Run();
  fs::current_path(before, code);
  if (summary.ok()) return summary;
  // Who reads it stands elsewhere.
  Error error = summary.error();
  error.message = Replaced(error.message, "'./", StrCat("'", options.out, "/"));
  return error;
}

Result<std::string> DrawPipeline(const PipelineRecipe& recipe, const std::string& out) {
  std::string text = StrCat("Recipe '", recipe.name, "', seed ", recipe.seed, ", ",
                            recipe.stages.size(), " stages\n\n");
  size_t width = 0;
  for (const StageSpec& stage : recipe.stages) width = std::max(width, stage.name.size());
  double seconds = 0, disk = 0, memory = 0, gpu_memory = 0;
  Estimator estimator(recipe, out);
  for (const StageSpec& stage : recipe.stages) {
    if (Result<StagePlan> plan = PlanStage(recipe, stage, out); !plan.ok()) return plan.error();
    const StageEstimate estimate = estimator.Of(stage);
    std::string from;
    for (const std::string* name : {&stage.model, &stage.teacher}) {
      if (!name->empty()) StrAppend(&from, from.empty() ? "" : ", ", *name);
    }
    for (const std::string& name : stage.data) StrAppend(&from, from.empty() ? "" : ", ", name);
    for (const std::string& name : stage.eval) StrAppend(&from, " | ", name);
    const std::string kind(StageKindName(stage.kind));
    StrAppend(&text, from.empty() ? "  *  " : "  +- ", stage.name,
              std::string(width - stage.name.size() + 2, ' '), kind,
              std::string(kind.size() < 9 ? 9 - kind.size() : 1, ' '),
              from.empty() ? "" : StrCat("<- ", from));
    if (estimate.memory_bytes > 0)
      StrAppend(&text, "\n     ", std::string(width + 2, ' '), ParametersText(estimate.parameters),
                " parameters; at most ", HumanBytes(estimate.memory_bytes),
                estimate.gpu ? " on the GPU" : " of memory", ", ", HumanBytes(estimate.disk_bytes),
                " of disk, ", DurationText(estimate.seconds));
    text += "\n";
    seconds += estimate.seconds, disk += estimate.disk_bytes;
    double* most = estimate.gpu ? &gpu_memory : &memory;
    *most = std::max(*most, estimate.memory_bytes);
  }
  text += "\nAt most: ";
  if (memory > 0)
    StrAppend(&text, HumanBytes(memory), " of memory (this machine has ",
              HumanBytes(MemoryOfMachine()), "), ");
  if (gpu_memory > 0) StrAppend(&text, HumanBytes(gpu_memory), " on the GPU, ");
  StrAppend(&text, HumanBytes(disk), " of disk, about ", DurationText(seconds), "\n",
            std::max(memory, gpu_memory) > 16e9 ? StrCat("\n", LargestModels()) : "");
  if (const Status fits = CheckMachine(recipe, out); !fits.ok())
    StrAppend(&text, "Not on this machine: ", fits.error().message, "\n");
  return text;
}

}  // namespace assay
