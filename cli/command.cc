#include "cli/command.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "core/cores.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/content_cache.h"
#include "sandbox/sandbox.h"

namespace assay {

const char* Version() { return ASSAY_VERSION; }

std::string ConfigFile() {
  const char* path = std::getenv("ASSAY_CONFIG");
  return path != nullptr ? path : "assay.toml";
}

int GlobalOptions::Jobs() const {
  if (jobs > 0) return jobs;
  return UsableCores();
}

std::string SiblingPath(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return ((error ? std::filesystem::path() : self.parent_path()) / name).string();
}

struct Context::LazySandbox {
  std::mutex mutex;
  std::unique_ptr<Sandbox> sandbox;
};

Context::Context() : sandbox_(std::make_shared<LazySandbox>()) {}
Context::~Context() = default;

// Compiled programs are kept on disk without being asked: nothing of a verdict depends on where they come from.
SandboxConfig Context::MakeSandboxConfig() const {
  SandboxConfig config;
  config.isolation = global.isolation;
  config.python = global.python;
  config.preimport = global.preimport;
  config.languages_file = global.languages;
  config.compile_cache = !global.no_cache;
  std::string folder = global.cache.empty() ? sandbox::UserCacheFolder() : global.cache;
  if (!global.no_cache && !folder.empty()) config.compile_folder = StrCat(folder, "/compiled");
  return config;
}

VerifierEnv Context::MakeEnv() {
  VerifierEnv env;
  env.cache_verdicts = !global.no_cache;
  if (!global.no_cache) env.cache_folder = global.cache;
  env.interrupted = &interrupted;
  env.open_sandbox = [shared = sandbox_, this]() -> Result<Sandbox*> {
    std::lock_guard<std::mutex> lock(shared->mutex);
    if (!shared->sandbox) {
      SandboxConfig config = MakeSandboxConfig();
      config.slots = global.Jobs();
      Result<std::unique_ptr<Sandbox>> made = Sandbox::Create(config);
      if (!made.ok()) return made.error();
      shared->sandbox = std::move(*made);
    }
    return shared->sandbox.get();
  };
  return env;
}

void Context::CancelSandbox() {
  std::lock_guard<std::mutex> lock(sandbox_->mutex);
  if (sandbox_->sandbox) sandbox_->sandbox->Cancel();
}

Status Context::CheckOutput(const std::vector<std::string>& inputs) const {
  std::vector<std::string> read = inputs;
  read.push_back(ConfigFile());
  for (const std::string& input : read) {
    if (input != "-" && IsSameFile(input, global.output.empty() ? "-" : global.output)) {
      return Error{ErrorCode::kUsage, StrCat("'", input, "' would be written over"),
                   "write to another file with -o"};
    }
  }
  return {};
}

int Context::Output(const std::string& text) const {
  if (Status status = CheckOutput({}); !status.ok()) return Fail(*this, status.error());
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(global.output);
  if (!writer.ok()) return Fail(*this, writer.error());
  std::string_view body = text;
  if (!body.empty() && body.back() == '\n') body.remove_suffix(1);
  Status status = (*writer)->Write(body);
  if (status.ok()) status = (*writer)->Close();
  return status.ok() ? kExitOk : Fail(*this, status.error());
}

namespace {

// What core/jsonl.h says of a pipe whose reader has ended.
constexpr char kReaderGone[] = "cannot write 'standard output': Broken pipe";

bool UseColor(const Context& context) {
  if (context.global.color == "always") return true;
  const char* no_color = std::getenv("NO_COLOR");
  if (context.global.color == "never" || (no_color != nullptr && no_color[0] != '\0')) return false;
  return isatty(STDERR_FILENO) == 1;
}

void Say(const Context& context, const char* code, const std::string& label,
         const std::string& text) {
  const bool color = UseColor(context);
  std::fprintf(stderr, "%s%s%s %s\n", color ? code : "", label.c_str(), color ? "\x1b[0m" : "",
               text.c_str());
}

}  // namespace

int Fail(const Context& context, const Error& error) {
  if (error.code == ErrorCode::kIo && error.message == kReaderGone) return kExitOk;
  std::fflush(stdout);
  Say(context, "\x1b[1;31m", "error:", error.message);
  if (!error.hint.empty()) {
    std::fputc('\n', stderr);
    Say(context, "\x1b[1;36m", "hint:", error.hint);
  }
  return kExitUsage;
}

void Note(const Context& context, const std::string& text) {
  if (!context.global.quiet) std::fprintf(stderr, "%s\n", text.c_str());
}

void Warn(const Context& context, const std::string& text) {
  Say(context, "\x1b[1;33m", "warning:", text);
}

}  // namespace assay
