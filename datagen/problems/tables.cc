// tables: a small table of sales in Markdown and a question about it.
#include <algorithm>

#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

struct Row {
  std::string name;
  int64_t amount, price;
};

std::vector<Row> DrawRows(int64_t count, Rng* rng) {
  std::vector<std::string> names = {"pens", "books",  "lamps",   "cups", "chairs", "clocks",
                                    "bags", "plates", "candles", "mugs", "boxes",  "brushes"};
  rng->Shuffle(&names);
  std::vector<Row> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.push_back(
        {names[static_cast<size_t>(i)], DrawBetween(1, 60, rng), DrawBetween(2, 40, rng)});
  return rows;
}

std::string Markdown(const std::vector<Row>& rows) {
  std::string text = "| item | sold | price |\n|---|---|---|\n";
  for (const Row& row : rows)
    StrAppend(&text, "| ", row.name, " | ", row.amount, " | ", row.price, " |\n");
  return text;
}

// The sum of `of` over the rows, with the steps to it.
int64_t Add(const std::vector<Row>& rows, int64_t (*of)(const Row&), DrawnProblem* problem) {
  int64_t sum = of(rows[0]);
  for (size_t i = 1; i < rows.size(); ++i) {
    problem->steps.push_back(StrCat(sum, "+", of(rows[i]), "=", sum + of(rows[i])));
    sum += of(rows[i]);
  }
  return sum;
}

}  // namespace

// Level 1: one cell. Level 2: a sum of a column. Level 3: how many rows are above a limit. Level 4: the money that all of it brought.
DrawnProblem DrawTable(int64_t level, std::string_view /*language*/, Rng* rng) {
  DrawnProblem problem;
  problem.task = "math";
  const std::vector<Row> rows = DrawRows(level + 2, rng);
  std::string question;
  int64_t value = 0;
  if (level == 1) {
    const Row& row = DrawOne(rows, rng);
    value = row.amount;
    question = StrCat("How many ", row.name, " were sold?");
    problem.steps = {StrCat(row.name, ": ", row.amount)};
  } else if (level == 2) {
    value = Add(
        rows, [](const Row& row) { return row.amount; }, &problem);
    question = "How many items were sold in all?";
  } else if (level == 3) {
    const int64_t limit = DrawBetween(10, 50, rng);
    for (const Row& row : rows) {
      const bool above = row.amount > limit;
      value += above;
      problem.steps.push_back(StrCat(row.name, ": ", row.amount, above ? ">" : "<=", limit));
    }
    question = StrCat("Of how many kinds of items were more than ", limit, " sold?");
  } else {
    for (const Row& row : rows)
      problem.steps.push_back(StrCat(row.amount, "*", row.price, "=", row.amount * row.price));
    value = Add(
        rows, [](const Row& row) { return row.amount * row.price; }, &problem);
    question = "How much money did all items bring together?";
  }
  problem.prompt = StrCat(Markdown(rows), "\n", question);
  problem.content = problem.prompt;
  problem.answer = StrCat(value);
  return problem;
}

}  // namespace assay
