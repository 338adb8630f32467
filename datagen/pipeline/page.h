// The page of a pipeline or of one trainer's run, one self-contained HTML file: the stages with their held-out figures and 95 %
// intervals, what the trainers logged over steps side by side, how the same held-out problem is answered at step 0, 50, 100 .., one
// problem as the stages answer it, the first replies that turn round on themselves and are right, and where the rows of data sets came from. It
// looks at a PageSource and at the rows; writes nothing. Everything from a model is escaped.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "datagen/pipeline/page_source.h"

namespace assay {

// `refresh_s`: the page loads itself anew so often, and keeps what is open and where one is; 0: never.
std::string PipelinePage(const PageSource& source, double refresh_s = 0);

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
// A picture of lines over steps as inline SVG; "" without points.
std::string ChartSvg(const std::string& title, const std::vector<ChartLine>& lines);

// Where rows came from: of every stage that leaves rows how many came in from where, and the way of some of them back to the problem.
// "" if no stage does.
std::string RowOrigins(const PageSource& source);

// Words with which a reply turns round on itself ("wait", "let me check", their like in other languages); how many stand in it.
int64_t CountReflections(std::string_view text);

}  // namespace assay
