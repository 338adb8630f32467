// The stages of a selection behind the filters, each a function over the Pool: whole problems out, duplicates out, the strategy's choice,
// bounds and balance. Deterministic for a seed; draws hang on the problem's place, so neither other problems' samples nor other runs in the
// store change them. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "datagen/filter/minhash.h"
#include "datagen/select/pool.h"
#include "datagen/select/select_options.h"

namespace assay {

// Problems outside of the band of pass rates.
void DropByPassRate(const SelectOptions& options, Pool* pool);
// majority: answers that did not win.
void DropMinorities(const SelectOptions& options, Pool* pool);
// Identical texts: of one problem, and across problems if asked for. The earlier one stays.
void DropDuplicates(const SelectOptions& options, Pool* pool);
void DropContaminated(Pool* pool);
// The one with the highest reward stays, the earlier one of equals.
void DropNearDuplicates(const SelectOptions& options, const MinHashSettings& settings, Pool* pool);

// The strategy's own choice; `samples` that stay in are kept. Pairs for preference, else one Kept a sample, in input order (best-of-n:
// in the order of problems).
std::vector<Kept> Choose(const SelectOptions& options, const MinHashSettings& settings, Pool* pool);

// Bounds: max_per_problem, balance, max_samples. What is cut leaves `kept` and is dropped in the pool.
void Bound(const SelectOptions& options, Pool* pool, std::vector<Kept>* kept);
// Which split each kept row is in; rows of one prompt are in one.
void AssignSplits(const SelectOptions& options, const Pool& pool, std::vector<Kept>* kept);

}  // namespace assay
