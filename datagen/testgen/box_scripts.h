// What runs in boxes of ours beside anybody's text, as Python source: written by CMake from propose.py,
// propose_streams.py and observe.py.
#pragma once

namespace assay::testgen {
extern const char kPropose[];
extern const char kProposeStreams[];
extern const char kObserve[];
}  // namespace assay::testgen
