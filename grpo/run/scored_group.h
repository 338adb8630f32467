// One problem's samples as text, with their verdicts.
#pragma once

#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

struct ScoredGroup {
  Group group;
  GroupScore score;
};

}  // namespace assay
