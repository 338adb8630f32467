// assay samples: the completions of a step of a training run (log_completions = true) with their rewards.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/command.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct SamplesFlags {
  std::string folder;
  int64_t step = 0;  // 0: the last
  int64_t limit = 4;
  bool full = false;
};

// Of a key's file, "step-12/batch-96"; 0 for anything else.
int64_t StepOf(const RowKey& key) {
  constexpr std::string_view kStep = "step-";
  if (!StartsWith(key.file, kStep)) return 0;
  return std::strtoll(key.file.c_str() + kStep.size(), nullptr, 10);
}

// The groups of one step, the last one's where none is named; at most `limit` of them.
Result<std::vector<StoredGroup>> GroupsOf(Store* store, RunId run, const SamplesFlags& flags,
                                          int64_t* step) {
  std::vector<StoredGroup> groups;
  *step = flags.step;
  Status status =
      store->ForEachGroup(run, /*with_texts=*/true, [&](const StoredGroup& group) -> Status {
        const int64_t of_group = StepOf(group.key);
        if (flags.step > 0 && of_group != flags.step) return {};
        if (flags.step == 0 && of_group > *step) groups.clear();
        if (of_group < *step) return {};
        *step = of_group;
        if (static_cast<int64_t>(groups.size()) < flags.limit) groups.push_back(group);
        return {};
      });
  if (!status.ok()) return status.error();
  return groups;
}

std::string Cut(const std::string& text, bool full, size_t bytes) {
  return full ? text : Shorten(text, bytes);
}

std::string GroupText(const StoredGroup& group, bool full) {
  std::string text =
      StrCat("problem ", group.problem.id, ": ", Cut(group.problem.prompt, full, 300), "\n");
  for (const std::string& answer : group.problem.answers)
    StrAppend(&text, "  answer: ", Cut(answer, full, 200), "\n");
  for (const StoredSample& sample : group.samples) {
    StrAppend(&text, "  reward ",
              sample.score.reward ? FixedDigits(*sample.score.reward, 3) : "none", ", advantage ",
              FixedDigits(sample.score.advantage.value, 3));
    for (size_t k = 0; k < sample.score.verdicts.size() && k < group.labels.size(); ++k)
      StrAppend(&text, ", ", group.labels[k], " ", sample.score.verdicts[k].reason);
    StrAppend(&text, "\n    ", Cut(sample.sample.text, full, 400), "\n");
  }
  return text;
}

Json GroupLine(const StoredGroup& stored, int64_t step) {
  Group group;
  group.problem = stored.problem;
  Json rewards = Json::MakeArray(), advantages = Json::MakeArray();
  for (const StoredSample& sample : stored.samples) {
    group.samples.push_back(sample.sample);
    rewards.Append(sample.score.reward ? Json(*sample.score.reward) : Json());
    advantages.Append(sample.score.advantage.value);
  }
  return GroupToJson(group).Set("step", step).Set("rewards", rewards).Set("advantages", advantages);
}

int RunSamplesCommand(Context* context, const SamplesFlags& flags) {
  const std::string file = flags.folder + "/samples.sqlite";
  Result<std::unique_ptr<Store>> store = Store::Open(file, OpenMode::kReadOnly);
  if (!store.ok()) {
    return Fail(*context,
                {store.error().code, store.error().message,
                 "a run writes its samples where its recipe says log_completions = true"});
  }
  Result<RunRecord> run = (*store)->FindRun("train");
  if (!run.ok()) return Fail(*context, run.error());
  int64_t step = 0;
  Result<std::vector<StoredGroup>> groups = GroupsOf(store->get(), run->id, flags, &step);
  if (!groups.ok()) return Fail(*context, groups.error());
  if (groups->empty())
    return Fail(*context,
                {ErrorCode::kInput, StrCat("'", file, "' has no samples of step ", step), ""});
  std::string text;
  for (const StoredGroup& group : *groups) {
    StrAppend(&text, context->global.json() ? GroupLine(group, step).Dump() + "\n"
                                            : GroupText(group, flags.full) + "\n");
  }
  return context->Output(context->global.json() ? text : StrCat("step ", step, "\n\n", text));
}

}  // namespace

void AddSamplesCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<SamplesFlags>();
  CLI::App* command =
      app->add_subcommand("samples", "Completions of a step of a training run, with their rewards");
  command->add_option("DIR", flags->folder, "The run's folder (--out)")
      ->required()
      ->type_name("DIR");
  command->add_option("--step", flags->step, "Which step; the last unless given")
      ->check(CLI::Range(1, 1 << 30));
  command->add_option("-n,--limit", flags->limit, "Problems shown")->check(CLI::Range(1, 1 << 20));
  command->add_flag("--full", flags->full, "Whole texts");
  command->callback([context, flags] {
    context->run = [context, flags] { return RunSamplesCommand(context, *flags); };
  });
}

}  // namespace assay
