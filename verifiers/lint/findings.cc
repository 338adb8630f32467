#include "verifiers/lint/findings.h"

#include <algorithm>

#include "core/text.h"

namespace assay::lint {

int64_t CodeLines(std::string_view program, std::string_view language) {
  const std::string_view comment = language == "python" ? "#" : "//";
  int64_t count = 0;
  for (std::string_view line : SplitChar(program, '\n')) {
    const std::string_view text = Trim(line);
    if (!text.empty() && !StartsWith(text, comment)) ++count;
  }
  return count;
}

double LintScore(const std::vector<Finding>& findings, int64_t code_lines) {
  constexpr int64_t kFewestLines = 10, kMostLines = 40;
  double weight = 0;
  for (const Finding& finding : findings) weight += finding.weight;
  const auto lines = static_cast<double>(std::clamp(code_lines, kFewestLines, kMostLines));
  return 1 / (1 + 10 * weight / lines);
}

Json FindingsJson(const std::vector<Finding>& findings) {
  constexpr size_t kShownMax = 20, kMessageBytes = 200;
  Json list = Json::MakeArray();
  for (size_t i = 0; i < std::min(findings.size(), kShownMax); ++i) {
    const Finding& finding = findings[i];
    list.Append(Json()
                    .Set("line", finding.line)
                    .Set("rule", finding.rule)
                    .Set("weight", finding.weight)
                    .Set("message", Shorten(SanitizeUtf8(finding.message), kMessageBytes)));
  }
  return list;
}

}  // namespace assay::lint
