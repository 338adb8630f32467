// LineOrder: where the lines of gathered groups belong. While such a run goes on its lines are written group by group, so that it can be
// resumed as any other; at its end they are put where the input's lines were. Eight bytes a line. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "datagen/score/score_row.h"

namespace assay {

class LineOrder {
 public:
  // The row's lines come next in the file that is written.
  void Add(const ScoreRow& row);
  // Writes the lines of `from` to `to` (packed where its name says so) in the input's order. False: `stop` said so before all were written.
  // Errors: kIo, and kInput where `from` has not as many lines as were added.
  Result<bool> Write(const std::string& from, const std::string& to,
                     const std::function<bool()>& stop) const;
  // The other way: hands out the lines of `path`, which stand in the input's order, in the order in which they were added. Errors as above.
  Status ReadBack(const std::string& path,
                  const std::function<void(std::string_view line)>& take) const;

 private:
  std::vector<uint64_t> places_;
};

}  // namespace assay
