#include "datagen/pipeline/mix.h"

#include <algorithm>
#include <cmath>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"

namespace assay {
namespace {

Result<std::vector<std::string>> ReadRows(const std::string& file) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  std::vector<std::string> rows;
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return rows;
    rows.emplace_back(line.text);
  }
}

// Rows of each file: by shares of `count`, or of the largest mixture in which no file runs out.
Result<std::vector<int64_t>> Amounts(const MixSpec& spec,
                                     const std::vector<std::vector<std::string>>& rows) {
  std::vector<int64_t> amounts;
  if (spec.shares.empty()) {
    for (const auto& of_file : rows) amounts.push_back(static_cast<int64_t>(of_file.size()));
    return amounts;
  }
  if (spec.shares.size() != rows.size())
    return Error{ErrorCode::kUsage,
                 StrCat(spec.shares.size(), " shares for ", rows.size(), " files"),
                 "one share for each file, in order"};
  double sum = 0, total = spec.count > 0 ? static_cast<double>(spec.count) : INFINITY;
  for (double share : spec.shares) sum += share;
  if (!(sum > 0)) return Error{ErrorCode::kUsage, "all shares are 0", ""};
  for (size_t i = 0; i < rows.size(); ++i) {
    if (spec.shares[i] > 0)
      total = std::min(total, static_cast<double>(rows[i].size()) * sum / spec.shares[i]);
  }
  for (double share : spec.shares)
    amounts.push_back(static_cast<int64_t>(std::floor(total * share / sum + 1e-9)));
  return amounts;
}

}  // namespace

Result<std::vector<int64_t>> MixRows(const MixSpec& spec, const std::string& output) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& file : spec.files) {
    Result<std::vector<std::string>> read = ReadRows(file);
    if (!read.ok()) return read.error();
    rows.push_back(std::move(*read));
  }
  Result<std::vector<int64_t>> amounts = Amounts(spec, rows);
  if (!amounts.ok()) return amounts.error();
  std::vector<std::string> mixed;
  for (size_t i = 0; i < rows.size(); ++i) {
    Rng rng(spec.seed, "mix", i);
    rng.Shuffle(&rows[i]);
    rows[i].resize(static_cast<size_t>((*amounts)[i]));
    for (std::string& row : rows[i]) mixed.push_back(std::move(row));
  }
  Rng(spec.seed, "mixed").Shuffle(&mixed);
  if (spec.shares.empty() && spec.count > 0 && static_cast<int64_t>(mixed.size()) > spec.count)
    mixed.resize(static_cast<size_t>(spec.count));
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(output);
  if (!writer.ok()) return writer.error();
  for (const std::string& row : mixed) {
    if (Status s = (*writer)->Write(row); !s.ok()) return s.error();
  }
  if (Status s = (*writer)->Close(); !s.ok()) return s.error();
  return *amounts;
}

}  // namespace assay
