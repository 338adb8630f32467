// The text of py_tester.py, embedded at build time (py_judge.cmake).
#pragma once

namespace assay::jail {
extern const char kPyTesterSource[];
}  // namespace assay::jail
