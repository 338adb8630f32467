#include "datagen/filter/contamination.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/problem_fields.h"
#include "core/text.h"
#include "datagen/filter/word_hashes.h"

namespace assay {
namespace {

// Runs of one length, found by their hash. The bits let nearly every miss end without a look into the map.
class RunTable {
 public:
  void Add(uint64_t hash, uint32_t row) { rows_.try_emplace(hash, row); }
  void Seal() {
    size_t size = 1024;
    while (size < 16 * rows_.size()) size *= 2;
    bits_.assign(size / 64, 0);
    for (const auto& [hash, row] : rows_) bits_[Word(hash)] |= Bit(hash);
  }
  const uint32_t* Find(uint64_t hash) const {
    if ((bits_[Word(hash)] & Bit(hash)) == 0) return nullptr;
    const auto found = rows_.find(hash);
    return found == rows_.end() ? nullptr : &found->second;
  }
  size_t size() const { return rows_.size(); }

 private:
  size_t Word(uint64_t hash) const { return (hash >> 6) & (bits_.size() - 1); }
  static uint64_t Bit(uint64_t hash) { return uint64_t{1} << (hash & 63); }

  std::unordered_map<uint64_t, uint32_t> rows_;
  std::vector<uint64_t> bits_;
};

struct TestRow {
  uint32_t set;
  std::string id;
};

// "gsm8k=data/test.jsonl.gz" as name and file; without a name the file's own.
std::pair<std::string, std::string> NameAndFile(const std::string& spec) {
  const size_t equals = spec.find('=');
  if (equals != std::string::npos && spec.find('/') > equals)
    return {spec.substr(0, equals), spec.substr(equals + 1)};
  std::string name = std::filesystem::path(spec).filename().string();
  return {name.substr(0, name.find('.')), spec};
}

}  // namespace

struct ContaminationIndex::Impl {
  ContaminationSettings settings;
  std::vector<std::string> names;
  std::vector<TestRow> rows;
  RunTable runs, short_runs, whole;

  Status LoadFile(const std::string& name, const std::string& file);
  void AddText(std::string_view text, uint32_t row);
  ContaminationHit Hit(uint32_t row, int ngram, std::string_view gram) const {
    return {names[rows[row].set], rows[row].id, ngram, std::string(gram)};
  }
  // The first run of `n` words that stands in `table`.
  std::optional<ContaminationHit> FindRun(const RunTable& table, int n,
                                          const std::vector<uint64_t>& words,
                                          const std::vector<WordPlace>& places,
                                          std::string_view text) const;
};

Status ContaminationIndex::Impl::LoadFile(const std::string& name, const std::string& file) {
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return Error{ErrorCode::kUsage, StrCat("evaluation set '", name, "' is given twice"),
                 "name each: --decontaminate NAME=FILE"};
  }
  names.push_back(name);
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  const size_t before = rows.size();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    if (!row.ok() || !row->IsObject())
      return Error{ErrorCode::kInput, StrCat(file, ":", line.number, ": not a JSON object"),
                   "an evaluation set is a file of JSON lines with their prompts"};
    FillProblem(&*row);
    Result<Problem> problem = ProblemFromJson(*row);
    if (!problem.ok() || problem->prompt.empty()) continue;
    rows.push_back({static_cast<uint32_t>(names.size() - 1),
                    problem->id.empty() ? StrCat("line ", line.number) : problem->id});
    AddText(problem->prompt, static_cast<uint32_t>(rows.size() - 1));
  }
  if (rows.size() > before) return {};
  return Error{ErrorCode::kInput, StrCat("no row of '", file, "' has a prompt"),
               "an evaluation set has its questions in prompt, question, problem or text"};
}

void ContaminationIndex::Impl::AddText(std::string_view text, uint32_t row) {
  std::vector<uint64_t> words, hashes;
  HashSpacedWords(text, &words);
  const bool is_short = static_cast<int>(words.size()) < settings.ngram;
  const int n = is_short ? settings.short_ngram : settings.ngram;
  if (static_cast<int>(words.size()) >= n) {
    HashRuns(words, n, &hashes);
    for (const uint64_t hash : hashes) (is_short ? short_runs : runs).Add(hash, row);
  }
  const std::string normalized = NormalizedText(text);
  if (!normalized.empty()) whole.Add(HashBytes64(normalized), row);
}

std::optional<ContaminationHit> ContaminationIndex::Impl::FindRun(
    const RunTable& table, int n, const std::vector<uint64_t>& words,
    const std::vector<WordPlace>& places, std::string_view text) const {
  if (table.size() == 0 || static_cast<int>(words.size()) < n) return std::nullopt;
  std::vector<uint64_t> hashes;
  HashRuns(words, n, &hashes);
  for (size_t i = 0; i < hashes.size(); ++i) {
    const uint32_t* row = table.Find(hashes[i]);
    if (row == nullptr) continue;
    const WordPlace first = places[i], last = places[i + static_cast<size_t>(n) - 1];
    return Hit(*row, n, text.substr(first.begin, last.end - first.begin));
  }
  return std::nullopt;
}

ContaminationIndex::ContaminationIndex() : impl_(std::make_unique<Impl>()) {}
ContaminationIndex::~ContaminationIndex() = default;

Result<std::unique_ptr<ContaminationIndex>> ContaminationIndex::Load(
    const std::vector<std::string>& sets, const ContaminationSettings& settings) {
  std::unique_ptr<ContaminationIndex> index(new ContaminationIndex());
  index->impl_->settings = settings;
  for (const std::string& spec : sets) {
    const auto [name, file] = NameAndFile(spec);
    if (Status status = index->impl_->LoadFile(name, file); !status.ok()) return status.error();
  }
  for (RunTable* table : {&index->impl_->runs, &index->impl_->short_runs, &index->impl_->whole})
    table->Seal();
  return index;
}

std::optional<ContaminationHit> ContaminationIndex::Find(std::string_view text) const {
  std::vector<uint64_t> words;
  std::vector<WordPlace> places;
  HashSpacedWords(text, &words, &places);
  const ContaminationSettings& settings = impl_->settings;
  if (auto hit = impl_->FindRun(impl_->runs, settings.ngram, words, places, text)) return hit;
  if (auto hit = impl_->FindRun(impl_->short_runs, settings.short_ngram, words, places, text))
    return hit;
  const std::string normalized = NormalizedText(text);
  const uint32_t* row = normalized.empty() ? nullptr : impl_->whole.Find(HashBytes64(normalized));
  if (row == nullptr) return std::nullopt;
  return impl_->Hit(*row, 0, Shorten(text, 200));
}

int64_t ContaminationIndex::rows() const { return static_cast<int64_t>(impl_->rows.size()); }
int64_t ContaminationIndex::runs() const {
  return static_cast<int64_t>(impl_->runs.size() + impl_->short_runs.size());
}

std::string ContaminationHit::ToText() const {
  if (ngram == 0) return StrCat(set, " (", row, "), the whole text: ", gram);
  return StrCat(set, " (", row, "), ", ngram, " words: ", gram);
}

}  // namespace assay
