// Whether a limit has a value. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// lim f = value, from f at points that close in on the target from the sides that count: at distances 2^-P and 2^-2P the
// difference has to fall below 2^-P/2 and 2^-P, where P is what the value's size asks for. Agreement is no proof.
Decision LimitEqual(const Tree& tree, Budget* budget, NodeId limit, NodeId value);

}  // namespace assay::math
