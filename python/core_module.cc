// assay._core: the thin door from Python to the libraries. Plain objects in, plain objects out; what is pleasant to use is made of it in
// python/assay/*.py. Errors of ours are assay.AssayError (code, message, hint); what a candidate did is data. The GIL is released
// while anything is scored or run, and the caller's Ctrl-C is looked for meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/options.h"
#include "core/rows/group_json.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "python/convert.h"
#include "python/engine.h"
#include "python/host_verifier.h"
#include "python/score_job.h"
#include "python/scores.h"
#include "verifiers/rubric_words.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace assay::python {
namespace {

constexpr int kSignalPollMs = 50;
// Rows that are taken over from Python at a time, so that a large table is not in memory twice.
constexpr size_t kChunkRows = 32'768;

PyObject* error_class = nullptr;  // set when the package is imported

[[noreturn]] void Throw(const Error& error) {
  nb::object made = nb::borrow(error_class)(error.message, error.hint, ErrorCodeName(error.code));
  PyErr_SetObject(error_class, made.ptr());
  throw nb::python_error();
}

template <typename T>
T OrThrow(Result<T> result) {
  if (!result.ok()) Throw(result.error());
  return std::move(result).value();
}

void OrThrow(const Status& status) {
  if (!status.ok()) Throw(status.error());
}

// Ctrl-C, or whatever the program's handler makes of it, as the exception that it is.
bool SignalCame() { return PyErr_CheckSignals() != 0; }

// Runs `work` on a thread of its own and waits for it. Interrupted: `cancel` is called, the thread is waited for, and the exception goes
// on. No GIL is held meanwhile.
template <typename Work, typename Cancel>
void RunInterruptibly(const Work& work, const Cancel& cancel) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread thread([&] {
    work();
    std::lock_guard<std::mutex> lock(mutex);
    done = true;
    changed.notify_all();
  });
  bool interrupted = false;
  for (bool ended = false; !ended && !interrupted;) {
    {
      nb::gil_scoped_release release;
      std::unique_lock<std::mutex> lock(mutex);
      ended =
          changed.wait_for(lock, std::chrono::milliseconds(kSignalPollMs), [&] { return done; });
    }
    interrupted = !ended && SignalCame();
  }
  {
    nb::gil_scoped_release release;
    if (interrupted) cancel();
    thread.join();
  }
  if (interrupted) throw nb::python_error();
}

std::shared_ptr<Engine> MakeEngine(nb::dict settings) {
  const Json given = ToJson(settings);
  EngineConfig config;
  std::string jobs, isolation, languages;
  config.jobs = static_cast<int>(given.IntOr("jobs", 0));
  config.cache = given.BoolOr("cache", true);
  config.cache_folder = given.StringOr("cache_folder", "");
  config.sandbox.isolation = given.StringOr("isolation", "");
  config.sandbox.python = given.StringOr("python", "");
  config.sandbox.python_library = given.StringOr("python_library", "");
  config.sandbox.jail_path = given.StringOr("jail", "");
  config.sandbox.languages_file = given.StringOr("languages", "");
  config.sandbox.compile_cache = config.cache;
  config.sandbox.compile_folder = given.StringOr("compile_folder", "");
  if (const Json* names = given.Find("preimport"); names != nullptr && names->IsArray()) {
    for (const Json& name : *names->AsArray())
      config.sandbox.preimport.push_back(name.ScalarText());
  }
  return std::make_shared<Engine>(std::move(config));
}

constexpr std::string_view kOwnFunction =
    "callable:";  // in front of the names of functions (python/assay/_rubric.py)

// Names of verifiers and of their options, so that a slip is found where the rubric is written and not where it is first used. Values are
// looked at when the verifier is made.
Status CheckNames(const RubricSpec& spec) {
  for (const RubricTerm& term : spec.terms) {
    if (StartsWith(term.verifier, kOwnFunction)) continue;
    const VerifierInfo* info = FindVerifier(term.verifier);
    std::vector<std::string> known;
    if (info == nullptr) {
      for (const VerifierInfo& other : BuiltinVerifiers()) known.emplace_back(other.name);
      return Error{ErrorCode::kUsage, StrCat("unknown verifier '", term.verifier, "'"),
                   DidYouMean(term.verifier, known)};
    }
    if (!term.options.IsObject()) continue;
    for (const OptionInfo& option : info->options())
      known.emplace_back(option.name.substr(0, option.name.find('.')));
    for (const Json::Member& member : *term.options.AsObject()) {
      if (std::find(known.begin(), known.end(), member.key) == known.end())
        return Error{ErrorCode::kUsage,
                     StrCat("unknown option '", member.key, "' of verifier '", term.verifier, "'"),
                     DidYouMean(member.key, known)};
    }
  }
  return {};
}

RubricSpec Checked(Result<RubricSpec> spec) {
  RubricSpec out = OrThrow(std::move(spec));
  OrThrow(CheckNames(out));
  return out;
}

// A rubric ready to score, and the engine that it scores with.
struct CompiledRubric {
  std::shared_ptr<Engine> engine;
  std::unique_ptr<Rubric> rubric;
};

using Callables = std::map<std::string, nb::callable, std::less<>>;

std::unique_ptr<CompiledRubric> Compile(const std::shared_ptr<Engine>& engine,
                                        const RubricSpec& spec, nb::dict callables) {
  auto functions = std::make_shared<Callables>();
  for (auto [name, function] : callables)
    functions->emplace(nb::cast<std::string>(name), nb::cast<nb::callable>(function));
  auto out = std::make_unique<CompiledRubric>();
  out->engine = engine;
  VerifierEnv env = engine->MakeEnv();
  if (!functions->empty()) {
    env.host_verifier = [functions](std::string_view name) -> std::unique_ptr<Verifier> {
      const auto found = functions->find(name);
      if (found == functions->end()) return nullptr;
      nb::gil_scoped_acquire gil;
      return MakeHostVerifier(found->second);
    };
  }
  std::optional<Result<std::unique_ptr<Rubric>>> made;
  RunInterruptibly([&] { made = Rubric::Make(spec, env); }, [&] { engine->Cancel(); });
  // The rubric keeps a copy of `env`, and with it the functions: they must not be given back without the GIL.
  out->rubric = OrThrow(std::move(*made));
  return out;
}

// `columns`: {name: list}, of one length.
std::vector<Json> RowsOfColumns(nb::dict columns, size_t begin, size_t end) {
  std::vector<std::string> names;
  std::vector<nb::list> lists;
  for (auto [name, values] : columns) {
    names.push_back(nb::cast<std::string>(nb::str(name)));
    lists.push_back(nb::cast<nb::list>(values));
  }
  std::vector<Json> out;
  out.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) {
    Json::Object members;
    members.reserve(names.size());
    for (size_t c = 0; c < names.size(); ++c)
      members.push_back({names[c], ToJson(nb::borrow(PyList_GetItem(lists[c].ptr(),
                                                                    static_cast<Py_ssize_t>(i))))});
    out.emplace_back(std::move(members));
  }
  return out;
}

std::vector<Json> RowsOfList(nb::list rows, size_t begin, size_t end) {
  std::vector<Json> out;
  out.reserve(end - begin);
  for (size_t i = begin; i < end; ++i)
    out.push_back(ToJson(nb::borrow(PyList_GetItem(rows.ptr(), static_cast<Py_ssize_t>(i)))));
  return out;
}

void WaitForJob(ScoreJob* job, Engine* engine) {
  bool interrupted = false;
  for (bool done = false; !done && !interrupted;) {
    {
      nb::gil_scoped_release release;
      done = job->WaitFor(kSignalPollMs);
    }
    interrupted = !done && SignalCame();
  }
  {
    nb::gil_scoped_release release;
    if (interrupted) {
      job->Stop();
      engine->Cancel();
    }
    job->Finish();
  }
  if (interrupted) throw nb::python_error();
}

std::unique_ptr<Scores> Score(const CompiledRubric& rubric, nb::object rows, size_t count,
                              const std::string& input_format, const std::string& group_by,
                              int threads, bool keep_texts) {
  ScoreJobOptions options;
  options.input_format = input_format;
  options.group_by = group_by;
  options.threads = threads > 0 ? threads : rubric.engine->jobs();
  options.keep_texts = keep_texts;
  ScoreJob job(*rubric.rubric, options);
  const size_t chunk = group_by.empty() ? kChunkRows : std::max(count, size_t{1});
  for (size_t begin = 0; begin < count; begin += chunk) {
    const size_t end = std::min(count, begin + chunk);
    job.Start(nb::isinstance<nb::dict>(rows) ? RowsOfColumns(nb::cast<nb::dict>(rows), begin, end)
                                             : RowsOfList(nb::cast<nb::list>(rows), begin, end));
    WaitForJob(&job, rubric.engine.get());
  }
  return std::make_unique<Scores>(std::move(job.groups()), job.places());
}

Job JobOf(const Json& given) {
  Job job;
  job.language = given.StringOr("language", "python");
  job.source = given.StringOr("source", "");
  job.measure_bytecodes = given.BoolOr("measure_bytecodes", false);
  for (const auto& [key, out] : {std::pair{"args", &job.args}, std::pair{"allow", &job.allow},
                                 std::pair{"collect", &job.collect}}) {
    if (const Json* list = given.Find(key); list != nullptr && list->IsArray()) {
      for (const Json& item : *list->AsArray()) out->push_back(item.ScalarText());
    }
  }
  Limits& l = job.limits;
  const std::pair<const char*, int64_t*> limits[] = {
      {"cpu_ms", &l.cpu_ms},         {"wall_ms", &l.wall_ms},
      {"memory_mib", &l.memory_mib}, {"processes", &l.processes},
      {"files", &l.files},           {"output_bytes", &l.output_bytes},
      {"disk_mib", &l.disk_mib},     {"stack_mib", &l.stack_mib},
      {"open_files", &l.open_files}, {"compile_cpu_ms", &l.compile_cpu_ms}};
  std::vector<std::string> known;
  for (const auto& [name, value] : limits) known.emplace_back(name);
  const Json* written = given.Find("limits");
  if (written == nullptr || !written->IsObject()) return job;
  for (const Json::Member& member : *written->AsObject()) {
    const auto* found = std::find_if(std::begin(limits), std::end(limits),
                                     [&](const auto& limit) { return member.key == limit.first; });
    if (found == std::end(limits))
      Throw({ErrorCode::kUsage, StrCat("unknown limit '", member.key, "'"),
             DidYouMean(member.key, known)});
    const int64_t* number = member.value.AsInt();
    if (number == nullptr || *number < 1)
      Throw(
          {ErrorCode::kUsage, StrCat("limit '", member.key, "' is no positive whole number"), ""});
    *found->second = *number;
  }
  return job;
}

nb::bytes ToBytes(const std::string& text) { return nb::bytes(text.data(), text.size()); }

// `given`: language, source, args, allow, limits; bytes are taken as they are.
nb::object Run(const std::shared_ptr<Engine>& engine, nb::dict given, nb::bytes stdin_bytes,
               nb::dict files) {
  Job job = JobOf(ToJson(given));
  job.stdin_bytes.assign(stdin_bytes.c_str(), stdin_bytes.size());
  for (auto [name, content] : files) {
    const auto bytes = nb::cast<nb::bytes>(content);
    job.files.push_back({nb::cast<std::string>(name), std::string(bytes.c_str(), bytes.size())});
  }
  RunResult result;
  std::optional<Error> error;
  RunInterruptibly(
      [&] {
        Result<Sandbox*> sandbox = engine->OpenSandbox();
        Status known = sandbox.ok() ? (*sandbox)->CheckLanguage(job.language) : sandbox.error();
        if (known.ok()) {
          result = (*sandbox)->Run(job);
        } else {
          error = known.error();
        }
      },
      [&] { engine->Cancel(); });
  if (error) Throw(*error);
  nb::object out = FromJson(result.ToJson());
  out["stdout_bytes"] = ToBytes(result.stdout_bytes);
  out["stderr_bytes"] = ToBytes(result.stderr_bytes);
  nb::dict collected;
  for (const SourceFile& file : result.collected) collected[ToStr(file.path)] = ToBytes(file.bytes);
  out["files"] = collected;
  return out;
}

nb::object Doctor(const std::shared_ptr<Engine>& engine) {
  std::optional<Error> error;
  SandboxReport report;
  std::vector<LanguageInfo> languages;
  RunInterruptibly(
      [&] {
        Result<Sandbox*> sandbox = engine->OpenSandbox();
        if (!sandbox.ok()) {
          error = sandbox.error();
          return;
        }
        report = (*sandbox)->Describe();
        languages = (*sandbox)->Languages();
      },
      [&] { engine->Cancel(); });
  if (error) Throw(*error);
  nb::dict layers, by_name;
  for (const auto& [name, state] : report.layers) layers[ToStr(name)] = ToStr(state);
  for (const LanguageInfo& language : languages)
    by_name[ToStr(language.name)] =
        language.available ? ToStr(language.version) : nb::object(nb::none());
  nb::list advice;
  for (const std::string& sentence : report.advice) advice.append(ToStr(sentence));
  nb::dict out;
  out["isolation"] = TierName(report.tier);
  out["python"] = ToStr(report.python_version);
  out["layers"] = layers;
  out["languages"] = by_name;
  out["advice"] = advice;
  return out;
}

const char* KindName(OptionKind kind) {
  switch (kind) {
    case OptionKind::kBool:
      return "bool";
    case OptionKind::kInt:
      return "int";
    case OptionKind::kNumber:
      return "float";
    case OptionKind::kString:
      return "str";
    case OptionKind::kStrings:
      return "list[str]";
    case OptionKind::kObject:
      return "dict";
    case OptionKind::kTables:
      return "list[dict]";
  }
  return "";
}

nb::list Verifiers() {
  nb::list out;
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    nb::dict options;
    for (const OptionInfo& option : info.options()) {
      nb::dict one;
      one["type"] = KindName(option.kind);
      one["default"] = FromJson(option.initial);
      one["help"] = ToStr(option.help);
      nb::list choices;
      for (const std::string& choice : option.choices) choices.append(ToStr(choice));
      if (!option.choices.empty()) one["choices"] = choices;
      options[ToStr(option.name)] = one;
    }
    nb::dict row;
    row["name"] = info.name;
    row["summary"] = info.summary;
    row["needs_sandbox"] = info.needs_sandbox;
    row["options"] = options;
    out.append(row);
  }
  return out;
}

nb::dict RubricInfo(const RubricSpec& spec) {
  nb::dict out;
  out["words"] = ToStr(RubricInWords(spec));
  nb::list warnings;
  for (const std::string& warning : RubricWarnings(spec)) warnings.append(ToStr(warning));
  out["warnings"] = warnings;
  return out;
}

// --- The store. Its own errors are AssayErrors; a Store of Python is used by one thread at a time (a lock in the package).

nb::dict RunOf(const RunRecord& run) {
  nb::dict out;
  out["name"] = ToStr(run.name);
  out["finished"] = run.finished;
  out["tool_version"] = ToStr(run.tool_version);
  out["seed"] = run.seed;
  Result<Json> rubric = ParseJson(run.rubric_json);
  out["rubric"] = rubric.ok() ? FromJson(*rubric) : nb::object(nb::none());
  return out;
}

nb::dict SampleOf(const StoredGroup& group, const StoredSample& sample) {
  nb::dict out;
  out["index"] = sample.index;
  out["completion"] = FromJson(CompletionToJson(sample.sample));
  out["finish_reason"] = ToStr(sample.sample.finish_reason);
  out["model"] = ToStr(sample.sample.model);
  out["reward"] =
      sample.score.reward ? nb::object(nb::float_(*sample.score.reward)) : nb::object(nb::none());
  out["advantage"] = sample.score.advantage.mask
                         ? nb::object(nb::float_(sample.score.advantage.value))
                         : nb::object(nb::none());
  nb::dict verdicts;
  for (size_t t = 0; t < group.labels.size() && t < sample.score.verdicts.size(); ++t)
    verdicts[ToStr(group.labels[t])] = FromJson(VerdictToJson(sample.score.verdicts[t], true));
  out["verdicts"] = verdicts;
  return out;
}

nb::dict GroupOf(const StoredGroup& group) {
  nb::dict out;
  Group problem;
  problem.problem = group.problem;
  Json row = GroupToJson(problem);
  row.Erase("completions");
  out["file"] = ToStr(group.key.file);
  out["line"] = group.key.line;
  out["error"] = group.error.empty() ? nb::object(nb::none()) : ToStr(group.error);
  out["problem"] = FromJson(row);
  nb::list samples;
  for (const StoredSample& sample : group.samples) samples.append(SampleOf(group, sample));
  out["samples"] = samples;
  return out;
}

// What a visitor of the store raises ends the reading and goes on as what it is.
Status Calling(const nb::callable& visit, nb::object with,
               std::optional<nb::python_error>* raised) {
  try {
    visit(with);
    return {};
  } catch (nb::python_error& error) {
    raised->emplace(std::move(error));
    return Error{ErrorCode::kInternal, "the visitor raised", ""};
  }
}

void ForEachGroup(Store& store, const std::string& run, bool texts, nb::callable visit) {
  const RunRecord record = OrThrow(store.FindRun(run));
  std::optional<nb::python_error> raised;
  Status status = store.ForEachGroup(record.id, texts, [&](const StoredGroup& group) {
    return Calling(visit, GroupOf(group), &raised);
  });
  if (raised) throw std::move(*raised);
  OrThrow(status);
}

void ForEachRow(Store& store, const std::string& dataset, bool texts, nb::callable visit) {
  const DatasetRecord record = OrThrow(store.FindDataset(dataset));
  std::optional<nb::python_error> raised;
  Status status = store.ForEachDatasetRow(record.id, texts, [&](const DatasetRow& row) {
    nb::dict out = GroupOf(row.group);
    out["run"] = ToStr(row.run);
    Result<Json> decision = ParseJson(row.decision);
    out["decision"] = decision.ok() ? FromJson(*decision) : ToStr(row.decision);
    return Calling(visit, out, &raised);
  });
  if (raised) throw std::move(*raised);
  OrThrow(status);
}

nb::list StoreRuns(Store& store) {
  nb::list out;
  for (const RunRecord& run : OrThrow(store.Runs())) out.append(RunOf(run));
  return out;
}

nb::list StoreDatasets(Store& store) {
  nb::list out;
  for (const DatasetRecord& dataset : OrThrow(store.Datasets())) {
    nb::dict one, decisions;
    for (const auto& [decision, count] : dataset.decisions) decisions[ToStr(decision)] = count;
    one["name"] = ToStr(dataset.name);
    one["strategy"] = ToStr(dataset.strategy);
    one["rows"] = dataset.rows;
    one["decisions"] = decisions;
    out.append(one);
  }
  return out;
}

std::unique_ptr<Store> OpenStore(const std::string& path, bool write) {
  return OrThrow(Store::Open(path, write ? OpenMode::kCreate : OpenMode::kReadOnly));
}

void AddRun(Store& store, const Scores& scores, const CompiledRubric& rubric,
            const std::string& name) {
  RunInfo info;
  info.name = name;
  info.rubric_json = rubric.rubric->spec().ToJson().Dump();
  info.config_hash = HashBytes128(info.rubric_json).Hex();
  info.tool_version = ASSAY_VERSION;
  OrThrow(scores.AddTo(&store, info));
}

void BindRubrics(nb::module_& m) {
  nb::class_<Engine>(m, "Engine")
      .def_prop_ro("jobs", &Engine::jobs)
      .def_prop_ro("cancelled", &Engine::cancelled);
  m.def("abandon_after_fork", [](const std::shared_ptr<Engine>& engine) {
    engine->AbandonAfterFork();
    new std::shared_ptr<Engine>(engine);  // never destroyed: what it holds is in no state to be
  });
  nb::class_<RubricSpec>(m, "RubricSpec")
      .def("to_dict", [](const RubricSpec& spec) { return FromJson(spec.ToJson()); })
      .def_rw("folder", &RubricSpec::folder)
      .def("info", &RubricInfo);
  nb::class_<CompiledRubric>(m, "CompiledRubric")
      .def("notes", [](const CompiledRubric& r) { return r.rubric->Notes(); })
      .def("score", &Score, "rows"_a, "count"_a, "input_format"_a, "group_by"_a, "threads"_a,
           "keep_texts"_a);
  m.def("engine", &MakeEngine);
  m.def("rubric_from_toml", [](const std::string& text, const std::string& name) {
    return Checked(RubricFromToml(text, name));
  });
  m.def("rubric_from_dict", [](nb::dict keys, const std::string& name) {
    return Checked(RubricFromJson(ToJson(keys), name));
  });
  m.def("rubric_by_task", [] { return RubricSpec(); });
  m.def("compile", &Compile);
  m.def("run", &Run);
  m.def("doctor", &Doctor);
  m.def("verifiers", &Verifiers);
}

void BindResults(nb::module_& m) {
  nb::class_<Scores>(m, "Scores")
      .def("__len__", &Scores::size)
      .def("rewards", &Scores::Rewards)
      .def("advantages", &Scores::Advantages)
      .def("columns", &Scores::Columns)
      .def("verdicts", &Scores::Verdicts)
      .def("parts", &Scores::Parts)
      .def("reason", &Scores::Reason)
      .def("line",
           [](const Scores& s, size_t row, bool times) { return ToStr(s.Line(row, times)); })
      .def("summary", &Scores::Summary);
  nb::class_<Store>(m, "Store")
      .def("runs", &StoreRuns)
      .def("datasets", &StoreDatasets)
      .def("for_each_group", &ForEachGroup)
      .def("for_each_row", &ForEachRow)
      .def("add_run", &AddRun);
  m.def("open_store", &OpenStore);
}

}  // namespace
}  // namespace assay::python

NB_MODULE(_core, m) {
  using namespace assay::python;
  nb::set_leak_warnings(false);  // a program that ends does not take objects apart first
  m.attr("version") = ASSAY_VERSION;
  m.attr("jail_python") = ASSAY_JAIL_PYTHON;
  m.attr("jail_python_library") = ASSAY_JAIL_PYTHON_LIBRARY;
  m.def("set_error_class", [](nb::handle error) { error_class = error.inc_ref().ptr(); });
  BindRubrics(m);
  BindResults(m);
}
