// How a worked problem is written down as a reply, in one of the styles of SolutionStyle. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/rng.h"
#include "datagen/problems/kinds.h"
#include "datagen/problems/problems.h"

namespace assay {

// `tags`: <think>..</think> around the reasoning (kNatural draws whether). Languages without words of their own are written in English.
std::string WriteSolution(const DrawnProblem& problem, std::string_view language,
                          SolutionStyle style, bool tags, Rng* rng);

}  // namespace assay
