// `plugin`: a shared object with the interface of assay_plugin.h, in a process of its own.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/cores.h"
#include "core/text.h"
#include "verifiers/own/host_judge.h"
#include "verifiers/own/own_verifiers.h"

namespace assay {
namespace {

enum class OnError { kNull, kFail };

struct Settings {
  std::string file;
  Json options;
  int64_t processes = 0;
  int64_t batch = 256;
  double timeout_s = 10;
  OnError on_error = OnError::kNull;
  double pass_at = 1;
};

Options Table(Settings* s) {
  Options table = VerifierOptions("plugin");
  table.Add("file", &s->file, "the shared object, from the rubric's folder on")
      .Required("file = \"reward.so\"");
  table.Add("options", &s->options, "what it is opened with");
  table.Add("processes", &s->processes, "at most so many at once; 0: one a core").Range(0, 256);
  table.Add("batch", &s->batch, "samples that a process is given at a time").Range(1, 4096);
  table.Add("timeout_s", &s->timeout_s, "the most that one sample may take, seconds")
      .Range(0.01, 86400);
  table.Add("on_error", &s->on_error,
            ChoiceNames<OnError>{{"null", OnError::kNull}, {"fail", OnError::kFail}},
            "what a crash, a hang or a refusal does to its sample: no reward, or a fail with "
            "score 0");
  table.Add("pass_at", &s->pass_at, "a score from here on passes, where the plugin does not say")
      .Finite();
  return table;
}

class PluginVerifier : public Verifier {
 public:
  PluginVerifier(std::unique_ptr<own::HostJudge> judge, int64_t batch)
      : judge_(std::move(judge)), batch_(batch) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    return std::move(VerifyGroups({{&group, row_options}})[0]);
  }
  std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const override {
    return own::JudgeAllowed("plugin", requests, *judge_);
  }
  int64_t BatchSamples() const override { return 4 * batch_; }
  std::vector<std::string> Notes() const override { return judge_->Notes(); }

 private:
  const std::unique_ptr<own::HostJudge> judge_;
  const int64_t batch_;
};

// $ASSAY_PLUGIN_HOST, else beside this executable or in ../libexec/assay.
Result<std::string> FindPluginHost() {
  const char* named = std::getenv("ASSAY_PLUGIN_HOST");
  if (named != nullptr && named[0] != '\0') return std::string(named);
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
  std::string folder(self, size > 0 ? static_cast<size_t>(size) : 0);
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  for (const char* place : {"/assay-plugin-host", "/../libexec/assay/assay-plugin-host"}) {
    if (access((folder + place).c_str(), X_OK) == 0) return folder + place;
  }
  return Error{ErrorCode::kUnavailable, StrCat("assay-plugin-host is not beside ", folder),
               "ASSAY_PLUGIN_HOST names it"};
}

}  // namespace

std::vector<OptionInfo> PluginOptionInfos() {
  Settings settings;
  return Table(&settings).Infos();
}

Result<std::unique_ptr<Verifier>> MakePluginVerifier(const Json& options, const VerifierEnv& env) {
  Settings s;
  if (Status status = Table(&s).Read(options); !status.ok()) return status.error();
  Result<std::string> host = FindPluginHost();
  if (!host.ok()) return host.error();
  // dlopen looks a name without a slash up in the system's folders.
  const std::string file = own::PathFrom(env.folder.empty() ? "./" : env.folder, s.file);
  own::HostPoolOptions pool;
  pool.argv = {*host};
  pool.hello = Json().Set("file", file).Set("options", s.options).Dump();
  pool.processes =
      static_cast<int>(s.processes > 0 ? s.processes : std::min<int64_t>(UsableCores(), 16));
  pool.quiet_s = s.timeout_s;
  pool.interrupted = env.interrupted;
  Result<std::unique_ptr<own::HostPool>> opened = own::HostPool::Open(std::move(pool));
  if (!opened.ok()) return opened.error();
  own::HostJudgeOptions judge;
  judge.who = s.file;
  judge.batch = s.batch;
  judge.timeout_s = s.timeout_s;
  judge.errors_fail = s.on_error == OnError::kFail;
  judge.pass_at = s.pass_at;
  return std::unique_ptr<Verifier>(std::make_unique<PluginVerifier>(
      std::make_unique<own::HostJudge>(std::move(judge), std::move(*opened)), s.batch));
}

}  // namespace assay
