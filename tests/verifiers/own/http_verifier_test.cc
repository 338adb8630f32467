// `http` against a small server: each kind of endpoint, and everything that may go wrong on the way.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/http_post.h"
#include "core/text.h"
#include "tests/local_server.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

class Http : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new LocalServer(
        StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/verifiers/own/judge_server.py"));
  }
  static void TearDownTestSuite() { delete server_; }
  void SetUp() override { ASSERT_TRUE(server_->running()); }

  static Json Judge(const std::string& way) {
    return Json()
        .Set("url", server_->Url(way))
        .Set("back_off_s", 0.01)
        .Set("retries", 3)
        .Set("timeout_s", 20);
  }

  static std::unique_ptr<Verifier> Make(const Json& options) {
    Result<std::unique_ptr<Verifier>> made = MakeVerifier("http", options, {});
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? std::move(*made) : nullptr;
  }

  static Group Replies(const std::vector<std::string>& texts) {
    Group group;
    group.problem.prompt = "Write a poem about {answer}.";
    group.problem.answers = {"spring"};
    for (const std::string& text : texts) group.samples.emplace_back().text = text;
    return group;
  }

  static std::string Said(const std::vector<Verdict>& verdicts) {
    std::string out;
    for (const Verdict& verdict : verdicts)
      StrAppend(&out, out.empty() ? "" : "|", OutcomeName(verdict.outcome), " ", verdict.score, " ",
                verdict.reason);
    return out;
  }

  static std::string Judged(const Json& options, const std::vector<std::string>& texts) {
    return Said(Make(options)->Verify(Replies(texts), nullptr));
  }

  // Of a way: requests, most at once, the last key.
  static Json Seen(const std::string& way) {
    Result<std::string> all = HttpPostJson(server_->Url("seen"), "{}", {});
    return all.ok() ? *ParseJson(*all)->Find(way) : Json();
  }
  static int64_t Requests(const std::string& way) { return *(*Seen(way).AsArray())[0].AsInt(); }

  static LocalServer* server_;
};
LocalServer* Http::server_ = nullptr;

TEST_F(Http, AChatModelWithAScorePattern) {
  EXPECT_EQ(Judged(Judge("plain"), {"worth 7", "worth 2", "worth 10"}),
            "pass 0.7 ok|fail 0.2 low_score|pass 1 ok");
  EXPECT_EQ(Judged(Judge("thinking"), {"worth 3"}), "fail 0.3 low_score");
  EXPECT_EQ(
      Judged(Judge("plain").Set("score_pattern", R"(think (otherwise)|Score: (\d))"), {"worth 3"}),
      "fail 0 judge_nonsense");
  EXPECT_EQ(Judged(Judge("plain")
                       .Set("template", "{completion}, said of {answer}: worth 1")
                       .Set("score_min", -1)
                       .Set("score_max", 1)
                       .Set("pass_at", 1),
                   {"worth 9"}),
            "pass 1 ok");
}

TEST_F(Http, WhatStandsInAReplyIsNotFilledIn) {
  EXPECT_EQ(Judged(Judge("plain").Set("template", "worth 8 {completion}"), {"{worth}{prompt} 3"}),
            "pass 0.8 ok");
  EXPECT_EQ(Judged(Judge("plain").Set("answer_only", true), {"<think>worth 9</think>worth 1"}),
            "fail 0.1 low_score");
}

TEST_F(Http, NonsenseForOneSampleIsAFail) {
  EXPECT_EQ(Judged(Judge("plain"), {"worth 7", "babble", "worth 11", "page", "worth -1"}),
            "pass 0.7 ok|fail 0 judge_nonsense|fail 0 judge_nonsense|fail 0 judge_nonsense|"
            "fail 0 judge_nonsense");
  EXPECT_EQ(Judged(Judge("picky"), {"worth 7", "poison worth 10"}),
            "pass 0.7 ok|fail 0 judge_rejects_reply");
}

TEST_F(Http, AnEndpointThatDoesNotWorkIsAFault) {
  EXPECT_EQ(Judged(Judge("broken"), {"worth 7"}), "fault 0 judge_down");
  EXPECT_EQ(Requests("broken"), 4);
  EXPECT_EQ(Judged(Judge("locked"), {"worth 7"}), "fault 0 judge_refused");
  EXPECT_EQ(Judged(Judge("closed"), {"worth 7"}), "fault 0 judge_refused");
  EXPECT_EQ(Judged(Judge("page"), {"worth 7"}), "fault 0 judge_refused");
  EXPECT_EQ(Judged(Judge("slow").Set("timeout_s", 0.1).Set("retries", 0), {"worth 7"}),
            "fault 0 judge_down");
  EXPECT_EQ(
      Judged(Judge("plain").Set("url", "http://127.0.0.1:1/v1").Set("retries", 1), {"worth 7"}),
      "fault 0 judge_down");
}

TEST_F(Http, WhatIsBusyIsAskedAgain) {
  EXPECT_EQ(Judged(Judge("busy"), {"worth 7"}), "pass 0.7 ok");
  EXPECT_EQ(Requests("busy"), 3);
}

TEST_F(Http, AServerThatIsDownIsNotWaitedForManyTimes) {
  const std::unique_ptr<Verifier> verifier =
      Make(Judge("broken").Set("back_off_s", 0.3).Set("concurrency", 1));
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) texts.push_back(StrCat("reply ", i));
  const auto start = std::chrono::steady_clock::now();
  for (const Verdict& verdict : verifier->Verify(Replies(texts), nullptr))
    EXPECT_EQ(verdict.reason, "judge_down");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  ASSERT_EQ(verifier->Notes().size(), 1U);
  EXPECT_NE(verifier->Notes()[0].find("60 samples judge_down"), std::string::npos);
}

TEST_F(Http, RequestsGoOutSideBySideAndEqualOnesOnce) {
  const std::unique_ptr<Verifier> verifier = Make(Judge("good").Set("concurrency", 8));
  std::vector<std::string> texts;
  for (int i = 0; i < 64; ++i) texts.push_back(StrCat("reply ", i % 32, " worth 7"));
  EXPECT_EQ(verifier->Verify(Replies(texts), nullptr).size(), 64U);
  EXPECT_EQ(Requests("good"), 32);
  EXPECT_GE(*(*Seen("good").AsArray())[2].AsInt(), 4);
  EXPECT_LE(*(*Seen("good").AsArray())[2].AsInt(), 8);
  EXPECT_EQ(Said(verifier->Verify(Replies({texts[3]}), nullptr)), "pass 0.7 ok");
  EXPECT_EQ(Requests("good"), 32);
}

TEST_F(Http, PlainJsonInBatches) {
  const Json options = Judge("plain").Set("api", "json").Set("batch", 3).Set("score_max", 10);
  EXPECT_EQ(Judged(options, {"worth 7", "skip", "worth 2", "babble", "worth 5", "worth 12"}),
            "pass 0.7 ok|abstain 0 not_applicable|fail 0.2 low_score|fail 0 judge_nonsense|"
            "pass 0.5 ok|fail 0 judge_nonsense");
  EXPECT_EQ(Judged(options, {"worth 7", "short worth 1", "worth 3"}),
            "pass 0.7 ok|fail 0 judge_nonsense|fail 0.3 low_score");
}

TEST_F(Http, ARewardModel) {
  EXPECT_EQ(Judged(Judge("plain").Set("api", "pooling").Set("score_min", -5).Set("score_max", 5),
                   {"worth 0", "worth 9", "worth -8"}),
            "pass 0.5 ok|pass 1 ok|fail 0 low_score");
}

TEST_F(Http, KeysComeFromTheEnvironment) {
  setenv("ASSAY_TEST_JUDGE_KEY", "s3cret", 1);
  EXPECT_EQ(Judged(Judge("keyed").Set("key_env", "ASSAY_TEST_JUDGE_KEY"), {"worth 7"}),
            "pass 0.7 ok");
  EXPECT_EQ(*(*Seen("keyed").AsArray())[3].AsString(), "Bearer s3cret");
  unsetenv("ASSAY_TEST_JUDGE_KEY");
}

TEST_F(Http, SettingsThatCannotWorkAreErrors) {
  const Json good = Judge("plain");
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"url", "localhost:8000"},
                                                 {"url", "http://me:pass@localhost/v1"},
                                                 {"score_min", 10},
                                                 {"score_pattern", "Score: [0-9]"},
                                                 {"score_pattern", "("},
                                                 {"template", "no reply in it"},
                                                 {"template_file", "/no/such/file"},
                                                 {"key_env", "ASSAY_TEST_NO_SUCH_KEY"}}) {
    EXPECT_FALSE(MakeVerifier("http", Json(good).Set(key, value), {}).ok()) << key;
  }
  const Json own = Json().Set("url", "http://elsewhere/v1");
  EXPECT_EQ(Said(Make(good)->Verify(Replies({"worth 7"}), &own)), "fault 0 gold_bad_options");
}

}  // namespace
}  // namespace assay
