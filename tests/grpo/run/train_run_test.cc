// Whole runs of assay-train on a tiny model: a killed and resumed run ends in the weights of an undisturbed one, SIGTERM saves,
// errors name what is wrong. The rewards come from the ordinary format of problems and the math verifier.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"
#include "tests/grpo/rollout/completions_server.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string Env(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

class TrainRun : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/assay_train_test_XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream problems(folder_ / "problems.jsonl");
    std::ofstream sft(folder_ / "sft.jsonl");
    for (int a = 0; a < 10; ++a) {
      for (int b = 0; b < 10; ++b) {
        problems << "{\"id\": \"" << a << b << "\", \"prompt\": \"" << a << "+" << b
                 << "=\", \"answer\": \"" << (a + b) << "\"}\n";
        sft << "{\"prompt\": \"" << a << "+" << b << "=\", \"completion\": \"" << (a + b)
            << "\"}\n";
      }
    }
    std::ofstream(folder_ / "reward.toml")
        << "[[term]]\nverifier = \"math\"\noptions = { mode = \"bare\" }\n";
    std::ofstream(folder_ / "grpo.toml") << Common("problems.jsonl") << R"(
num_generations = 4
per_device_train_batch_size = 16
gradient_accumulation_steps = 2
num_iterations = 2
beta = 0.02
loss_type = "grpo"
max_completion_length = 3
[reward]
rubric = ")" << (folder_ / "reward.toml").string()
                                         << "\"\nthreads = 1\n"
                                         << Tables("problems.jsonl");
    std::ofstream(folder_ / "sft.toml")
        << Common("sft.jsonl") << "per_device_train_batch_size = 16\n"
        << Tables("sft.jsonl");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string Common(const std::string&) {
    return "seed = 3\nlearning_rate = 1e-3\nmax_steps = 24\nsave_steps = 4\nthreads = 1\n";
  }
  std::string Tables(const std::string& data) const {
    return "[model]\ntokenizer = \"characters\"\nalphabet = "
           "\"0123456789+=\"\n[model.config]\nhidden_size = 16\n"
           "intermediate_size = 32\nnum_hidden_layers = 2\nnum_attention_heads = "
           "2\nnum_key_value_heads = 1\n[data]\ntrain = \"" +
           (folder_ / data).string() + "\"\n";
  }

  pid_t Start(const std::string& command, const std::string& out,
              const std::vector<std::string>& more = {}) {
    const std::string program = Env("ASSAY_BUILD_DIR", ".") + "/assay-train";
    std::vector<std::string> words = {program, command, (folder_ / (command + ".toml")).string(),
                                      "--out", (folder_ / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    const pid_t pid = fork();
    if (pid == 0) {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      const std::string log = (folder_ / "log").string();
      if (freopen(log.c_str(), "w", stderr) == nullptr) _exit(126);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    return pid;
  }
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int Run(const std::string& command, const std::string& out,
          const std::vector<std::string>& more = {}) {
    return Wait(Start(command, out, more));
  }
  std::string Weights(const std::string& out) const {
    return ReadAll(folder_ / out / "model" / "model.safetensors");
  }

  // metrics.jsonl without what depends on the clock.
  std::vector<std::string> Metrics(const std::string& out) const {
    std::vector<std::string> lines;
    std::istringstream in(ReadAll(folder_ / out / "metrics.jsonl"));
    for (std::string line; std::getline(in, line);) {
      Json row = *ParseJson(line);
      for (const char* key : {"step_time", "generation_time", "tokens_per_second"}) row.Erase(key);
      lines.push_back(row.Dump());
    }
    return lines;
  }

  // Kills a run at random moments until it has ended by itself; the undisturbed run's weights and metrics must come out.
  void KillAndResume(const std::string& command, int kills) {
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_EQ(Run(command, "whole"), 0) << ReadAll(folder_ / "log");
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    ASSERT_FALSE(Weights("whole").empty());
    std::mt19937 random(7);
    std::uniform_real_distribution<double> share(0.05, 1.0);
    int killed = 0;
    for (int i = 0; i < kills; ++i) {
      const pid_t pid = Start(command, "killed", {"--resume"});
      std::this_thread::sleep_for(std::chrono::duration<double>(share(random) * seconds));
      kill(pid, SIGKILL);
      killed += Wait(pid) == -SIGKILL;
    }
    EXPECT_GT(killed, 0);
    ASSERT_EQ(Run(command, "killed", {"--resume"}), 0) << ReadAll(folder_ / "log");
    EXPECT_EQ(Weights("whole"), Weights("killed"));
    EXPECT_EQ(Metrics("whole"), Metrics("killed"));
  }

  fs::path folder_;
};

// The numbers of a safetensors file of float32.
std::vector<float> Floats(const std::string& bytes) {
  uint64_t header = 0;
  if (bytes.size() < 8) return {};
  std::memcpy(&header, bytes.data(), 8);
  std::vector<float> values((bytes.size() - 8 - header) / 4);
  std::memcpy(values.data(), bytes.data() + 8 + header, values.size() * 4);
  return values;
}

// The same by the tensors' names, whatever their order.
std::map<std::string, std::vector<float>> Tensors(const std::string& bytes) {
  uint64_t header = 0;
  if (bytes.size() < 8) return {};
  std::memcpy(&header, bytes.data(), 8);
  const std::vector<float> all = Floats(bytes);
  std::map<std::string, std::vector<float>> tensors;
  const Json names = *ParseJson(bytes.substr(8, header));
  for (const Json::Member& member : *names.AsObject()) {
    const Json* offsets = member.value.Find("data_offsets");
    if (offsets == nullptr) continue;
    const auto begin = *(*offsets->AsArray())[0].AsInt() / 4,
               end = *(*offsets->AsArray())[1].AsInt() / 4;
    tensors[member.key] = {all.begin() + begin, all.begin() + end};
  }
  return tensors;
}

double MeanDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) sum += std::abs(a[i] - b[i]);
  return a.size() == b.size() && !a.empty() ? sum / static_cast<double>(a.size()) : 1e9;
}

// The words of a run of so many processes that together do what one does with four accumulation steps.
std::vector<std::string> Several(int processes, const std::string& shard) {
  std::vector<std::string> words = {"--set",
                                    "gradient_accumulation_steps=" + std::to_string(4 / processes),
                                    "--set", "shard=" + shard};
  if (processes > 1) words.insert(words.end(), {"--processes", std::to_string(processes)});
  return words;
}

std::vector<std::string> Joined(std::vector<std::string> words,
                                const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Every value of every step, up to the order of sums.
void ExpectSameCurve(const std::vector<std::string>& lines, const std::vector<std::string>& want,
                     const std::string& what) {
  ASSERT_EQ(lines.size(), want.size()) << what;
  for (size_t step = 0; step < want.size(); ++step) {
    const Json a = *ParseJson(want[step]), b = *ParseJson(lines[step]);
    for (const Json::Member& member : *a.AsObject()) {
      const Json* other = b.Find(member.key);
      ASSERT_NE(other, nullptr) << member.key;
      const double value = member.value.NumberOr(0);
      EXPECT_NEAR(other->NumberOr(-1), value, 1e-5 + 1e-3 * std::abs(value))
          << what << " step " << step << " " << member.key;
    }
  }
}

// Two or four processes with a half or a fourth of the accumulation steps are one process, whatever they share out: in what they log and
// in the weights.
TEST_F(TrainRun, SeveralProcessesAreOne) {
  const std::vector<std::string> common = {
      "--set", "max_steps=5", "--set", "learning_rate=1e-4", "--set", "weight_decay=0.1"};
  for (const std::string command : {"grpo", "sft"}) {
    ASSERT_EQ(Run(command, command, Joined(common, Several(1, "moments"))), 0)
        << ReadAll(folder_ / "log");
    ASSERT_EQ(Metrics(command).size(), 5u);
    for (const auto& [count, shard] : std::vector<std::pair<int, std::string>>{
             {2, "none"}, {2, "moments"}, {4, "moments"}, {2, "weights"}, {4, "weights"}}) {
      const std::string out = command + shard + std::to_string(count);
      ASSERT_EQ(Run(command, out, Joined(common, Several(count, shard))), 0)
          << out << ReadAll(folder_ / "log");
      ExpectSameCurve(Metrics(out), Metrics(command), out);
      EXPECT_LT(MeanDifference(Floats(Weights(out)), Floats(Weights(command))), 1e-6) << out;
    }
  }
  EXPECT_EQ(Run("grpo", "bad", {"--gpus", "2", "--set", "data.train=/nonexistent.jsonl"}), 2);
}

// A checkpoint holds weights and moments whole, whoever held them, and any number of processes goes on with it.
TEST_F(TrainRun, AnotherNumberOfProcessesGoesOn) {
  const auto run = [&](const std::string& out, int processes, const std::string& shard,
                       const std::string& steps, bool resume) {
    std::vector<std::string> more = Joined(
        Several(processes, shard), {"--set", "learning_rate=1e-4", "--set",
                                    "lr_scheduler_type=constant", "--set", "max_steps=" + steps});
    if (resume) more.emplace_back("--resume");
    return Run("grpo", out, more);
  };
  ASSERT_EQ(run("whole", 1, "moments", "8", false), 0) << ReadAll(folder_ / "log");
  const std::vector<float> whole = Floats(Weights("whole"));
  using Stages = std::vector<std::pair<int, std::string>>;
  const Stages wider = {{1, "moments"}, {2, "weights"}, {4, "moments"}, {1, "moments"}};
  const Stages narrower = {{4, "weights"}, {2, "moments"}, {1, "weights"}, {2, "weights"}};
  for (const Stages& stages : {wider, narrower}) {
    const std::string out = "from" + stages[0].second;
    for (size_t i = 0; i < stages.size(); ++i) {
      ASSERT_EQ(run(out, stages[i].first, stages[i].second, std::to_string(2 * i + 2), i > 0), 0)
          << ReadAll(folder_ / "log");
    }
    EXPECT_LT(MeanDifference(Floats(Weights(out)), whole), 1e-6) << out;
    for (const char* file : {"optimizer.safetensors", "reference.safetensors"}) {
      const auto tensors = [&](const std::string& of) {
        return Tensors(ReadAll(folder_ / of / "checkpoint-000008" / file));
      };
      const auto ours = tensors(out), theirs = tensors("whole");
      EXPECT_EQ(ours.size(), theirs.size()) << file;
      for (const auto& [name, values] : theirs) {
        ASSERT_EQ(ours.count(name), 1u) << name;
        EXPECT_LT(MeanDifference(ours.at(name), values), 1e-6) << out << " " << name;
      }
    }
  }
  EXPECT_EQ(Run("grpo", "whole", {"--resume", "--set", "gradient_accumulation_steps=2"}), 2);
}

// SIGTERM to the one that started them: all save together, and another number goes on.
TEST_F(TrainRun, SigtermToSeveralSavesAndResumeGoesOn) {
  const std::vector<std::string> common = {"--set", "save_steps=0",
                                           "--set", "learning_rate=1e-4",
                                           "--set", "lr_scheduler_type=constant"};
  ASSERT_EQ(Run("grpo", "whole", Joined(common, Several(1, "moments"))), 0)
      << ReadAll(folder_ / "log");
  for (const std::string shard : {"moments", "weights"}) {
    const pid_t pid = Start("grpo", shard, Joined(common, Several(4, shard)));
    for (int i = 0; i < 12000 && ReadAll(folder_ / shard / "metrics.jsonl").find("\"step\":2") ==
                                     std::string::npos;
         ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(pid, SIGTERM);
    const int code = Wait(pid);
    ASSERT_TRUE(code == 130 || code == 0) << code << ReadAll(folder_ / "log");
    EXPECT_EQ(fs::exists(folder_ / shard / "model"), code == 0);
    ASSERT_EQ(Run("grpo", shard, Joined(Joined(common, Several(2, shard)), {"--resume"})), 0)
        << ReadAll(folder_ / "log");
    EXPECT_LT(MeanDifference(Floats(Weights(shard)), Floats(Weights("whole"))), 1e-5) << shard;
  }
}

// Evaluation, the best model, models alone, rows that teach nothing, and one process with fewer rows to score than the other, where no
// process has the weights.
TEST_F(TrainRun, SharedWeightsDoWhatWholeOnesDo) {
  const std::vector<std::string> common = {
      "--set", "learning_rate=1e-4",
      "--set", "max_steps=4",
      "--set", "eval.steps=2",
      "--set", "eval.limit=8",
      "--set", "keep_best=true",
      "--set", "save_steps=2",
      "--set", "save_only_model=true",
      "--set", "per_device_train_batch_size=2",
      "--set", "mask_truncated_completions=true",
      "--set", "data.eval=" + (folder_ / "problems.jsonl").string()};
  ASSERT_EQ(Run("grpo", "whole", Joined(common, Several(1, "moments"))), 0)
      << ReadAll(folder_ / "log");
  ASSERT_EQ(Run("grpo", "shared", Joined(common, Several(2, "weights"))), 0)
      << ReadAll(folder_ / "log");
  ExpectSameCurve(Metrics("shared"), Metrics("whole"), "shared");
  for (const char* place : {"model", "best", "checkpoint-000002"}) {
    const auto file = [&](const char* out) {
      return Floats(ReadAll(folder_ / out / place / "model.safetensors"));
    };
    EXPECT_LT(MeanDifference(file("shared"), file("whole")), 1e-6) << place;
  }
}

TEST_F(TrainRun, AdaptersAreTrainedAndResumed) {
  ASSERT_EQ(Run("sft", "base", {"--set", "max_steps=4"}), 0) << ReadAll(folder_ / "log");
  const std::string base = (folder_ / "base" / "model").string();
  std::ofstream(folder_ / "grpo.toml")
      << "seed = 3\nlearning_rate = 1e-2\nlr_scheduler_type = \"constant\"\nthreads = 1\n"
         "max_steps = 6\nsave_steps = 2\nuse_peft = true\nlora_r = 4\nbeta = 0.02\n"
         "lora_target_modules = \"all-linear\"\nnum_generations = 4\n"
         "per_device_train_batch_size = 16\nmax_completion_length = 3\n"
      << "[model]\npath = \"" << base << "\"\n[data]\ntrain = \""
      << (folder_ / "problems.jsonl").string() << "\"\n[reward]\nrubric = \""
      << (folder_ / "reward.toml").string() << "\"\n";
  ASSERT_EQ(Run("grpo", "whole"), 0) << ReadAll(folder_ / "log");
  ASSERT_EQ(Run("grpo", "parts", {"--set", "max_steps=3"}), 0) << ReadAll(folder_ / "log");
  ASSERT_EQ(Run("grpo", "parts", {"--resume"}), 0) << ReadAll(folder_ / "log");
  const auto adapter = [&](const char* out) {
    return ReadAll(folder_ / out / "adapter" / "adapter_model.safetensors");
  };
  EXPECT_FALSE(adapter("whole").empty());
  EXPECT_EQ(adapter("whole"), adapter("parts"));
  EXPECT_EQ(Weights("whole"), Weights("parts"));
  EXPECT_NE(Weights("whole"), Weights("base"));
  // Merged into the weights that it was trained on, the adapter is the model.
  ASSERT_EQ(Run("grpo", "merged",
                {"--set", "use_peft=false", "--set",
                 "model.adapter=" + (folder_ / "whole" / "adapter").string(), "--set",
                 "learning_rate=0", "--set", "max_steps=1"}),
            0)
      << ReadAll(folder_ / "log");
  EXPECT_LT(MeanDifference(Floats(Weights("merged")), Floats(Weights("whole"))), 1e-7);
  // The same with frozen weights shared out, and nearly so with frozen weights in 8 bits.
  ASSERT_EQ(
      Run("grpo", "shared",
          {"--processes", "2", "--set", "shard=weights", "--set", "per_device_train_batch_size=8"}),
      0)
      << ReadAll(folder_ / "log");
  EXPECT_LT(MeanDifference(Floats(Weights("shared")), Floats(Weights("whole"))), 1e-5);
  ASSERT_EQ(Run("grpo", "eight", {"--set", "load_in_8bit=true"}), 0) << ReadAll(folder_ / "log");
  ASSERT_EQ(Run("grpo", "eights", {"--set", "load_in_8bit=true", "--set", "max_steps=3"}), 0);
  ASSERT_EQ(Run("grpo", "eights", {"--set", "load_in_8bit=true", "--resume"}), 0)
      << ReadAll(folder_ / "log");
  EXPECT_EQ(adapter("eight"), adapter("eights"));
  EXPECT_NE(adapter("eight"), adapter("whole"));
  // DIR/model is the adapter on the weights as they were before they were rounded.
  ASSERT_EQ(Run("grpo", "unrounded",
                {"--set", "use_peft=false", "--set",
                 "model.adapter=" + (folder_ / "eight" / "adapter").string(), "--set",
                 "learning_rate=0", "--set", "max_steps=1"}),
            0)
      << ReadAll(folder_ / "log");
  EXPECT_LT(MeanDifference(Floats(Weights("unrounded")), Floats(Weights("eight"))), 1e-7);
  EXPECT_EQ(Run("grpo", "refused", {"--set", "load_in_8bit=true", "--set", "use_peft=false"}), 2);
  EXPECT_NE(ReadAll(folder_ / "log").find("hint: set use_peft"), std::string::npos);
}

int Kills() { return std::atoi(Env("ASSAY_TEST_KILLS", "3").c_str()); }

TEST_F(TrainRun, KilledGrpoResumesToTheSameWeights) { KillAndResume("grpo", Kills()); }
TEST_F(TrainRun, KilledSftResumesToTheSameWeights) { KillAndResume("sft", Kills()); }

TEST_F(TrainRun, SigtermSavesAndResumeGoesOn) {
  ASSERT_EQ(Run("grpo", "whole", {"--set", "save_steps=0"}), 0) << ReadAll(folder_ / "log");
  const pid_t pid = Start("grpo", "stopped", {"--set", "save_steps=0"});
  // When the second step is logged, it is well under way.
  for (int i = 0; i < 2000 && ReadAll(folder_ / "stopped" / "metrics.jsonl").find("\"step\":2") ==
                                  std::string::npos;
       ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(pid, SIGTERM);
  const int code = Wait(pid);
  ASSERT_TRUE(code == 130 || code == 0) << code;
  ASSERT_EQ(Run("grpo", "stopped", {"--set", "save_steps=0", "--resume"}), 0)
      << ReadAll(folder_ / "log");
  EXPECT_EQ(Weights("whole"), Weights("stopped"));
}

TEST_F(TrainRun, ErrorsNameWhatIsWrong) {
  const auto log = [&] { return ReadAll(folder_ / "log"); };
  EXPECT_EQ(Run("grpo", "a", {"--set", "learning_rat=1"}), 2);
  EXPECT_NE(
      log().find("error: --set: unknown key 'learning_rat'\n\nhint: did you mean 'learning_rate'?"),
      std::string::npos)
      << log();
  EXPECT_EQ(Run("grpo", "b", {"--set", "model.device=cuda:7"}), 2);
  EXPECT_NE(log().find("error: "), std::string::npos);
  EXPECT_EQ(Run("grpo", "c", {"--set", "data.train=/nonexistent.jsonl"}), 2);
  EXPECT_NE(log().find("/nonexistent.jsonl"), std::string::npos) << log();
  EXPECT_EQ(Run("grpo", "d", {"--set", "model.path=/nonexistent"}), 2);
  EXPECT_NE(log().find("/nonexistent"), std::string::npos) << log();
}

TEST_F(TrainRun, LearnsFromARolloutServer) {
  if (!kHttpClient) GTEST_SKIP() << "built without libcurl (libcurl4-openssl-dev)";
  const CompletionsServer server;
  ASSERT_TRUE(server.running());
  const auto run = [&](const std::string& out, const std::string& way) {
    return Run("grpo", out,
               {"--set", "max_steps=4", "--set", "server.model=tiny", "--set",
                "server.url=" + server.Url(way)});
  };
  ASSERT_EQ(run("served", "ok"), 0) << ReadAll(folder_ / "log");
  const std::vector<std::string> lines = Metrics("served");
  ASSERT_EQ(lines.size(), 4u);
  // The server samples evenly, not as the policy: the correction's ratios are logged and are not all 1.
  EXPECT_NE(lines[0].find("sampling/importance_sampling_ratio"), std::string::npos) << lines[0];
  ASSERT_EQ(run("again", "ok"), 0);
  EXPECT_EQ(Weights("served"), Weights("again"));
  EXPECT_EQ(run("range", "range"), 2);
  EXPECT_NE(ReadAll(folder_ / "log").find("token id 99999"), std::string::npos);
}

// What a step's line says under `key`; -1 where it says nothing.
std::vector<double> Column(const std::vector<std::string>& lines, const char* key) {
  std::vector<double> values;
  for (const std::string& line : lines) values.push_back(ParseJson(line)->DoubleOr(key, -1));
  return values;
}

TEST_F(TrainRun, TheServerFollowsThePolicy) {
  if (!kHttpClient) GTEST_SKIP() << "built without libcurl (libcurl4-openssl-dev)";
  const std::string log = (folder_ / "pushes").string(), weights = (folder_ / "pushed").string();
  setenv("ASSAY_TEST_PUSHES", log.c_str(), 1);
  const CompletionsServer server;
  unsetenv("ASSAY_TEST_PUSHES");
  ASSERT_TRUE(server.running());
  const auto run = [&](const std::string& out, std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "max_steps=12", "--set", "server.model=tiny", "--set",
                             "server.url=" + server.Url("ok")});
    return Run("grpo", out, more);
  };
  const auto pushes = [&] {
    std::vector<Json> lines;
    std::istringstream in(ReadAll(log));
    for (std::string line; std::getline(in, line);) lines.push_back(*ParseJson(line));
    fs::remove(log);
    return lines;
  };
  ASSERT_EQ(run("still", {}), 0) << ReadAll(folder_ / "log");
  EXPECT_TRUE(pushes().empty());
  const std::vector<double> ages = Column(Metrics("still"), "sampling/age/mean");
  for (size_t i = 0; i < ages.size(); ++i) EXPECT_EQ(ages[i], static_cast<double>(i));
  // A batch is good for two steps.
  const std::vector<std::string> follow = {"--set", "server.weights_dir=" + weights, "--set"};
  std::vector<std::string> sglang = follow, vllm = follow;
  sglang.emplace_back("server.push=sglang"), vllm.emplace_back("server.push=vllm");
  ASSERT_EQ(run("sglang", sglang), 0) << ReadAll(folder_ / "log");
  const std::vector<double> followed = Column(Metrics("sglang"), "sampling/age/mean");
  for (size_t i = 0; i < followed.size(); ++i) EXPECT_EQ(followed[i], static_cast<double>(i % 2));
  const std::vector<Json> told = pushes();
  ASSERT_EQ(told.size(), 6u);
  EXPECT_EQ(told[0].StringOr("path", ""), "/update_weights_from_disk");
  EXPECT_EQ(told[0].Find("request")->StringOr("model_path", ""), weights);
  EXPECT_NE(told[0].StringOr("weights", ""), "");
  EXPECT_NE(told[0].StringOr("weights", ""), told[5].StringOr("weights", ""));
  ASSERT_EQ(run("vllm", vllm), 0) << ReadAll(folder_ / "log");
  std::string paths;
  for (const Json& line : pushes()) paths += line.StringOr("path", "");
  std::string expected;
  for (int batch = 0; batch < 6; ++batch) expected += "/collective_rpc/reset_prefix_cache";
  EXPECT_EQ(paths, expected);
  EXPECT_FALSE(ReadAll(fs::path(weights) / "model.safetensors").empty());
  // A folder that holds something else is left alone.
  std::ofstream(folder_ / "log.txt") << "mine";
  EXPECT_EQ(
      run("bad", {"--set", "server.push=vllm", "--set", "server.weights_dir=" + folder_.string()}),
      2);
  EXPECT_NE(ReadAll(folder_ / "log").find("no model"), std::string::npos);
}

TEST_F(TrainRun, ABatchIsSampledWhileAnotherIsLearnedFrom) {
  const auto run = [&](const std::string& out, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--set", "max_steps=5", "--set", "num_iterations=1"});
    return Run("grpo", out, more);
  };
  ASSERT_EQ(run("plain"), 0) << ReadAll(folder_ / "log");
  ASSERT_EQ(run("zero", {"--set", "async_steps=0"}), 0);
  EXPECT_EQ(Weights("plain"), Weights("zero"));
  EXPECT_EQ(Metrics("plain"), Metrics("zero"));
  EXPECT_EQ(Column(Metrics("plain"), "sampling/age/mean"), std::vector<double>(5, -1));
  const std::vector<std::string> ahead = {"--set", "async_steps=1"};
  ASSERT_EQ(run("ahead", ahead), 0) << ReadAll(folder_ / "log");
  const std::vector<std::string> lines = Metrics("ahead");
  // Sampled before the step in front of it was made, but for the first.
  const std::vector<double> ages = {0, 1, 1, 1, 1};
  EXPECT_EQ(Column(lines, "sampling/age/mean"), ages);
  EXPECT_EQ(Column(lines, "sampling/age/max"), ages);
  EXPECT_EQ(Column(lines, "reward")[0], Column(Metrics("plain"), "reward")[0]);
  // The first batch's weights still are those that sampled it; later ones have moved on, and the correction sees by how much.
  const std::vector<double> off = Column(lines, "sampling/sampling_logp_difference/max");
  EXPECT_LT(off[0], 1e-4);
  for (size_t i = 1; i < off.size(); ++i) EXPECT_GT(off[i], 1e-4) << i;
  EXPECT_NE(Weights("ahead"), Weights("plain"));
  ASSERT_EQ(run("again", ahead), 0);
  EXPECT_EQ(Weights("ahead"), Weights("again"));
  EXPECT_EQ(Metrics("ahead"), Metrics("again"));
  std::vector<std::string> two = ahead;
  two.insert(two.end(), {"--processes", "2", "--set", "gradient_accumulation_steps=1"});
  ASSERT_EQ(run("two", two), 0) << ReadAll(folder_ / "log");
  EXPECT_EQ(Column(Metrics("two"), "sampling/age/mean"), ages);
  EXPECT_LT(MeanDifference(Floats(Weights("two")), Floats(Weights("ahead"))), 1e-5);
  // With two uses of a batch, and evaluations in between.
  ASSERT_EQ(Run("grpo", "used",
                {"--set", "async_steps=1", "--set", "max_steps=6", "--set", "eval.steps=2", "--set",
                 "data.eval=" + (folder_ / "problems.jsonl").string(), "--set", "eval.limit=4"}),
            0)
      << ReadAll(folder_ / "log");
  std::vector<double> used;
  for (double age : Column(Metrics("used"), "sampling/age/mean"))
    if (age >= 0) used.push_back(age);
  EXPECT_EQ(used, (std::vector<double>{0, 1, 2, 3, 2, 3}));
}

TEST_F(TrainRun, AFolderWithARunIsNotOverwritten) {
  ASSERT_EQ(Run("sft", "once", {"--set", "max_steps=1"}), 0);
  EXPECT_EQ(Run("sft", "once", {"--set", "max_steps=1"}), 2);
  EXPECT_NE(ReadAll(folder_ / "log").find("already holds a run"), std::string::npos);
  EXPECT_EQ(Run("sft", "once", {"--resume", "--set", "learning_rate=5"}), 2);
  EXPECT_NE(ReadAll(folder_ / "log").find("'learning_rate' differs"), std::string::npos);
}

// --- runs that end early, and starts that fail ------------------------------------------------------------------------

TEST_F(TrainRun, LateGroupsAreOfEveryTerm) {
  std::ofstream(folder_ / "reward.toml")
      << "[[term]]\nverifier = \"math\"\n[[term]]\nverifier = \"format\"\n";
  for (const char* on_timeout : {"null", "fail"}) {
    EXPECT_EQ(Run("grpo", on_timeout,
                  {"--set", "multi_objective_aggregation=normalize_then_sum", "--set",
                   "reward.timeout_s=0.000001", "--set", "max_steps=12", "--set",
                   "null_rate_stop=1", "--set", std::string("reward.on_timeout=") + on_timeout}),
              0)
        << ReadAll(folder_ / "log");
  }
}

TEST_F(TrainRun, SigtermBeforeTheFirstStepSaves) {
  const std::vector<std::string> more = {"--set", "gradient_accumulation_steps=100000", "--set",
                                         "steps_per_generation=1"};
  const pid_t pid = Start("grpo", "early", more);
  for (int i = 0; i < 2000 && !fs::exists(folder_ / "early" / "recipe.json"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  kill(pid, SIGTERM);
  EXPECT_EQ(Wait(pid), 130);
  EXPECT_TRUE(fs::exists(folder_ / "early" / "checkpoint-000000" / "state.json"));
}

TEST_F(TrainRun, SigtermWithAGradientPendingLosesNothing) {
  const std::vector<std::string> more = {"--set", "gradient_accumulation_steps=20",
                                         "--set", "steps_per_generation=1",
                                         "--set", "max_steps=3",
                                         "--set", "num_iterations=1"};
  ASSERT_EQ(Run("grpo", "whole", more), 0) << ReadAll(folder_ / "log");
  const pid_t pid = Start("grpo", "stopped", more);
  for (int i = 0; i < 2000 && ReadAll(folder_ / "stopped" / "metrics.jsonl").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(pid, SIGTERM);
  const int code = Wait(pid);
  ASSERT_TRUE(code == 130 || code == 0) << code;
  if (code == 130) {
    EXPECT_TRUE(fs::exists(folder_ / "stopped" / "checkpoint-000001") ||
                fs::exists(folder_ / "stopped" / "checkpoint-000002"));
  }
  std::vector<std::string> resume = more;
  resume.push_back("--resume");
  ASSERT_EQ(Run("grpo", "stopped", resume), 0) << ReadAll(folder_ / "log");
  EXPECT_EQ(Weights("whole"), Weights("stopped"));
}

TEST_F(TrainRun, AGuardThatEndsTheRunSavesFirst) {
  EXPECT_EQ(Run("grpo", "nulls",
                {"--set", "reward.timeout_s=0.0000001", "--set", "reward.on_timeout=null", "--set",
                 "save_steps=0", "--set", "null_rate_stop=0"}),
            2);
  const std::string log = ReadAll(folder_ / "log");
  EXPECT_NE(log.find("null_rate"), std::string::npos) << log;
  EXPECT_NE(log.find("--resume goes on from step"), std::string::npos) << log;
  EXPECT_EQ(Run("grpo", "nulls",
                {"--resume", "--set", "reward.timeout_s=100", "--set", "null_rate_stop=1"}),
            0)
      << ReadAll(folder_ / "log");
}

TEST_F(TrainRun, AFailedStartLeavesTheFolderFree) {
  EXPECT_EQ(Run("sft", "typo", {"--set", "model.path=/nonexistent"}), 2);
  EXPECT_EQ(Run("sft", "typo", {"--set", "data.train=/nonexistent.jsonl"}), 2);
  EXPECT_EQ(Run("sft", "typo", {"--set", "max_steps=1"}), 0) << ReadAll(folder_ / "log");
}

TEST_F(TrainRun, AResumedRunMayUseLessMemory) {
  ASSERT_EQ(Run("grpo", "big", {"--set", "max_steps=2"}), 0) << ReadAll(folder_ / "log");
  EXPECT_EQ(Run("grpo", "big",
                {"--resume", "--set", "max_steps=4", "--set", "generation_rows=2", "--set",
                 "gradient_checkpointing=false", "--set", "threads=2"}),
            0)
      << ReadAll(folder_ / "log");
}

// --- rows and prompts -------------------------------------------------------------------------------------------------

TEST_F(TrainRun, OverlongPromptsAreFoundBeforeTheFirstStep) {
  {
    std::ofstream out(folder_ / "problems.jsonl", std::ios::app);
    out << "{\"id\": \"long one\", \"prompt\": \"" << std::string(3000, '1')
        << "\", \"answer\": \"1\"}\n";
  }
  const auto log = [&] { return ReadAll(folder_ / "log"); };
  EXPECT_EQ(Run("grpo", "error", {"--set", "max_steps=1"}), 2);
  EXPECT_NE(log().find("'long one' has 3000 tokens"), std::string::npos) << log();
  EXPECT_EQ(Run("grpo", "drop", {"--set", "max_steps=1", "--set", "overlong_prompts=drop"}), 0)
      << log();
  EXPECT_NE(log().find("1 of 101 prompts have more than"), std::string::npos) << log();
  EXPECT_EQ(Run("grpo", "left",
                {"--set", "max_steps=1", "--set", "overlong_prompts=left", "--set",
                 "max_prompt_length=3"}),
            0)
      << log();
  EXPECT_NE(log().find("101 of 101 prompts have more than 3 tokens and are cut"), std::string::npos)
      << log();
}

TEST_F(TrainRun, RowsMayHaveTheFormsThatScoreReads) {
  {
    std::ofstream out(folder_ / "problems.jsonl");
    for (int i = 0; i < 8; ++i) {
      out << "{\"question\": \"1+1=\", \"solution\": \"2\"}\n"
          << "{\"prompt\": \"1+2=\", \"reward_model\": {\"style\": \"rule\", "
             "\"ground_truth\": \"3\"}}\n"
          << "{\"question\": \"1+3=\", \"ground_truth\": \"4\"}\n"
          << "{\"prompt\": \"1+4=\"}\n";
    }
  }
  ASSERT_EQ(Run("grpo", "forms", {"--set", "max_steps=1", "--set", "null_rate_stop=1"}), 0)
      << ReadAll(folder_ / "log");
  EXPECT_NE(ReadAll(folder_ / "log").find("8 of 32 problems have no reference"), std::string::npos)
      << ReadAll(folder_ / "log");
  const Json line = *ParseJson(Metrics("forms")[0]);
  EXPECT_LT(line.DoubleOr("null_rate", 1), 0.9);
}

TEST_F(TrainRun, OnlyRowsThatNobodyCanJudgeAreRemarkedOn) {
  const auto log = [&] { return ReadAll(folder_ / "log"); };
  std::ofstream(folder_ / "countdown.jsonl")
      << "{\"prompt\": \"3 4 = 7: \", \"numbers\": [3, 4], \"target\": 7}\n";
  const std::vector<std::string> sums = {
      "--set", "data.train=" + (folder_ / "countdown.jsonl").string(), "--set", "max_steps=1"};
  std::vector<std::string> by_countdown = sums;
  by_countdown.insert(by_countdown.end(),
                      {"--set", "reward.rubric=", "--set", "reward.verifiers=countdown"});
  ASSERT_EQ(Run("grpo", "countdown", by_countdown), 0) << log();
  EXPECT_EQ(log().find("no reference"), std::string::npos) << log();
  std::vector<std::string> by_task = sums;
  by_task.insert(by_task.end(), {"--set", "reward.rubric=", "--set", "null_rate_stop=1"});
  ASSERT_EQ(Run("grpo", "tasks", by_task), 0) << log();
  EXPECT_NE(log().find("1 of 1 problems name no verifier as their task"), std::string::npos)
      << log();
}

TEST_F(TrainRun, TooManyUnscoredSamplesNameTheFirst) {
  std::ofstream(folder_ / "problems.jsonl") << "{\"id\": \"bare\", \"prompt\": \"1+1=\"}\n";
  EXPECT_EQ(Run("grpo", "unscored"), 2);
  const std::string log = ReadAll(folder_ / "log");
  EXPECT_NE(log.find("problem 'bare': math gold_missing"), std::string::npos) << log;
}

// Held-out answers have the default length where a recipe gives none, which is more than a small model has positions.
TEST_F(TrainRun, HeldOutAnswersThatDoNotFitAreRefusedByTheirKey) {
  EXPECT_EQ(Run("sft", "long",
                {"--set", "data.eval=" + (folder_ / "problems.jsonl").string(), "--set",
                 "eval.steps=2", "--set", "model.config.max_position_embeddings=32"}),
            2);
  const std::string log = ReadAll(folder_ / "log");
  EXPECT_NE(log.find("max_completion_length = 512 leaves no room for a prompt"), std::string::npos)
      << log;
}

// A function of the user's in TRL's form that goes wrong for some samples: they have no reward, and one traceback is shown at the end.
TEST_F(TrainRun, OwnRewardsAreTrainedOnAndSayWhatWentWrong) {
  std::ofstream(folder_ / "own.py") << "def digits(completions, answer, **columns):\n"
                                       "    if any('+' in c for c in completions):\n"
                                       "        raise ValueError('a plus sign')\n"
                                       "    return [c.isdigit() / 2 for c in completions]\n";
  std::ofstream(folder_ / "reward.toml")
      << "[[term]]\nverifier = \"math\"\noptions = { mode = \"bare\" }\n"
         "[[term]]\nverifier = \"python\"\nlabel = \"digits\"\n"
         "options = { file = \"own.py\", processes = 1, on_error = \"null\" }\n";
  for (const char* fold : {"sum_then_normalize", "normalize_then_sum"}) {
    ASSERT_EQ(Run("grpo", fold,
                  {"--set", std::string("multi_objective_aggregation=") + fold, "--set",
                   "max_steps=4", "--set", "null_rate_stop=1"}),
              0)
        << ReadAll(folder_ / "log");
    const std::string log = ReadAll(folder_ / "log");
    EXPECT_NE(log.find("ValueError: a plus sign"), std::string::npos) << log;
    EXPECT_EQ(log.find("Traceback", log.find("Traceback") + 1), std::string::npos) << log;
    const std::vector<std::string> lines = Metrics(fold);
    ASSERT_FALSE(lines.empty());
    EXPECT_NE(lines[0].find("rewards/digits/mean"), std::string::npos) << lines[0];
    EXPECT_GT(ParseJson(lines[0])->DoubleOr("null_rate", 0), 0) << lines[0];
    EXPECT_LT(ParseJson(lines[0])->DoubleOr("null_rate", 1), 1) << lines[0];
  }
}

TEST_F(TrainRun, ATermsMeanIsOverTheRowsItAppliedTo) {
  {
    std::ofstream out(folder_ / "problems.jsonl");
    for (int i = 0; i < 8; ++i) {
      out << "{\"prompt\": \"1+1=\", \"answer\": \"2\", \"task\": \"math\"}\n"
          << "{\"prompt\": \"1+2=\", \"task\": \"format\"}\n";
    }
  }
  ASSERT_EQ(Run("grpo", "tasks",
                {"--set", "max_steps=1", "--set", "reward.rubric=", "--set", "null_rate_stop=1"}),
            0)
      << ReadAll(folder_ / "log");
  const std::string line = Metrics("tasks")[0];
  EXPECT_NE(line.find("rewards/math/mean"), std::string::npos) << line;
  EXPECT_NE(line.find("rewards/format/mean"), std::string::npos) << line;
}

TEST_F(TrainRun, LengthsAreRewardedInTokens) {
  std::ofstream(folder_ / "length.toml") << "[[term]]\nverifier = \"length\"\noptions = { unit = "
                                            "\"tokens\", shape = \"cosine\", max = 8 "
                                            "}\n";
  ASSERT_EQ(
      Run("grpo", "length",
          {"--set", "max_steps=1", "--set", "reward.rubric=" + (folder_ / "length.toml").string()}),
      0)
      << ReadAll(folder_ / "log");
  const Json line = *ParseJson(Metrics("length")[0]);
  EXPECT_EQ(line.DoubleOr("null_rate", 1), 0) << line.Dump();
  EXPECT_GT(line.DoubleOr("rewards/length/mean", 0), 0) << line.Dump();
}

// What stands around a prompt is no part of the problem: here it would make a prompt without a language an English one.
TEST_F(TrainRun, JudgesSeeTheProblemAsItCame) {
  std::ofstream(folder_ / "language.toml") << "[[term]]\nverifier = \"language\"\n";
  ASSERT_EQ(Run("grpo", "around",
                {"--set", "max_steps=1", "--set", "null_rate_stop=1", "--set",
                 "data.prompt_prefix=Think before you answer the question of the user. ", "--set",
                 "reward.rubric=" + (folder_ / "language.toml").string()}),
            0)
      << ReadAll(folder_ / "log");
  EXPECT_EQ(ParseJson(Metrics("around")[0])->DoubleOr("null_rate", 0), 1);
}

TEST_F(TrainRun, EqualRewardsAreRemarkedOn) {
  EXPECT_EQ(
      Run("grpo", "equal",
          {"--set", "learning_rate=0", "--set", "max_completion_length=1", "--set",
           "reward.rubric=", "--set", "reward.verifiers=format", "--set", "num_iterations=1"}),
      0);
  EXPECT_NE(ReadAll(folder_ / "log").find("nothing is learned"), std::string::npos)
      << ReadAll(folder_ / "log");
}

TEST_F(TrainRun, SftCountsWhatItLosesAndRoundsEpochsUp) {
  {
    std::ofstream out(folder_ / "sft.jsonl");
    for (int i = 0; i < 15; ++i) {
      out << "{\"prompt\": \"" << std::string(i == 0 ? 30 : 2, '1') << "\", \"completion\": \""
          << std::string(i == 1 ? 40 : 2, '2') << "\"}\n";
    }
  }
  ASSERT_EQ(Run("sft", "epochs",
                {"--set", "max_steps=-1", "--set", "num_train_epochs=3", "--set",
                 "per_device_train_batch_size=8", "--set", "max_length=20"}),
            0)
      << ReadAll(folder_ / "log");
  // One of 15 rows is left out: ceil(14 / 8) steps an epoch.
  EXPECT_EQ(Metrics("epochs").size(), 6u);
  const std::string log = ReadAll(folder_ / "log");
  EXPECT_NE(log.find("2 of 15 rows have more than max_length = 20"), std::string::npos) << log;
  EXPECT_NE(log.find("1 of 15 rows have nothing to learn"), std::string::npos) << log;
}

// --- what is kept -----------------------------------------------------------------------------------------------------

TEST_F(TrainRun, AnUnreadableCheckpointGivesWayToTheOneBefore) {
  ASSERT_EQ(Run("sft", "whole"), 0) << ReadAll(folder_ / "log");
  ASSERT_EQ(Run("sft", "hurt", {"--set", "max_steps=12"}), 0) << ReadAll(folder_ / "log");
  const fs::path newest = folder_ / "hurt" / "checkpoint-000012";
  ASSERT_TRUE(fs::exists(newest)) << "no checkpoint at the last step";
  fs::resize_file(newest / "optimizer.safetensors", 100);
  ASSERT_EQ(Run("sft", "hurt", {"--resume"}), 0) << ReadAll(folder_ / "log");
  const std::string log = ReadAll(folder_ / "log");
  EXPECT_NE(log.find("checkpoint-000012 cannot be read"), std::string::npos) << log;
  EXPECT_NE(log.find("going on from step 8"), std::string::npos) << log;
  std::ofstream(folder_ / "hurt" / "checkpoint-000024" / "state.json") << "{";
  EXPECT_EQ(Run("sft", "hurt", {"--resume"}), 0) << ReadAll(folder_ / "log");
}

TEST_F(TrainRun, TheBestModelIsKeptAndSavedAsAsked) {
  ASSERT_EQ(Run("sft", "best",
                {"--set", "eval.steps=4", "--set", "keep_best=true", "--set", "save_dtype=bfloat16",
                 "--set", "max_completion_length=3", "--set",
                 "data.eval=" + (folder_ / "problems.jsonl").string(), "--set",
                 "reward.rubric=" + (folder_ / "reward.toml").string()}),
            0)
      << ReadAll(folder_ / "log");
  EXPECT_TRUE(fs::exists(folder_ / "best" / "best" / "model.safetensors"));
  EXPECT_NE(ReadAll(folder_ / "best" / "model" / "config.json").find("bfloat16"),
            std::string::npos);
  // What the same problems were answered at each evaluation.
  for (const char* step : {"0", "4", "24"}) {
    std::istringstream in(
        ReadAll(folder_ / "best" / "evals" / (std::string("step-") + step + ".jsonl")));
    int lines = 0;
    for (std::string text; std::getline(in, text); ++lines) {
      const Json line = *ParseJson(text);
      EXPECT_EQ(line.Find("passed")->AsArray()->size(), 1u) << text;
      EXPECT_EQ(line.StringOr("prompt", ""), std::string("0+") + std::to_string(lines % 10) + "=")
          << text;
      if (lines == 9) break;
    }
    EXPECT_EQ(lines, 9) << step;
  }
}

TEST_F(TrainRun, CheckpointsMayHoldTheModelAlone) {
  const std::vector<std::string> alone = {"--set", "save_only_model=true", "--set",
                                          "save_dtype=bfloat16"};
  ASSERT_EQ(Run("sft", "alone", alone), 0) << ReadAll(folder_ / "log");
  const fs::path kept = folder_ / "alone" / "checkpoint-000020";
  EXPECT_TRUE(fs::exists(kept / "model.safetensors"));
  EXPECT_FALSE(fs::exists(kept / "optimizer.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "alone" / "checkpoint-000008"));  // save_total_limit is 2
  EXPECT_FALSE(fs::exists(folder_ / "alone" / "checkpoint-000024"));
  EXPECT_NE(ReadAll(kept / "config.json").find("bfloat16"), std::string::npos);
  // An interrupt leaves a whole one, from which the run goes on.
  std::vector<std::string> longer = alone;
  longer.insert(longer.end(), {"--set", "max_steps=100000"});
  const pid_t pid = Start("sft", "stopped", longer);
  for (int i = 0; i < 600 && !fs::exists(folder_ / "stopped" / "checkpoint-000008"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  kill(pid, SIGTERM);
  ASSERT_EQ(Wait(pid), 130) << ReadAll(folder_ / "log");
  longer.back() = "max_steps=1";
  longer.push_back("--resume");
  EXPECT_EQ(Run("sft", "stopped", longer), 0) << ReadAll(folder_ / "log");
  EXPECT_NE(ReadAll(folder_ / "log").find("going on from step"), std::string::npos);
}

TEST_F(TrainRun, CurvesArePrintedAndDrawn) {
  ASSERT_EQ(Run("sft", "c", {"--set", "max_steps=6"}), 0) << ReadAll(folder_ / "log");
  const auto curve = [&](const std::string& flags) {
    const std::string command = Env("ASSAY_BUILD_DIR", ".") + "/assay curve " +
                                (folder_ / "c").string() + " " + flags + " > " +
                                (folder_ / "shown").string() + " 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(curve(""), 0);
  const std::string text = ReadAll(folder_ / "shown");
  EXPECT_EQ(text.rfind("loss\n  c  step      1  ", 0), 0u) << text;
  EXPECT_EQ(curve("--key learning_rate --output-format json"), 0);
  EXPECT_EQ(ParseJson(ReadAll(folder_ / "shown"))->Find("points")->AsArray()->size(), 6u);
  EXPECT_EQ(curve("-o " + (folder_ / "c.html").string()), 0);
  EXPECT_NE(ReadAll(folder_ / "c.html").find("<polyline"), std::string::npos);
  EXPECT_EQ(curve("--key los"), 2);
  EXPECT_NE(ReadAll(folder_ / "shown").find("did you mean 'loss'?"), std::string::npos);
}

TEST_F(TrainRun, SamplesOfAStepAreShown) {
  for (const char* more : {"max_steps=4", "max_steps=6"}) {
    ASSERT_EQ(Run("grpo", "logged", {"--set", more, "--set", "log_completions=true", "--resume"}),
              0)
        << ReadAll(folder_ / "log");
  }
  const auto show = [&](const std::string& flags) {
    const std::string command = Env("ASSAY_BUILD_DIR", ".") + "/assay samples " +
                                (folder_ / "logged").string() + " " + flags + " > " +
                                (folder_ / "shown").string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    return ReadAll(folder_ / "shown");
  };
  EXPECT_EQ(show("").rfind("step 5\n", 0), 0u) << show("");
  EXPECT_NE(show("--step 1").find("reward "), std::string::npos);
  const Json line = *ParseJson(show("--step 3 -n 1 --output-format json"));
  EXPECT_EQ(line.Find("rewards")->AsArray()->size(), 4u);
}

TEST_F(TrainRun, GenerateWritesGroups) {
  ASSERT_EQ(Run("sft", "g", {"--set", "max_steps=1"}), 0);
  const std::string out = (folder_ / "groups.jsonl").string();
  const std::string command = Env("ASSAY_BUILD_DIR", ".") + "/assay-train generate -q --model " +
                              (folder_ / "g" / "model").string() + " -n 2 --max-new-tokens 3 -o " +
                              out + " " + (folder_ / "problems.jsonl").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::istringstream in(ReadAll(out));
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const Json row = *ParseJson(line);
    ASSERT_NE(row.Find("completions"), nullptr);
    EXPECT_EQ(row.Find("completions")->AsArray()->size(), 2u);
  }
  EXPECT_EQ(lines, 100);
}

TEST_F(TrainRun, GenerateAnswersOnePromptOrAPipe) {
  ASSERT_EQ(Run("sft", "g", {"--set", "max_steps=1"}), 0);
  const std::string shown = (folder_ / "shown").string();
  const auto generate = [&](const std::string& words) {
    const std::string command = Env("ASSAY_BUILD_DIR", ".") + "/assay-train generate -q --model " +
                                (folder_ / "g" / "model").string() + " --max-new-tokens 3 " +
                                words + " > " + shown + " 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(generate("--prompt 1+2= -n 2"), 0);
  const std::string text = ReadAll(shown);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.find('{'), std::string::npos);
  EXPECT_EQ(generate("< " + (folder_ / "problems.jsonl").string()), 0);
  const std::string piped = ReadAll(shown);
  EXPECT_EQ(std::count(piped.begin(), piped.end(), '\n'), 100);
  EXPECT_EQ(generate("--prompt 1 " + (folder_ / "problems.jsonl").string()), 2);
}

}  // namespace
}  // namespace assay
