// Shared by grpo_parity's sections: reading golden_grpo.json's shapes, comparing, and the one JSON line a section prints.
// Test code: a file of the wrong shape ends the program with a message.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/json.h"

namespace assay::parity {

// Ends the program (exit 2) when the file lacks something.
[[noreturn]] void BadFile(const std::string& what);
const Json& Need(const Json& object, const std::string& key);
double Number(const Json& object, const std::string& key);
bool Has(const Json& object, const std::string& key);  // there and not null

std::vector<double> Numbers(const Json& array);  // null becomes NaN
std::vector<int64_t> Integers(const Json& array);
std::vector<std::vector<double>> Matrix(const Json& array);
at::Tensor TensorOf(const Json& array,
                    at::ScalarType dtype);  // 1 or 2 dimensions; null becomes NaN

// One section's tally. An error is |ours - theirs| / max(1, |theirs|); NaN matches NaN only.
class Section {
 public:
  // `quiet`: failures are not named (a run that is only made to see where it ends).
  explicit Section(std::string name, bool quiet = false) : name_(std::move(name)), quiet_(quiet) {}
  // A new case; its id is named if it fails.
  void Case(const std::string& id);
  void Compare(const std::string& what, double ours, double theirs, double tolerance);
  void Compare(const std::string& what, const std::vector<double>& ours,
               const std::vector<double>& theirs, double tolerance);
  void Compare(const std::string& what, const at::Tensor& ours, const Json& theirs,
               double tolerance);
  void Fail(const std::string& what, const std::string& why);
  // A value that is out of tolerance by no more than rounding moves it: counted apart, no failure.
  void Undetermined(double error) {
    ++undetermined_;
    undetermined_error_ = std::max(undetermined_error_, error);
  }
  // Prints the line; true if nothing failed. A section without a case fails.
  bool Finish() const;

 private:
  std::string name_;
  bool quiet_ = false;
  int64_t undetermined_ = 0;
  double undetermined_error_ = 0;
  std::string id_;
  int64_t cases_ = 0;
  int64_t failed_ = 0;
  bool case_failed_ = false;
  double max_error_ = 0;
  std::string worst_;
};

// Sections that run the trainer's loops on a tiny model (grpo_parity_train.cc).
bool TinyForward(const Json& golden);
bool EndToEnd(const Json& golden);
bool Sft(const Json& golden);

}  // namespace assay::parity
