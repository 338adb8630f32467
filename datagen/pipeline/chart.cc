#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/html.h"
#include "core/text.h"
#include "datagen/pipeline/page.h"

namespace assay {
namespace {

constexpr double kWidth = 360, kHeight = 210, kLeft = 46, kRight = 8, kTop = 8, kBottom = 26;
constexpr size_t kPointsMax = 240;
constexpr int kColours = 8;  // classes c0 .. c7 of the page's style

struct Range {
  double low = INFINITY, high = -INFINITY;
  void Add(double value) { low = std::min(low, value), high = std::max(high, value); }
};

// A value of an axis whose marks are `apart` from each other: as many digits as tell them apart, thousands as k, millions as M.
std::string Mark(double value, double apart) {
  const double size = std::max(std::fabs(value), apart);
  const double unit = size >= 1e7 ? 1e6 : (size >= 1e4 ? 1e3 : 1);
  const auto digits = static_cast<int>(1 - std::floor(std::log10(apart / unit)));
  char text[64];
  if (size >= 1e13 || digits > 6) {
    std::snprintf(text, sizeof text, "%.1e", value);
    return text;
  }
  const int length = std::snprintf(text, sizeof text, "%.*f", std::max(0, digits), value / unit);
  // What stands left of the axis has room for seven.
  if (length > 7 && digits > 0) std::snprintf(text, sizeof text, "%.*f", digits - 1, value / unit);
  std::string mark = text;
  if (mark.find('.') != std::string::npos) {
    mark.erase(mark.find_last_not_of('0') + 1);
    if (mark.back() == '.') mark.pop_back();
  }
  if (mark == "-0") mark = "0";
  return StrCat(mark, unit == 1 || mark == "0" ? "" : (unit == 1e3 ? "k" : "M"));
}

// Neighbouring points averaged, so that a long run stays a small picture.
std::vector<std::pair<double, double>> Thin(const std::vector<std::pair<double, double>>& points) {
  const size_t width = (points.size() + kPointsMax - 1) / kPointsMax;
  if (width <= 1) return points;
  std::vector<std::pair<double, double>> thin;
  for (size_t i = 0; i < points.size(); i += width) {
    const size_t end = std::min(points.size(), i + width);
    double sum = 0;
    for (size_t k = i; k < end; ++k) sum += points[k].second;
    thin.emplace_back(points[end - 1].first, sum / static_cast<double>(end - i));
  }
  return thin;
}

std::string Axes(const Range& x, const Range& y) {
  std::string svg;
  for (int i = 0; i <= 4; ++i) {
    const double value = y.low + (y.high - y.low) * i / 4;
    const double at = kHeight - kBottom - (kHeight - kBottom - kTop) * i / 4;
    StrAppend(&svg, "<line class=\"grid\" x1=\"", kLeft, "\" x2=\"", kWidth - kRight, "\" y1=\"",
              FixedDigits(at, 1), "\" y2=\"", FixedDigits(at, 1), "\"/><text x=\"", kLeft - 5,
              "\" y=\"", FixedDigits(at + 4, 1), "\" text-anchor=\"end\">",
              Mark(value, (y.high - y.low) / 4), "</text>");
  }
  for (int i = 0; i <= 2; ++i) {
    const double at = kLeft + (kWidth - kLeft - kRight) * i / 2;
    StrAppend(&svg, "<text x=\"", FixedDigits(at, 1), "\" y=\"", kHeight - 8, "\" text-anchor=\"",
              i == 0 ? "start" : (i == 1 ? "middle" : "end"), "\">",
              Mark(x.low + (x.high - x.low) * i / 2, (x.high - x.low) / 2), "</text>");
  }
  return svg;
}

}  // namespace

std::string ChartSvg(const std::string& title, const std::vector<ChartLine>& lines) {
  Range x, y;
  for (const ChartLine& line : lines) {
    for (const auto& [step, value] : line.points) x.Add(step), y.Add(value);
  }
  if (!(y.low <= y.high)) return "";
  if (y.high == y.low) y.high = y.low + (y.low == 0 ? 1 : std::fabs(y.low) * 0.1);
  if (x.high == x.low) x.high = x.low + 1;
  std::string svg =
      StrCat("<figure><figcaption>", EscapeHtml(title), "</figcaption><svg viewBox=\"0 0 ", kWidth,
             " ", kHeight, "\" role=\"img\">", Axes(x, y));
  std::string legend;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].points.empty()) continue;
    const std::string colour = StrCat("c", static_cast<int64_t>(i % kColours));
    StrAppend(&svg, "<polyline class=\"", colour, "\" points=\"");
    for (const auto& [step, value] : Thin(lines[i].points)) {
      StrAppend(
          &svg,
          FixedDigits(kLeft + (kWidth - kLeft - kRight) * (step - x.low) / (x.high - x.low), 1),
          ",",
          FixedDigits(
              kHeight - kBottom - (kHeight - kBottom - kTop) * (value - y.low) / (y.high - y.low),
              1),
          " ");
    }
    svg += "\"/>";
    StrAppend(&legend, "<span class=\"key ", colour, "\">", EscapeHtml(lines[i].name), "</span> ");
  }
  return StrCat(svg, "</svg><div>", legend, "</div></figure>");
}

}  // namespace assay
