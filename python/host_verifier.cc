#include "python/host_verifier.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/rows/group_json.h"
#include "core/rows/messages.h"
#include "python/convert.h"
#include "verifiers/own/call_plan.h"

namespace nb = nanobind;

namespace assay::python {
namespace {

constexpr const char* kRaised = "python_error";
constexpr const char* kLate = "reward_timeout";

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
  explicit HostVerifier(nb::callable function)
      : at_once_(nb::cast<bool>(function.attr("at_once"))),
        pace_(nb::cast<double>(function.attr("timeout_s"))),
        function_(std::move(function)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    return std::move(VerifyGroups({{&group, row_options}})[0]);
  }

  // As few calls as can be. Of a function over lists, what went wrong whole is asked again in smaller ones (call_plan.h).
  std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const override {
    const Clock::time_point begin = Clock::now();
    std::vector<Asked> samples;
    std::vector<size_t> groups;
    for (const VerifyRequest& request : requests) {
      groups.push_back(request.group->samples.size());
      for (const Sample& sample : request.group->samples)
        samples.push_back({&request.group->problem, &sample});
    }
    std::vector<Verdict> verdicts = Judge(samples, groups);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    for (Verdict& verdict : verdicts) verdict.ms = ms / static_cast<double>(verdicts.size());
    std::vector<std::vector<Verdict>> out;
    auto next = verdicts.begin();
    for (size_t count : groups) {
      const auto end = next + static_cast<std::ptrdiff_t>(count);
      out.emplace_back(std::make_move_iterator(next), std::make_move_iterator(end));
      next = end;
    }
    return out;
  }

  int64_t BatchSamples() const override { return 256; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    const Problem* problem;
    const Sample* sample;
  };

  std::vector<Verdict> Judge(const std::vector<Asked>& samples,
                             const std::vector<size_t>& groups) const {
    std::vector<Verdict> out(samples.size());
    own::CallPlan plan(&pace_, groups);
    while (const std::optional<own::CallPlan::Call> call = plan.Next()) {
      const Clock::time_point begin = Clock::now();
      const auto first = samples.begin() + static_cast<std::ptrdiff_t>(call->from);
      const auto last = samples.begin() + static_cast<std::ptrdiff_t>(call->to);
      std::vector<Verdict> said = Call({first, last});
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      size_t until = call->to;
      if (at_once_ && (AllFaulty(said, kRaised) || AllFaulty(said, kLate))) {
        until = plan.Failed(seconds, said[0].reason == kLate);
        said.resize(std::max(until, call->from) - call->from, said[0]);
      } else {
        plan.Answered(seconds);
      }
      std::move(said.begin(), said.end(), out.begin() + static_cast<std::ptrdiff_t>(call->from));
    }
    return out;
  }

  static bool AllFaulty(const std::vector<Verdict>& verdicts, const char* reason) {
    return std::all_of(verdicts.begin(), verdicts.end(), [&](const Verdict& v) {
      return v.outcome == Outcome::kFault && v.reason == reason;
    });
  }

  std::vector<Verdict> Call(const std::vector<Asked>& samples) const {
    nb::gil_scoped_acquire gil;
    const auto all_faults = [&](const std::string& why) {
      return std::vector<Verdict>(samples.size(), Verdict::Fault(kRaised, why));
    };
    try {
      nb::list rows;
      for (const Asked& asked : samples) rows.append(RowOf(*asked.problem, *asked.sample));
      const auto said = nb::cast<nb::list>(function_.get()(rows));
      if (nb::len(said) != nb::len(rows)) return all_faults("a list of another length");
      std::vector<Verdict> out;
      for (nb::handle value : said) out.push_back(VerdictOf(value));
      return out;
    } catch (const std::exception& error) {  // nb::python_error is one
      return all_faults(error.what());
    }
  }

  const bool at_once_;
  mutable own::CallPace pace_;
  Held function_;
};

}  // namespace

std::unique_ptr<Verifier> MakeHostVerifier(nb::callable function) {
  return std::make_unique<HostVerifier>(std::move(function));
}

}  // namespace assay::python
