#include "python/host_verifier.h"

#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "core/rows/group_json.h"
#include "core/rows/messages.h"
#include "python/convert.h"

namespace nb = nanobind;

namespace assay::python {
namespace {

// A reference that is given back with the GIL held, whoever ends it.
class Held {
 public:
  explicit Held(nb::callable function) : function_(std::move(function)) {}
  ~Held() {
    if (Py_IsInitialized() == 0) {
      function_.release();
      return;
    }
    nb::gil_scoped_acquire gil;
    function_.reset();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  const nb::callable& get() const { return function_; }

 private:
  nb::callable function_;
};

// The row of one sample as a function sees it: what the problem says, and its own completion.
nb::object RowOf(const Problem& problem, const Sample& sample) {
  Group group;
  group.problem = problem;
  group.samples = {sample};
  group.flat = true;
  nb::object row = FromJson(GroupToJson(group));
  // Chat prompts have chat completions, whether or not these say more than their text.
  if (!problem.messages.empty()) row["completion"] = FromJson(CompletionMessages(sample));
  return row;
}

Verdict VerdictOf(nb::handle value) {
  if (value.is_none()) return Verdict::Abstain("not_applicable", "the function gave None");
  if (PyUnicode_Check(value.ptr()))
    return Verdict::Fault("python_error", *ToJson(value).AsString());
  const double score = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred() != nullptr || !std::isfinite(score)) {
    PyErr_Clear();
    return Verdict::Fault("python_error", "the function gave no finite number");
  }
  return score > 0 ? Verdict::Pass("ok", score) : Verdict::Fail("not_rewarded", "", score);
}

class HostVerifier : public Verifier {
 public:
  explicit HostVerifier(nb::callable function) : function_(std::move(function)) {}

  std::vector<Verdict> Verify(const Group& group, const Json*) const override {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<Verdict> out = Call(group);
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    for (Verdict& verdict : out) verdict.ms = spent.count() / static_cast<double>(out.size());
    return out;
  }

 private:
  std::vector<Verdict> Call(const Group& group) const {
    nb::gil_scoped_acquire gil;
    const size_t count = group.samples.size();
    try {
      nb::list rows;
      for (const Sample& sample : group.samples) rows.append(RowOf(group.problem, sample));
      const nb::object said = function_.get()(rows);
      std::vector<Verdict> out;
      for (nb::handle value : said) out.push_back(VerdictOf(value));
      if (out.size() == count) return out;
      return std::vector<Verdict>(count,
                                  Verdict::Fault("python_error", "a list of another length"));
    } catch (const std::exception& error) {  // nb::python_error is one
      return std::vector<Verdict>(count, Verdict::Fault("python_error", error.what()));
    }
  }

  Held function_;
};

}  // namespace

std::unique_ptr<Verifier> MakeHostVerifier(nb::callable function) {
  return std::make_unique<HostVerifier>(std::move(function));
}

}  // namespace assay::python
