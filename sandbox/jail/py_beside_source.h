// The texts of the judge's third way, embedded at build time (py_judge.cmake): what the box runs (py_small_pytest.py and
// py_beside.py, one module) and what the tester makes of it (py_beside_plan.py).
#pragma once

namespace assay::jail {
extern const char kPyBesideSource[];
extern const char kPyBesidePlanSource[];
}  // namespace assay::jail
