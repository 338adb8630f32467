// The linters, one function a language. Each looks at whole programs and runs none of them. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "sandbox/sandbox.h"
#include "verifiers/lint/findings.h"

namespace assay::lint {

// $ASSAY_RUFF, else `ruff` in PATH; "" where neither is there.
std::string FindRuff();

// Python by ruff, a fixed set of rules, no settings from anywhere and no comments that switch rules off; one call for all programs.
// `python_version`: what programs run on ("3.11.2"), whose syntax is asked for.
std::vector<Report> LintByRuff(const std::string& ruff, const std::string& python_version,
                               const std::vector<std::string>& programs);
// Python without ruff: whether it compiles, asked in the box.
Report LintByCompiling(const std::string& program, Sandbox* sandbox);
// C and C++ by the compiler's warnings and, where it is installed, cppcheck, both in the box. `language`: "c" or "c++".
Report LintByCompiler(const std::string& language, const std::string& program, Sandbox* sandbox);
// JavaScript: whether node parses it, in the box.
Report LintByNode(const std::string& program, Sandbox* sandbox);

}  // namespace assay::lint
