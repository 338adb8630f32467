#include "python/host_verifier.h"

#include <algorithm>
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

constexpr const char* kRaised = "python_error";

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
  if (PyTuple_Check(value.ptr())) {
    const Json pair = ToJson(value);
    return Verdict::Fault(pair.AsArray()->at(0).ScalarText(), pair.AsArray()->at(1).ScalarText());
  }
  const double score = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred() != nullptr || !std::isfinite(score)) {
    PyErr_Clear();
    return Verdict::Fault(kRaised, "the function gave no finite number");
  }
  return score > 0 ? Verdict::Pass("ok", score) : Verdict::Fail("not_rewarded", "", score);
}

class HostVerifier : public Verifier {
 public:
  explicit HostVerifier(nb::callable function) : function_(std::move(function)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    return std::move(VerifyGroups({{&group, row_options}})[0]);
  }

  // All groups in one call; one by one where that raised, so that an exception over one row takes its own group only.
  std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const override {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::vector<Verdict>> out = Call(requests);
    if (requests.size() > 1 && std::all_of(out.begin(), out.end(), AllRaised)) {
      out.clear();
      for (const VerifyRequest& request : requests) out.push_back(std::move(Call({request})[0]));
    }
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    size_t count = 0;
    for (const auto& verdicts : out) count += verdicts.size();
    for (auto& verdicts : out) {
      for (Verdict& verdict : verdicts) verdict.ms = spent.count() / static_cast<double>(count);
    }
    return out;
  }

  int64_t BatchSamples() const override { return 256; }

 private:
  static bool AllRaised(const std::vector<Verdict>& verdicts) {
    return std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& v) {
      return v.outcome == Outcome::kFault && v.reason == kRaised;
    });
  }

  std::vector<std::vector<Verdict>> Call(const std::vector<VerifyRequest>& requests) const {
    nb::gil_scoped_acquire gil;
    std::vector<std::vector<Verdict>> out(requests.size());
    const auto all_faults = [&](const std::string& why) {
      for (size_t i = 0; i < requests.size(); ++i)
        out[i].assign(requests[i].group->samples.size(), Verdict::Fault(kRaised, why));
      return out;
    };
    try {
      nb::list rows;
      for (const VerifyRequest& request : requests) {
        for (const Sample& sample : request.group->samples)
          rows.append(RowOf(request.group->problem, sample));
      }
      const auto said = nb::cast<nb::list>(function_.get()(rows));
      if (nb::len(said) != nb::len(rows)) return all_faults("a list of another length");
      size_t at = 0;
      for (size_t i = 0; i < requests.size(); ++i) {
        for (size_t k = 0; k < requests[i].group->samples.size(); ++k)
          out[i].push_back(VerdictOf(said[at++]));
      }
      return out;
    } catch (const std::exception& error) {  // nb::python_error is one
      return all_faults(error.what());
    }
  }

  Held function_;
};

}  // namespace

std::unique_ptr<Verifier> MakeHostVerifier(nb::callable function) {
  return std::make_unique<HostVerifier>(std::move(function));
}

}  // namespace assay::python
