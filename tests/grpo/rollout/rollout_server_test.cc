// Groups from an OpenAI-compatible server: what is asked, what is taken, what is tried again, and that every answer that cannot be
// trained on is refused with what to do. Against a small server that behaves as each test wants.
#include "grpo/rollout/rollout_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/grpo/rollout/completions_server.h"

namespace assay {
namespace {

class RolloutServer : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new CompletionsServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (!kHttpClient) GTEST_SKIP() << "built without libcurl (libcurl4-openssl-dev)";
    ASSERT_TRUE(server_->running()) << "python3 did not start";
    server_spec_.model = "tiny";
    server_spec_.timeout_s = 10;
    server_spec_.retries = 3;
    sampling_.params.max_new_tokens = 6;
    sampling_.samples = 4;
    sampling_.vocab_size = 14;
    sampling_.back_off_s = 0.01;
    for (int64_t i = 0; i < 5; ++i) {
      ServerRequest request;
      request.problem.id = std::to_string(i);
      request.prompt = {i, 10, i, 11};
      request.seed = 100 + i;
      requests_.push_back(request);
    }
  }

  Status Fetch(const std::string& way) {
    server_spec_.url = server_->Url(way);
    groups_.clear();
    return FetchGroups(server_spec_, sampling_, requests_,
                       [&](size_t request, Group group) -> Status {
                         groups_[request] = std::move(group);
                         return {};
                       });
  }
  Error ErrorOf(const std::string& way) {
    const Status status = Fetch(way);
    EXPECT_FALSE(status.ok()) << way;
    return status.ok() ? Error{} : status.error();
  }
  void ExpectGroups() {
    ASSERT_EQ(groups_.size(), requests_.size());
    for (const auto& [request, group] : groups_) {
      EXPECT_EQ(group.problem.id, requests_[request].problem.id);
      ASSERT_EQ(group.samples.size(), 4u);
      for (const Sample& sample : group.samples) {
        ASSERT_FALSE(sample.token_ids.empty());
        ASSERT_EQ(sample.logprobs.size(), sample.token_ids.size());
        ASSERT_EQ(sample.text.size(), sample.token_ids.size());
        for (size_t t = 0; t < sample.text.size(); ++t)
          EXPECT_EQ(sample.text[t], "0123456789+="[sample.token_ids[t]]);
        EXPECT_NEAR(sample.logprobs[0], -2.4849, 1e-4);
        EXPECT_EQ(sample.truncated(), sample.token_ids.size() == 6u);
        EXPECT_EQ(sample.model, "tiny");
      }
    }
  }

  static CompletionsServer* server_;
  ServerSpec server_spec_;
  ServerSampling sampling_;
  std::vector<ServerRequest> requests_;
  std::map<size_t, Group> groups_;
};
CompletionsServer* RolloutServer::server_ = nullptr;

TEST_F(RolloutServer, GivesGroupsWithTokensAndLogProbs) {
  for (const char* way : {"ok", "ids"}) {
    const Status status = Fetch(way);
    ASSERT_TRUE(status.ok()) << status.error().message;
    ExpectGroups();
  }
}

TEST_F(RolloutServer, TriesAgainAfterWhatPassesByItself) {
  for (const char* way : {"broken", "busy", "drop"}) {
    const Status status = Fetch(way);
    ASSERT_TRUE(status.ok()) << way << ": " << status.error().message;
    ExpectGroups();
  }
}

TEST_F(RolloutServer, TheKeyComesFromTheEnvironment) {
  Error error = ErrorOf("key");
  EXPECT_NE(error.message.find("status 401"), std::string::npos) << error.message;
  EXPECT_NE(error.hint.find("server.key_env"), std::string::npos) << error.hint;
  server_spec_.key_env = "ASSAY_TEST_ROLLOUT_KEY";
  unsetenv("ASSAY_TEST_ROLLOUT_KEY");
  error = ErrorOf("key");
  EXPECT_EQ(error.code, ErrorCode::kUsage);
  EXPECT_NE(error.message.find("ASSAY_TEST_ROLLOUT_KEY"), std::string::npos);
  setenv("ASSAY_TEST_ROLLOUT_KEY", "sesame", 1);
  const Status status = Fetch("key");
  EXPECT_TRUE(status.ok()) << status.error().message;
}

TEST_F(RolloutServer, AnAnswerThatCannotBeTrainedOnIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nologprobs", "has no log-probs"},    {"text", "has no token ids"},
      {"range", "token id 99999"},           {"uneven", "log-probs for one completion"},
      {"positive", "for a log-probability"}, {"long", "completion of 7 tokens, max_tokens was 6"},
      {"few", "3 choices, n was 4"},         {"html", "is not JSON"},
  };
  for (const auto& [way, part] : cases) {
    const Error error = ErrorOf(way);
    EXPECT_EQ(error.code, ErrorCode::kInput) << way;
    EXPECT_NE(error.message.find(part), std::string::npos) << way << ": " << error.message;
    EXPECT_EQ(error.message.substr(0, 9), "problem '") << error.message;
  }
  EXPECT_NE(ErrorOf("nologprobs").hint.find("vLLM"), std::string::npos);
  EXPECT_NE(ErrorOf("range").hint.find("tokenizer"), std::string::npos);
}

TEST_F(RolloutServer, AHangARefusalAndAFloodEndInTime) {
  server_spec_.timeout_s = 0.4;
  server_spec_.retries = 1;
  const auto begun = std::chrono::steady_clock::now();
  Error error = ErrorOf("hang");
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_NE(error.message.find("did not answer within 0.4 s (2 attempts)"), std::string::npos)
      << error.message;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  server_spec_.timeout_s = 10;
  error = ErrorOf("down");
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_NE(error.message.find("status 503 (2 attempts): down"), std::string::npos)
      << error.message;
  error = ErrorOf("refuse");
  EXPECT_EQ(error.code, ErrorCode::kInput);
  EXPECT_NE(error.message.find("status 400: I know no n"), std::string::npos) << error.message;
  EXPECT_LT(error.message.size(), 500u);
  EXPECT_EQ(ErrorOf("huge").code, ErrorCode::kLimit);
}

TEST_F(RolloutServer, NobodyThere) {
  server_spec_.url = "http://127.0.0.1:1/v1";
  server_spec_.retries = 1;
  const Status status = FetchGroups(server_spec_, sampling_, requests_,
                                    [](size_t, const Group&) -> Status { return {}; });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(status.error().message.find("cannot reach"), std::string::npos);
}

TEST_F(RolloutServer, AnInterruptEndsTheWaiting) {
  const std::atomic<bool> interrupted = true;
  sampling_.interrupted = &interrupted;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_NE(ErrorOf("hang").message.find("interrupted"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST(RolloutServerWithoutClient, SaysWhatIsMissing) {
  if (kHttpClient) return;  // the build that the tests above are for
  ServerSpec spec;
  spec.url = "http://127.0.0.1:1";
  const Status status =
      FetchGroups(spec, {}, {{{}, {1}, 0}}, [](size_t, const Group&) -> Status { return {}; });
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().hint.find("libcurl4-openssl-dev"), std::string::npos);
}

TEST_F(RolloutServer, LoadsWeightsInItsOwnWay) {
  server_spec_.weights_dir = "/nonexistent";
  server_spec_.url = server_->Url("ok");
  server_spec_.push = "vllm";
  EXPECT_TRUE(LoadServerWeights(server_spec_, sampling_).ok());
  server_spec_.push = "sglang";
  Status status = LoadServerWeights(server_spec_, sampling_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInput);
  EXPECT_NE(status.error().message.find("shape mismatch"), std::string::npos)
      << status.error().message;
  EXPECT_NE(status.error().hint.find("server.weights_dir"), std::string::npos);
  server_spec_.url = server_->Url("nodev");
  server_spec_.push = "vllm";
  status = LoadServerWeights(server_spec_, sampling_);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("status 404"), std::string::npos) << status.error().message;
  EXPECT_NE(status.error().hint.find("VLLM_SERVER_DEV_MODE"), std::string::npos);
}

TEST(ServerUrl, StandsBesideV1) {
  for (const char* base : {"http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"})
    EXPECT_EQ(ServerUrl(base, "/collective_rpc"), "http://h:1/collective_rpc");
}

TEST(CompletionsUrl, TakesAnyBase) {
  for (const char* base : {"http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"})
    EXPECT_EQ(CompletionsUrl(base), "http://h:1/v1/completions");
}

TEST(CompletionsRequest, AsksForWhatTheRecipeSays) {
  ServerSpec spec;
  spec.model = "m";
  ServerSampling sampling;
  sampling.params.temperature = 0.5;
  sampling.params.top_k = 7;
  sampling.samples = 3;
  const Json body = *ParseJson(CompletionsRequest(spec, sampling, {{}, {5, 6}, 9}));
  EXPECT_EQ(body.Find("prompt")->Dump(), "[5,6]");
  EXPECT_EQ(body.IntOr("n", 0), 3);
  EXPECT_EQ(body.IntOr("seed", 0), 9);
  EXPECT_EQ(body.IntOr("max_tokens", 0), 512);
  EXPECT_EQ(body.IntOr("top_k", 0), 7);
  EXPECT_DOUBLE_EQ(body.DoubleOr("temperature", 0), 0.5);
  EXPECT_EQ(body.Find("min_p"), nullptr);
}

}  // namespace
}  // namespace assay
