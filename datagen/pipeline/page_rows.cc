// Where rows came from. A mixture's rows are the lines of its inputs as they were, so that a line tells its input; what was selected from samples
// says it itself (`provenance`).
#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "core/hash.h"
#include "core/html.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/page.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRowsMax = 200'000;  // of a file; a page is no place to read more
constexpr size_t kExamples = 6;
constexpr int kDepthMax = 16;

// The rows of a file by what they say and by their problem's id.
struct RowFile {
  std::vector<std::string> examples;
  int64_t rows = 0;
  bool cut = false;
  std::unordered_map<uint64_t, int64_t> by_line;
  std::unordered_map<std::string, int64_t> by_id;
};

RowFile ReadRowFile(const std::string& path) {
  RowFile file;
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return file;
  LineReader::Line line;
  for (Result<bool> more = (*reader)->Next(&line); more.ok() && *more;
       more = (*reader)->Next(&line)) {
    if (file.rows == kRowsMax) {
      file.cut = true;
      break;
    }
    file.by_line.emplace(HashBytes64(line.text), ++file.rows);
    if (const Result<Json> json = ParseJson(line.text); json.ok() && json->IsObject())
      file.by_id.emplace(json->StringOr("id", ""), file.rows);
    if (file.examples.size() < kExamples) file.examples.emplace_back(line.text);
  }
  return file;
}

std::string Code(std::string_view text) { return StrCat("<b>", EscapeHtml(text), "</b>"); }

class Origins {
 public:
  explicit Origins(const PageSource& source) : source_(source) {}

  std::string Html() {
    std::string table, examples;
    for (const PageStage& stage : source_.stages) {
      const bool rows = stage.kind == "mix" || stage.kind == "export" || stage.kind == "distill";
      if (!rows || !stage.done) continue;
      const RowFile& file = FileOf(RowsOf(stage));
      StrAppend(&table, "<tr><td>", EscapeHtml(stage.name), "</td><td>", stage.kind, "</td><td>",
                file.cut ? "over " : "", WithThousands(file.rows), "</td><td>",
                Sources(stage, file), "</td></tr>");
      StrAppend(&examples, "<details id=\"rows-", EscapeHtml(stage.name), "\"><summary>",
                EscapeHtml(stage.name), "</summary>");
      for (const std::string& line : file.examples)
        StrAppend(&examples, "<pre>", EscapeHtml(Shorten(Shown(line), 300)), "</pre><p><small>",
                  Way(stage, line, 0), "</small></p>");
      examples += "</details>";
    }
    if (table.empty()) return "";
    return StrCat(
        "<h2>Where the rows came from</h2><div class=\"wide\"><table><tr><th>data set</th>"
        "<th>made by</th><th>rows</th><th>from</th></tr>",
        table, "</table></div>", examples);
  }

 private:
  static std::string Shown(const std::string& line) {
    const Result<Json> json = ParseJson(line);
    if (!json.ok() || json->Find("prompt") == nullptr) return line;
    return StrCat(
        json->Find("prompt")->ScalarText(), "\n",
        json->Find("completion") == nullptr ? "" : json->Find("completion")->ScalarText());
  }

  const PageStage* Find(std::string_view name) const {
    for (const PageStage& stage : source_.stages) {
      if (stage.name == name) return &stage;
    }
    return nullptr;
  }

  // A trainer that distills leaves a model; its rows lie beside it.
  std::string RowsOf(const PageStage& stage) const {
    return stage.kind == "distill" ? StrCat(source_.folder, "/", stage.name, "/rows.jsonl")
                                   : stage.output;
  }

  const RowFile& FileOf(const std::string& path) {
    const auto found = files_.find(path);
    return found != files_.end() ? found->second
                                 : files_.emplace(path, ReadRowFile(path)).first->second;
  }

  // An input as it is called, with its rows.
  struct Input {
    const PageStage* stage = nullptr;
    std::string name, path;
  };
  std::vector<Input> InputsOf(const PageStage& stage) const {
    std::vector<Input> inputs;
    for (const std::string& name : stage.data) {
      const PageStage* made_by = Find(name);
      inputs.push_back({made_by, made_by != nullptr ? name : fs::path(name).filename().string(),
                        made_by != nullptr ? RowsOf(*made_by) : name});
    }
    return inputs;
  }

  std::string Sources(const PageStage& stage, const RowFile& file) {
    if (stage.kind != "mix") return EscapeHtml(Join(stage.needs));
    std::vector<Input> inputs = InputsOf(stage);
    std::vector<int64_t> counts(inputs.size());
    int64_t unknown = 0;
    for (const auto& [hash, row] : file.by_line) {
      size_t i = 0;
      while (i < inputs.size() && FileOf(inputs[i].path).by_line.count(hash) == 0) ++i;
      ++(i < inputs.size() ? counts[i] : unknown);
    }
    std::string html;
    for (size_t i = 0; i < inputs.size(); ++i)
      StrAppend(&html, html.empty() ? "" : ", ", EscapeHtml(inputs[i].name), " ",
                WithThousands(counts[i]));
    if (unknown > 0) StrAppend(&html, ", unknown ", WithThousands(unknown));
    // Rows that are the same, byte for byte, are one here.
    const auto distinct = static_cast<int64_t>(file.by_line.size());
    return distinct == file.rows ? html : StrCat(html, " (", WithThousands(distinct), " distinct)");
  }

  static std::string Join(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) StrAppend(&text, text.empty() ? "" : ", ", name);
    return text;
  }

  // From a row back to where it began, as a sentence.
  std::string Way(const PageStage& stage, const std::string& line, int depth) {
    if (depth > kDepthMax) return "";
    if (stage.kind == "mix") {
      for (const Input& input : InputsOf(stage)) {
        const RowFile& file = FileOf(input.path);
        const auto found = file.by_line.find(HashBytes64(line));
        if (found == file.by_line.end()) continue;
        const std::string here = StrCat(Code(input.name), ", row ", found->second);
        const std::string before = input.stage == nullptr ? "" : Way(*input.stage, line, depth + 1);
        return before.empty() ? here : StrCat(here, " &larr; ", before);
      }
      return "unknown";
    }
    if (stage.kind == "problems") return "<code>assay problems</code>";
    const Result<Json> json = ParseJson(line);
    return json.ok() && json->IsObject() ? FromSample(*json) : "";
  }

  std::string FromSample(const Json& row) {
    const Result<Json> said = ParseJson(row.StringOr("provenance", ""));
    if (!said.ok() || !said->IsObject()) return "";
    std::string way;
    if (const Json* decision = said->Find("decision"))
      StrAppend(&way, "kept as ", EscapeHtml(decision->StringOr("kept", "?")), ", reward ",
                FixedDigits(decision->DoubleOr("reward", 0), 2), ", of ", decision->IntOr("of", 0),
                " &larr; ");
    const fs::path file = std::string(said->StringOr("file", ""));
    const std::string sampled = file.parent_path().filename().string();
    StrAppend(&way, Code(sampled), ", line ", said->IntOr("line", 0), ", sample ",
              said->IntOr("sample", 0));
    const fs::path model = std::string(row.StringOr("model", ""));
    if (!model.empty()) {
      // OUT/STAGE/run/model is the stage's.
      const bool ours = EndsWith(model.string(), "/run/model");
      const fs::path named = ours ? model.parent_path().parent_path() : model;
      StrAppend(&way, " of model ", Code(named.filename().string()));
    }
    const std::string id(row.StringOr("id", ""));
    const PageStage* stage = Find(sampled);
    if (stage == nullptr || id.empty()) return way;
    for (const Input& input : InputsOf(*stage)) {
      const RowFile& problems = FileOf(input.path);
      const auto found = problems.by_id.find(id);
      if (found == problems.by_id.end()) continue;
      return StrCat(way, " &larr; problem ", EscapeHtml(id), ", ", Code(input.name), ", row ",
                    found->second);
    }
    return way;
  }

  const PageSource& source_;
  std::unordered_map<std::string, RowFile> files_;
};

}  // namespace

std::string RowOrigins(const PageSource& source) { return Origins(source).Html(); }

}  // namespace assay
