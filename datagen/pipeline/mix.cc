#include "datagen/pipeline/mix.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/spool_file.h"
#include "core/text.h"

namespace assay {
namespace {

using Places = std::vector<SpoolFile::Place>;

// Puts a file's rows aside.
Result<Places> ReadRows(const std::string& file, SpoolFile* spool) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  Places rows;
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return rows;
    Result<SpoolFile::Place> place = spool->Add(line.text);
    if (!place.ok()) return place.error();
    rows.push_back(*place);
  }
}

// Rows of each file: by shares of `count`, or of the largest mixture in which no file runs out.
Result<std::vector<int64_t>> Amounts(const MixSpec& spec, const std::vector<Places>& rows) {
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
  Result<std::unique_ptr<SpoolFile>> spool = SpoolFile::Make(output);
  if (!spool.ok()) return spool.error();
  std::vector<Places> rows;
  for (const std::string& file : spec.files) {
    Result<Places> read = ReadRows(file, spool->get());
    if (!read.ok()) return read.error();
    rows.push_back(std::move(*read));
  }
  Result<std::vector<int64_t>> amounts = Amounts(spec, rows);
  if (!amounts.ok()) return amounts.error();
  Places mixed;
  for (size_t i = 0; i < rows.size(); ++i) {
    Rng rng(spec.seed, "mix", i);
    rng.Shuffle(&rows[i]);
    rows[i].resize(static_cast<size_t>((*amounts)[i]));
    mixed.insert(mixed.end(), rows[i].begin(), rows[i].end());
    rows[i] = Places();
  }
  Rng(spec.seed, "mixed").Shuffle(&mixed);
  if (spec.shares.empty() && spec.count > 0 && static_cast<int64_t>(mixed.size()) > spec.count)
    mixed.resize(static_cast<size_t>(spec.count));
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(output);
  if (!writer.ok()) return writer.error();
  std::string row;
  for (const SpoolFile::Place& place : mixed) {
    if (Status s = (*spool)->Read(place, &row); !s.ok()) return s.error();
    if (Status s = (*writer)->Write(row); !s.ok()) return s.error();
  }
  if (Status s = (*writer)->Close(); !s.ok()) return s.error();
  return *amounts;
}

}  // namespace assay
