// ProblemJoin: replies that say only an id, put together with their problems. Loaded once; Join is safe from many threads.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace re2 {
class RE2;
}

namespace assay {

class ProblemJoin {
 public:
  // `files` may be empty; `id_pattern` as in ImportOptions. Errors: kUsage for a pattern without exactly one group, kInput, kIo.
  static Result<std::unique_ptr<ProblemJoin>> Load(const std::vector<std::string>& files,
                                                   const std::string& id_pattern);
  ~ProblemJoin();

  // `row`: one of ours (ToAssayRow). Its id becomes its problem's; what the problem says and the row does not is filled in. Error:
  // kInput if there are problems, and none of that id.
  Status Join(Json* row) const;

 private:
  ProblemJoin();
  Status LoadFile(const std::string& file);

  std::unique_ptr<re2::RE2> pattern_;
  bool joins_ = false;
  std::unordered_map<std::string, Json> problems_;
};

}  // namespace assay
