// The languages a box can run: Python in the zygote, and those declared by their compile and run commands, built in or in
// TOML:
//   [language.pascal]
//   source = "main.pas"
//   compile = ["fpc", "-O2", "main.pas"]   # optional; runs in a box of its own
//   artifacts = ["main"]                   # what the compile step leaves; given to every run
//   run = ["./main"]
//   version = ["fpc", "-iV"]
//   package = "fp-compiler"                # what to install where it is missing
// Immutable once made; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sandbox/sandbox.h"

namespace assay::sandbox {

struct Language {
  std::string name;
  std::string source;
  std::vector<std::string> compile;
  std::vector<std::string> artifacts;
  std::vector<std::string> run;
  std::vector<std::string> version;
  std::string package;
  bool zygote = false;  // Python: no program is started
};

// A command of a language for a run with these limits: "{memory_mib}" becomes the limit, for runtimes that must be told how much
// there is (they collect their garbage too late otherwise, or give up too early).
std::vector<std::string> FilledIn(std::vector<std::string> command, const Limits& limits);

class LanguageTable {
 public:
  // The built-in languages and those of `toml` (which may be empty). Errors: kUsage with the line.
  static Result<LanguageTable> Make(const std::string& toml);
  // Null if there is none; aliases ("cpp" for "c++", "py", "node") are known.
  const Language* Find(std::string_view name) const;
  const std::vector<Language>& all() const { return languages_; }
  std::vector<std::string> Names() const;

 private:
  std::vector<Language> languages_;
};

}  // namespace assay::sandbox
