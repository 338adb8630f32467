// A scratch folder and made-up groups for the tests of datagen/. Values depend on their index alone.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/advantage.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/store/store.h"

namespace assay {

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    char name[] = "/tmp/assay-store-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/s.sqlite";
  }
  ~StoreFixture() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> OpenStore(OpenMode mode = OpenMode::kCreate, StoreOptions options = {}) {
    Result<std::unique_ptr<Store>> store = Store::Open(path_, mode, options);
    EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().message);
    return store.ok() ? std::move(*store) : nullptr;
  }

  static RunInfo Info(const std::string& name = "r", const std::string& config = "c0ffee") {
    RunInfo info;
    info.name = name;
    info.rubric_json = R"({"rule":"sum"})";
    info.config_hash = config;
    info.tool_version = "0.1.0";
    info.seed = 18446744073709551615u;
    return info;
  }

  // A sample that passes (1), fails (0) or is a fault (-1).
  struct Spec {
    std::string text;
    int outcome = 1;
    double reward = 1;
  };
  static Spec Pass(std::string text, double reward = 1) { return {std::move(text), 1, reward}; }
  static Spec Failed(std::string text, double reward = 0) { return {std::move(text), 0, reward}; }
  static Spec Fault(std::string text) { return {std::move(text), -1, 0}; }

  static Group MakeGroup(const std::string& id, const std::vector<Spec>& specs) {
    Group group;
    group.problem.id = id;
    group.problem.task = "math";
    group.problem.prompt = "What is " + id + "?";
    group.problem.answers = {"42"};
    group.problem.extra = Json::MakeObject();
    for (const Spec& spec : specs) {
      Sample& sample = group.samples.emplace_back();
      sample.text = spec.text;
      sample.finish_reason = "stop";
    }
    return group;
  }

  static GroupScore MakeScore(const std::vector<Spec>& specs) {
    GroupScore score;
    score.labels = {"math"};
    std::vector<Reward> rewards;
    for (const Spec& spec : specs) {
      SampleScore& sample = score.samples.emplace_back();
      sample.verdicts.push_back(spec.outcome > 0    ? Verdict::Pass("ok", 1)
                                : spec.outcome == 0 ? Verdict::Fail("wrong_value", "41 is not 42")
                                                    : Verdict::Fault("worker_lost"));
      sample.verdicts[0].evidence = Json().Set("answer", spec.text);
      sample.verdicts[0].ms = 0.25;
      if (spec.outcome >= 0) sample.reward = spec.reward;
      rewards.push_back(sample.reward);
    }
    std::vector<Advantage> advantages = GroupAdvantages(rewards);
    for (size_t i = 0; i < advantages.size(); ++i) score.samples[i].advantage = advantages[i];
    return score;
  }

  static RowKey Key(int64_t line, const std::string& file = "in.jsonl") {
    return {file, line, HashBytes128(StrCat(file, ":", line))};
  }

  static Status AddRow(Store* store, RunId run, int64_t line, const std::string& id,
                       const std::vector<Spec>& specs) {
    return store->AddGroup(run, Key(line), MakeGroup(id, specs), MakeScore(specs),
                           /*with_times=*/true);
  }

  // What the sqlite3 shell's .dump prints, made by Python's module where the shell is not installed.
  static std::string Dump(const std::string& path) {
    return Shell(
        "/usr/bin/python3 -c \"import sqlite3,sys; "
        "print('\\n'.join(sqlite3.connect(sys.argv[1]).iterdump()))\" " +
        path);
  }

  static std::string Shell(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return "popen failed";
    std::string out;
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof(buffer), pipe)) > 0) out.append(buffer, n);
    int status = pclose(pipe);
    EXPECT_EQ(status, 0) << command << "\n" << out;
    return out;
  }

  std::string folder_, path_;
};

}  // namespace assay
