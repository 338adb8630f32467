// HostVerifier: a Python callable as a verifier of a rubric. The package hands over an `Adapted` (python/assay/_callables.py): a function
// that takes a list of rows and gives a list of as many numbers, Nones (not scored) or pairs (reason and sentence of what went wrong), and
// what it says of itself: which signature the user's own function has and how it is ended is the package's affair. Called from scoring
// threads; takes the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "verifiers/verifier.h"

namespace assay::python {

// `function` must be called with the GIL held, as must this; the verifier may be destroyed without.
std::unique_ptr<Verifier> MakeHostVerifier(nanobind::callable function);

}  // namespace assay::python
