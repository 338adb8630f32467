// An audit as JSON, as text and as one HTML page.
#include "core/html.h"
#include "core/text.h"
#include "datagen/audit/audit.h"

namespace assay {
namespace {

std::string Percent(int64_t part, int64_t whole) {
  if (whole <= 0) return "-";
  return StrCat(FixedDigits(100.0 * static_cast<double>(part) / static_cast<double>(whole), 1),
                " %");
}

double Mean(double sum, int64_t rows) { return rows > 0 ? sum / static_cast<double>(rows) : 0; }

Json SumsJson(const std::map<std::string, ProbeSum>& sums) {
  Json json = Json::MakeObject();
  for (const auto& [name, sum] : sums) {
    json.Set(name, Json()
                       .Set("rows", sum.rows)
                       .Set("passed", sum.passed)
                       .Set("mean_reward", Mean(sum.reward, sum.rows))
                       .Set("mean_gold_reward", Mean(sum.gold_reward, sum.rows)));
  }
  return json;
}

std::string Cells(const std::vector<std::string>& cells, const char* tag = "td") {
  std::string row = "<tr>";
  for (const std::string& cell : cells)
    StrAppend(&row, "<", tag, ">", EscapeHtml(cell), "</", tag, ">");
  return row + "</tr>\n";
}

std::string ProbeTable(const std::map<std::string, ProbeSum>& sums, bool with_gold) {
  std::string table =
      "<table>\n" +
      (with_gold
           ? Cells({"reply", "rows", "passes", "mean reward", "of the row's own answer"}, "th")
           : Cells({"frame", "rows", "passes", "mean reward"}, "th"));
  for (const auto& [name, sum] : sums) {
    std::vector<std::string> cells = {name, WithThousands(sum.rows), Percent(sum.passed, sum.rows),
                                      FixedDigits(Mean(sum.reward, sum.rows), 3)};
    if (with_gold) cells.push_back(FixedDigits(Mean(sum.gold_reward, sum.rows), 3));
    table += Cells(cells);
  }
  return table + "</table>\n";
}

constexpr const char* kStyle =
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{border-bottom:1px solid "
    "#ddd;padding:.2rem .8rem .2rem 0;"
    "text-align:left;vertical-align:top}h2{margin-top:2rem}code{background:#f3f3f3}summary{cursor:"
    "pointer}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}}"
    "</style>\n";

}  // namespace

Json AuditReport::ToJson() const {
  Json found = Json::MakeObject(), list = Json::MakeArray();
  for (const AuditKind& kind : AuditKinds()) {
    auto at = kinds.find(kind.name);
    found.Set(kind.name, at == kinds.end() ? int64_t{0} : at->second);
  }
  for (const AuditRow& row : findings) {
    Json items = Json::MakeArray();
    for (const AuditFinding& finding : row.findings)
      items.Append(Json().Set("kind", finding.kind).Set("detail", finding.detail));
    list.Append(Json()
                    .Set("id", row.id)
                    .Set("file", row.file)
                    .Set("line", row.line)
                    .Set("findings", std::move(items)));
  }
  return Json()
      .Set("rows", rows)
      .Set("text_rows", text_rows)
      .Set("code_rows", code_rows)
      .Set("with_solution", with_reference)
      .Set("bad_lines", bad_lines)
      .Set("findings", std::move(found))
      .Set("frames", SumsJson(frames))
      .Set("probes", SumsJson(probes))
      .Set("mutants", Json().Set("made", mutants).Set("alive", mutants_alive))
      .Set("verdicts", verdicts)
      .Set("undecided", undecided)
      .Set("row_findings", std::move(list));
}

std::string AuditReport::ToText() const {
  std::string text =
      StrCat(WithThousands(rows), " rows (", WithThousands(text_rows), " with answers, ",
             WithThousands(code_rows), " with tests), ", WithThousands(with_reference),
             " with a solution; ", WithThousands(static_cast<int64_t>(findings.size())),
             " with findings\n");
  if (bad_lines > 0) StrAppend(&text, "  bad lines: ", WithThousands(bad_lines), "\n");
  for (const AuditKind& kind : AuditKinds()) {
    auto at = kinds.find(kind.name);
    if (at == kinds.end()) continue;
    StrAppend(&text, "  ", kind.name, ": ", WithThousands(at->second), " (",
              Percent(at->second, rows), "): ", kind.sentence, "\n");
  }
  if (mutants > 0)
    StrAppend(&text, "  mutants that pass: ", Percent(mutants_alive, mutants), " (",
              WithThousands(mutants_alive), " of ", WithThousands(mutants), ")\n");
  StrAppend(&text, "  undecided: ", Percent(undecided, verdicts), " of verdicts\n");
  StrAppend(&text, "What replies earn that solve nothing:\n");
  for (const auto& [name, sum] : probes) {
    if (sum.passed == 0 && sum.reward == 0) continue;
    StrAppend(&text, "  ", name, ": passes ", Percent(sum.passed, sum.rows), ", mean reward ",
              FixedDigits(Mean(sum.reward, sum.rows), 3), " of ",
              FixedDigits(Mean(sum.gold_reward, sum.rows), 3), "\n");
  }
  text.pop_back();
  return text;
}

std::string AuditReport::ToPage(const std::string& title) const {
  constexpr size_t kShownMax = 500;
  std::string page = StrCat(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>",
      EscapeHtml(title), "</title>\n", kStyle, "<h1>", EscapeHtml(title), "</h1>\n<p>",
      WithThousands(rows), " rows, ", WithThousands(with_reference), " with a solution, ",
      WithThousands(static_cast<int64_t>(findings.size())),
      " with findings. Undecided: ", Percent(undecided, verdicts),
      " of verdicts.</p>\n<h2>Findings</h2>\n<table>\n");
  page += Cells({"kind", "rows", "share", ""}, "th");
  for (const AuditKind& kind : AuditKinds()) {
    auto at = kinds.find(kind.name);
    const int64_t count = at == kinds.end() ? 0 : at->second;
    page += Cells({kind.name, WithThousands(count), Percent(count, rows), kind.sentence});
  }
  StrAppend(&page, "</table>\n<h2>What replies earn that solve nothing</h2>\n",
            ProbeTable(probes, true), "<h2>The rows' own answers, by frame</h2>\n",
            ProbeTable(frames, false));
  if (mutants > 0)
    StrAppend(&page, "<p>Changes to solutions that their tests let pass: ",
              Percent(mutants_alive, mutants), " of ", WithThousands(mutants),
              ". Some mean the same as the solution.</p>\n");
  for (const AuditKind& kind : AuditKinds()) {
    if (kinds.find(kind.name) == kinds.end()) continue;
    StrAppend(&page, "<details><summary><b>", kind.name, "</b>: ", kind.sentence,
              "</summary>\n<table>\n");
    size_t shown = 0;
    for (const AuditRow& row : findings) {
      for (const AuditFinding& finding : row.findings) {
        if (finding.kind != kind.name || ++shown > kShownMax) continue;
        page += Cells({row.id, StrCat("line ", row.line), finding.detail});
      }
    }
    StrAppend(&page, "</table>\n",
              shown > kShownMax ? StrCat("<p>and ", shown - kShownMax, " more</p>\n") : "",
              "</details>\n");
  }
  return page + "</html>\n";
}

}  // namespace assay
