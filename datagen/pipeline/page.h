// The page of a pipeline, one self-contained HTML file: the stages with their held-out figures and 95 % intervals, what the trainers
// logged over steps side by side, one problem as the stages answer it, replies at several steps, and the first replies that turn
// round on themselves and are right. Reads what the stages left; writes nothing. Everything from a model is escaped.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/pipeline/recipe.h"

namespace assay {

Result<std::string> PipelinePage(const PipelineRecipe& recipe, const std::string& out);

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
// A picture of lines over steps as inline SVG; "" without points.
std::string ChartSvg(const std::string& title, const std::vector<ChartLine>& lines);

// Words with which a reply turns round on itself ("wait", "let me check", their like in other languages); how many stand in it.
int64_t CountReflections(std::string_view text);

}  // namespace assay
