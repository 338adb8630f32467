// The Python that a user names (`--python`): which version it is and where its packages lie, asked of the interpreter itself. The jail
// embeds the Python it was built with; another minor version's packages would not load there, so that is an error. Safe
// from any thread.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace assay::sandbox {

struct Interpreter {
  std::string executable;
  std::string version;                // "3.11.2"
  std::vector<std::string> packages;  // its site-packages folders that exist
};

// `named`: an interpreter or a virtual environment's folder. Errors: kUsage, with what was tried.
Result<Interpreter> AskInterpreter(const std::string& named);

// Error naming both if their major or minor versions differ.
Status CheckSameMinor(const Interpreter& interpreter, const std::string& embedded_version);

}  // namespace assay::sandbox
