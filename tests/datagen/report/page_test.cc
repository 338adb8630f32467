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
