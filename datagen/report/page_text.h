// The pieces of the report's page, written by CMake from datagen/report/page/ and third_party/chart.js/.
#pragma once

namespace assay::page {
extern const char kHtml[];
extern const char kStyle[];
extern const char kScript[];
}  // namespace assay::page

namespace assay::chart_js {
extern const char kChartScript[];
}
