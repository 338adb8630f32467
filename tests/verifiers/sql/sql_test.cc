// The `sql` verifier on tests/cases/sql.jsonl: a row with its query, replies, and the reason that each must get.
#include "verifiers/sql/sql_verifier.h"

#include <cstdlib>

#include "core/jsonl.h"
#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/sql/result_set.h"
#include "verifiers/sql/sql_text.h"

namespace assay {
namespace {

using SqlTest = CodeTest;

TEST_F(SqlTest, Cases) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run this by ctest, or set ASSAY_SOURCE_DIR";
  auto reader = LineReader::Open(StrCat(root, "/tests/cases/sql.jsonl"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int64_t judged = 0;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << "line " << line.number << ": " << item.error().message;
    Result<Group> group = GroupFromJson(*item->Find("row"));
    ASSERT_TRUE(group.ok()) << group.error().message;
    const Json* options = item->Find("options");
    auto verifier = MakeSqlVerifier(options == nullptr ? Json() : *options, Env());
    ASSERT_TRUE(verifier.ok()) << verifier.error().message;
    const auto verdicts = (*verifier)->Verify(*group, nullptr);
    const Json::Array& expects = *item->Find("expect")->AsArray();
    ASSERT_EQ(verdicts.size(), expects.size());
    for (size_t i = 0; i < verdicts.size(); ++i, ++judged) {
      SCOPED_TRACE(StrCat(item->StringOr("name", "?"), ", reply ", i, ": ", Show(verdicts[i])));
      if (expects[i].IsString()) EXPECT_EQ(verdicts[i].reason, *expects[i].AsString());
      EXPECT_EQ(verdicts[i].outcome == Outcome::kPass,
                expects[i].IsString() && *expects[i].AsString() == "ok");
      EXPECT_EQ(verdicts[i].outcome == Outcome::kFault, StartsWith(verdicts[i].reason, "gold_"));
    }
  }
  EXPECT_GT(judged, 80);
}

TEST_F(SqlTest, ARowCannotNameAFolder) {
  Group group;
  group.samples = {{"SELECT 1"}};
  auto verifier = MakeSqlVerifier(Json(), Env());
  ASSERT_TRUE(verifier.ok());
  const Json options = Json::MakeObject().Set("databases", "/etc");
  EXPECT_EQ((*verifier)->Verify(group, &options)[0].reason, "gold_bad_options");
}

TEST(SqlText, FindsWhatAQueryIsOrderedBy) {
  EXPECT_TRUE(sql::IsOrdered("SELECT a FROM t ORDER  BY a"));
  EXPECT_TRUE(sql::IsOrdered("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1"));
  EXPECT_FALSE(sql::IsOrdered("SELECT a FROM (SELECT a FROM t ORDER BY a)"));
  EXPECT_FALSE(sql::IsOrdered("SELECT 'ORDER BY' FROM t"));
  EXPECT_FALSE(sql::IsOrdered("SELECT \"order\" by FROM t"));
  EXPECT_FALSE(sql::WithOrderKeys("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1"));
  EXPECT_FALSE(sql::WithOrderKeys("SELECT DISTINCT a FROM t ORDER BY b"));
  const auto keyed =
      sql::WithOrderKeys("SELECT a, b AS n FROM t ORDER BY n DESC, c + 1, a LIMIT 3;");
  ASSERT_TRUE(keyed);
  EXPECT_EQ(keyed->text, "SELECT a, b AS n , c + 1 FROM t ORDER BY n DESC, c + 1, a LIMIT 3;");
  EXPECT_EQ(keyed->added, 1);
  EXPECT_EQ(keyed->own_columns, (std::vector<int>{1, 0}));
}

TEST(SqlText, HostileTextEnds) {
  for (const std::string& text :
       {std::string(100000, '('), std::string(100000, ')'), std::string(100000, '\''),
        std::string("ORDER BY"), std::string("SELECT FROM ORDER BY ,,,"), std::string("/*"),
        std::string("["),
        StrCat("SELECT ", std::string(50000, ','), " FROM t ORDER BY ", std::string(50000, ','))}) {
    sql::IsOrdered(text);
    sql::WithOrderKeys(text);
    sql::FindQuery(text);
  }
}

TEST(SqlRows, NearlyEqualNumbersFindEachOther) {
  sql::ResultSet gold{2, {}}, got{2, {}};
  for (int i = 0; i < 500; ++i) {
    gold.rows.push_back({Json(0.1 * (i % 3)), Json(static_cast<int64_t>(i))});
    got.rows.push_back({Json(0.1 * (i % 3) + 1e-12), Json(static_cast<int64_t>(499 - i))});
    got.rows.back()[0] = Json(0.1 * ((499 - i) % 3) + ((i % 2) != 0 ? 1e-12 : 0));
  }
  sql::SameRules rules;
  EXPECT_EQ(sql::Compare(gold, got, rules).kind,
            sql::Difference::Kind::kRows);  // 0 and 1e-12 are not nearly equal
  for (sql::Row& row : gold.rows) row[0] = Json(row[0].NumberOr(0) + 1);
  for (sql::Row& row : got.rows) row[0] = Json(row[0].NumberOr(0) + 1);
  EXPECT_EQ(sql::Compare(gold, got, rules).kind, sql::Difference::Kind::kNone);
}

}  // namespace
}  // namespace assay
