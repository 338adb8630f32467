// What verifiers/code tells the two sides of the judge, as plain C++ (no Python, no JSON library needed in the box). The
// candidate's part holds the program and names only: nothing of the tests, no expected value (rule 1). The tester's part is
// JSON text, read by the tester's own Python (py_tester.py documents its keys). Values; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::jail {

struct CandidateSpec {
  std::string program;           // the whole text: prompt part and completion
  std::string module_name;       // its __name__ ("solution": a main guard does not run)
  int64_t first_line = 0;        // lines of the program before the completion's first
  bool waits_for_setup = false;  // the tester's first request comes before the program is loaded
  std::vector<std::string> records;  // classes whose instances cross as records

  std::string Encode() const;
  // False if the bytes are not what Encode writes.
  static bool Decode(std::string_view bytes, CandidateSpec* spec);
};

}  // namespace assay::jail
