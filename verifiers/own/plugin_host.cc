// assay-plugin-host: the process in which a plugin runs. Answers frames on descriptor 3 as verifiers/own/host.h says, and says on
// descriptor 4 which sample it is at. The first request is {"file", "options"}; the others are those of sample_json.h. It holds
// nothing back and guards nothing: who started it kills it when it takes too long.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

#include "core/json.h"
#include "core/text.h"
#include "verifiers/own/assay_plugin.h"

namespace assay::own {
namespace {

constexpr int kSocketFd = 3;
constexpr int kProgressFd = 4;

bool ReadBytes(char* data, size_t count) {
  while (count > 0) {
    const ssize_t got = read(kSocketFd, data, count);
    if (got <= 0) return false;
    data += got;
    count -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteBytes(const char* data, size_t count) {
  while (count > 0) {
    const ssize_t sent = write(kSocketFd, data, count);
    if (sent <= 0) return false;
    data += sent;
    count -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReadFrame(std::string* payload) {
  unsigned char header[4];
  if (!ReadBytes(reinterpret_cast<char*>(header), sizeof(header))) return false;
  payload->resize(header[0] | header[1] << 8 | header[2] << 16 |
                  static_cast<size_t>(header[3]) << 24);
  return ReadBytes(payload->data(), payload->size());
}

bool WriteFrame(const std::string& payload) {
  char header[4];
  for (int i = 0; i < 4; ++i) header[i] = static_cast<char>(payload.size() >> (8 * i) & 0xFF);
  return WriteBytes(header, sizeof(header)) && WriteBytes(payload.data(), payload.size());
}

assay_text Text(std::string_view text) { return {text.data(), text.size()}; }

// What stands in a plugin's array, whether it is terminated or not.
template <size_t size>
std::string_view Words(const char (&array)[size]) {
  const std::string_view all(array, size);
  return all.substr(0, all.find('\0'));
}

bool IsReason(std::string_view text) {
  if (text.empty() || text[0] < 'a' || text[0] > 'z') return false;
  for (char c : text) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return false;
  }
  return true;
}

Json ResultOf(int code, const assay_verdict& verdict) {
  const std::string detail = SanitizeUtf8(Words(verdict.detail));
  if (code != 0) {
    return Json()
        .Set("error", "reward_raised")
        .Set("detail", detail.empty() ? StrCat("judge gave ", code) : detail);
  }
  if (!std::isfinite(verdict.score))
    return Json().Set("error", "reward_bad_value").Set("detail", "the score is no finite number");
  static constexpr const char* kOutcomes[] = {"", "pass", "fail", "abstain"};
  if (verdict.outcome < 0 || verdict.outcome > 3)
    return Json()
        .Set("error", "reward_bad_value")
        .Set("detail", "the outcome is none that there is");
  Json result = Json().Set("score", verdict.score);
  if (verdict.outcome != ASSAY_BY_SCORE) result.Set("outcome", kOutcomes[verdict.outcome]);
  if (IsReason(Words(verdict.reason))) result.Set("reason", Words(verdict.reason));
  if (!detail.empty()) result.Set("detail", detail);
  return result;
}

class PluginHost {
 public:
  // {"ok": {"name"}} or {"error"}.
  Json Load(const Json& hello) {
    const std::string file(hello.StringOr("file", ""));
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return Error(dlerror());
    const auto entry =
        reinterpret_cast<const assay_plugin* (*)()>(dlsym(library, "assay_plugin_v1"));
    if (entry == nullptr) return Error(StrCat("'", file, "' exports no assay_plugin_v1"));
    plugin_ = entry();
    if (plugin_ == nullptr || plugin_->judge == nullptr)
      return Error(StrCat("'", file, "' offers nothing"));
    if (plugin_->version != ASSAY_PLUGIN_VERSION) {
      return Error(StrCat("'", file, "' is of version ", plugin_->version,
                          " of the interface, not ", ASSAY_PLUGIN_VERSION));
    }
    const Json* given = hello.Find("options");
    const std::string options = given != nullptr && given->IsObject() ? given->Dump() : "{}";
    char error[512] = "";
    if (plugin_->open != nullptr &&
        plugin_->open(Text(options), &state_, error, sizeof(error)) != 0)
      return Error(StrCat("'", file, "': ", SanitizeUtf8(Words(error))));
    const char* name = plugin_->name != nullptr ? plugin_->name : "plugin";
    return Json().Set("ok", Json().Set("name", SanitizeUtf8(name)));
  }

  Json Judge(const Json& request, volatile uint64_t* progress) const {
    const Json::Array& problems = *request.Find("problems")->AsArray();
    std::string row;
    const Json* row_of = nullptr;
    Json results = Json::MakeArray();
    for (const Json& one : *request.Find("samples")->AsArray()) {
      const Json& problem = problems[static_cast<size_t>(one.IntOr("problem", 0))];
      if (row_of != &problem) row = problem.Dump();
      row_of = &problem;
      assay_sample sample = {};
      sample.completion = Text(one.StringOr("text", ""));
      sample.prompt = Text(problem.StringOr("prompt", ""));
      sample.answer = Text(problem.StringOr("answer", ""));
      sample.finish_reason = Text(one.StringOr("finish_reason", ""));
      sample.row = Text(row);
      assay_verdict verdict = {};
      *progress = *progress + 1;
      const int code = plugin_->judge(state_, &sample, &verdict);
      results.Append(ResultOf(code, verdict));
    }
    *progress = 0;
    return Json().Set("results", std::move(results));
  }

  void Close() const {
    if (plugin_ != nullptr && plugin_->close != nullptr) plugin_->close(state_);
  }

 private:
  static Json Error(std::string_view message) { return Json().Set("error", message); }

  const assay_plugin* plugin_ = nullptr;
  void* state_ = nullptr;
};

int Main() {
  void* shared =
      mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, kProgressFd, 0);
  if (shared == MAP_FAILED) {
    std::fputs("assay-plugin-host is started by assay\n", stderr);
    return 2;
  }
  // Nobody else ends a plugin that hangs when whoever asked is gone.
  std::thread([parent = getppid()] {
    while (getppid() == parent) sleep(1);
    _exit(1);
  }).detach();
  PluginHost host;
  std::string payload;
  bool loaded = false;
  while (ReadFrame(&payload)) {
    const Result<Json> request = ParseJson(payload);
    if (!request.ok()) return 2;
    const Json answer = loaded ? host.Judge(*request, static_cast<volatile uint64_t*>(shared))
                               : host.Load(*request);
    loaded = true;
    if (!WriteFrame(answer.Dump())) return 2;
  }
  host.Close();
  return 0;
}

}  // namespace
}  // namespace assay::own

int main() { return assay::own::Main(); }
