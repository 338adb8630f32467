// The report's page: its numbers are the store's, and no text of a model becomes HTML.
#include "datagen/report/page.h"

#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class PageTest : public StoreFixture {
 protected:
  void Fill() {
    store_ = OpenStore();
    const RunId run = *store_->BeginRun(Info(), false);
    for (int i = 0; i < 30; ++i) {
      std::vector<Spec> specs;
      for (int j = 0; j < 4; ++j)
        specs.push_back(j < i % 5 ? Pass(StrCat("r", i, j), 1)
                                  : Failed("same <script>alert(1)</script>", 0));
      ASSERT_TRUE(AddRow(store_.get(), run, i + 1, StrCat("p", i), specs).ok());
    }
    ASSERT_TRUE(store_->FinishRun(run).ok());
    SelectOptions options;
    options.strategy = "all-correct";
    options.runs = {"r"};
    options.dataset = "d";
    ASSERT_TRUE(SelectSamples(store_.get(), options).ok());
  }
  static int64_t Sum(const Json& list) {
    int64_t sum = 0;
    for (const Json& one : *list.AsArray()) sum += *one.AsInt();
    return sum;
  }
  std::unique_ptr<Store> store_;
};

TEST_F(PageTest, NumbersAreTheStores) {
  Fill();
  PageOptions options;
  options.samples = 25;
  const Result<Json> data = PageData(store_.get(), options);
  ASSERT_TRUE(data.ok()) << data.error().message;
  const Json& run = (*data->Find("runs")->AsArray())[0];
  EXPECT_EQ(run.IntOr("samples", 0), 120);
  EXPECT_EQ(run.IntOr("passed", 0), 60);
  const Json& details = *run.Find("details");
  EXPECT_EQ(Sum(*details.Find("pass_rates")), 30);
  EXPECT_EQ((*details.Find("pass_rates")->AsArray())[0], Json(6));
  EXPECT_EQ((*details.Find("pass_rates")->AsArray())[11], Json(6));
  EXPECT_EQ(Sum(*details.Find("rewards")->Find("passed")), 60);
  EXPECT_EQ(Sum(*details.Find("rewards")->Find("failed")), 60);
  EXPECT_EQ(Sum(*details.Find("lengths")->Find("failed")), 60);
  EXPECT_EQ(details.IntOr("repeated_texts", 0), 59);
  const Json& dataset = (*data->Find("datasets")->AsArray())[0];
  EXPECT_EQ(dataset.Find("decisions")->IntOr("kept", 0), 60);
  EXPECT_EQ(dataset.Find("decisions")->IntOr("failed", 0), 60);
  const Json::Array& samples = *data->Find("samples")->AsArray();
  ASSERT_EQ(samples.size(), 25u);
  for (const Json& sample : samples) {
    const Json& decision = (*sample.Find("decisions")->AsArray())[0];
    EXPECT_EQ(decision.StringOr("decision", ""),
              sample.BoolOr("passed", false) ? "kept" : "failed");
  }
  EXPECT_EQ(PageData(store_.get(), options)->Dump(), data->Dump());
  options.runs = {"x"};
  EXPECT_EQ(PageData(store_.get(), options).error().code, ErrorCode::kUsage);
}

TEST_F(PageTest, RewardsByPartAndByLevel) {
  store_ = OpenStore();
  const RunId run = *store_->BeginRun(Info(), false);
  for (int i = 0; i < 4; ++i) {
    const std::vector<Spec> specs = {Pass(StrCat("a", i), 0.75), Failed(StrCat("b", i), 0.25)};
    Group group = MakeGroup(StrCat("p", i), specs);
    group.problem.extra.Set("level", i % 2 + 1);
    GroupScore score = MakeScore(specs);
    score.labels = {"math", "format"};
    for (SampleScore& sample : score.samples) {
      sample.verdicts.push_back(Verdict::Abstain("not_asked"));
      sample.parts = {*sample.reward - 0.25 * (i % 2), std::nullopt};
    }
    ASSERT_TRUE(store_->AddGroup(run, Key(i + 1), group, score, true).ok());
  }
  ASSERT_TRUE(store_->FinishRun(run).ok());
  PageOptions options;
  options.samples = 3;
  const Result<Json> data = PageData(store_.get(), options);
  ASSERT_TRUE(data.ok()) << data.error().message;
  const Json& details = *(*data->Find("runs")->AsArray())[0].Find("details");
  EXPECT_EQ(details.Find("term_scores")->Dump(),
            R"([{"label":"math","samples":8,"mean_score":0.5,"mean_part_failed":0.125,)"
            R"("mean_part_passed":0.625}])");
  EXPECT_EQ(details.Find("levels")->Dump(),
            R"([{"name":"1","problems":2,"samples":4,"scored":4,"passed":2},)"
            R"({"name":"2","problems":2,"samples":4,"scored":4,"passed":2}])");
  for (const Json& sample : *data->Find("samples")->AsArray()) {
    const Json::Array& verdicts = *sample.Find("verdicts")->AsArray();
    EXPECT_TRUE(verdicts[0].Find("part")->IsNumber());
    EXPECT_TRUE(verdicts[1].Find("part")->IsNull());
  }
}

TEST_F(PageTest, ThePageIsWholeAndTextsStayText) {
  Fill();
  PageOptions options;
  options.title = "<b>A & B</b>";
  const Result<std::string> page = ReportPage(store_.get(), options);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("<script>alert"), std::string::npos);
  EXPECT_NE(page->find("\\u003cscript>alert"), std::string::npos);
  EXPECT_NE(page->find("<title>&lt;b&gt;A &amp; B&lt;/b&gt;</title>"), std::string::npos);
  EXPECT_EQ(page->find("<link"), std::string::npos);  // nothing is fetched
  EXPECT_EQ(page->find("<script src"), std::string::npos);
  EXPECT_EQ(page->find("/*data*/"), std::string::npos);
  EXPECT_NE(page->find("Chart.js v"), std::string::npos);
}

}  // namespace
}  // namespace assay
