#include "sandbox/interpreter.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/process.hpp>

#include "core/text.h"

namespace assay::sandbox {
namespace {

namespace bp = boost::process;

constexpr char kQuestion[] =
    "import os, site, sys\n"
    "print('.'.join(map(str, sys.version_info[:3])))\n"
    "for p in site.getsitepackages():\n"
    "    if os.path.isdir(p): print(os.path.realpath(p))\n";

Error NotPython(const std::string& named, std::string why) {
  return Error{ErrorCode::kUsage, StrCat("'", named, "' is no Python that can be used: ", why),
               "--python takes an interpreter or a virtual environment's folder"};
}

std::string MinorOf(const std::string& version) {
  size_t first = version.find('.');
  size_t second = first == std::string::npos ? first : version.find('.', first + 1);
  return version.substr(0, second);
}

}  // namespace

Result<Interpreter> AskInterpreter(const std::string& named) {
  Interpreter interpreter;
  struct stat info;
  interpreter.executable =
      stat(named.c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? named + "/bin/python3" : named;
  if (interpreter.executable.find('/') == std::string::npos) {
    interpreter.executable = bp::search_path(interpreter.executable).string();
  }
  if (interpreter.executable.empty() || access(interpreter.executable.c_str(), X_OK) != 0) {
    return NotPython(named, "there is no such program");
  }
  try {
    bp::ipstream out;
    std::error_code code;
    bp::child child(interpreter.executable, "-I", "-c", kQuestion,
                    bp::std_in<bp::null, bp::std_out> out, bp::std_err > bp::null, code);
    if (code) return NotPython(named, code.message());
    std::string line;
    if (std::getline(out, line)) interpreter.version = line;
    while (std::getline(out, line)) interpreter.packages.push_back(line);
    child.wait(code);
    if (code || child.exit_code() != 0 || interpreter.version.empty())
      return NotPython(named, "it does not answer");
  } catch (const std::exception& error) {
    return NotPython(named, error.what());
  }
  return interpreter;
}

Status CheckSameMinor(const Interpreter& interpreter, const std::string& embedded_version) {
  if (MinorOf(interpreter.version) == MinorOf(embedded_version)) return {};
  return Error{ErrorCode::kUsage,
               StrCat(interpreter.executable, " is Python ", interpreter.version,
                      ", but assay-jail was built with Python ", embedded_version),
               StrCat("name a Python ", MinorOf(embedded_version),
                      ", or build with -DASSAY_PYTHON=", interpreter.executable)};
}

}  // namespace assay::sandbox
