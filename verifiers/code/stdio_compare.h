// Whether a program's standard output is what a test expects. The number of lines always counts. Pure; thread-safe; linear.
#pragma once

#include <optional>
#include <string_view>

namespace assay {

enum class OutputMatch {
  kLines,   // white space at line ends and empty lines at the end do not count
  kTokens,  // line by line, words between white space
  kExact,   // byte for byte
};

// With `float_tol`, words that are both numbers may differ by float_tol * max(1, |a|, |b|); lines are compared by words then.
bool OutputMatches(std::string_view got, std::string_view want, OutputMatch match,
                   std::optional<double> float_tol);

}  // namespace assay
