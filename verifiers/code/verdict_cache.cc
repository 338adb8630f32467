#include "verifiers/code/verdict_cache.h"

#include "core/hash.h"
#include "core/json.h"
#include "core/text.h"
#include "sandbox/identity.h"

namespace assay {
namespace {

// Changes with what a verdict's evidence holds.
constexpr std::string_view kFormat = "verdict 1";
// The hash seed and the seed of random numbers in every box (sandbox/jail/py_runtime.cc).
constexpr std::string_view kBoxSeed = "seed 0";
constexpr size_t kMaxVerdictBytes = size_t{1} << 20;

std::string EntryKey(std::string_view task_key, const CodeProgram& program) {
  return StrCat(kFormat, " ", task_key, " ", program.first_line, "\n", program.text);
}

// Null for anything that Keep does not write.
std::optional<Verdict> Decode(std::string_view bytes) {
  if (bytes.size() > kMaxVerdictBytes) return std::nullopt;
  Result<Json> json = ParseJson(bytes);
  if (!json.ok() || !json->IsObject()) return std::nullopt;
  Verdict verdict;
  std::optional<Outcome> outcome = OutcomeFromName(json->StringOr("outcome", ""));
  verdict.score = json->DoubleOr("score", -1);
  verdict.reason = std::string(json->StringOr("reason", ""));
  verdict.detail = std::string(json->StringOr("detail", ""));
  if (const Json* evidence = json->Find("evidence")) verdict.evidence = *evidence;
  bool sound = outcome && (*outcome == Outcome::kPass || *outcome == Outcome::kFail) &&
               verdict.score >= 0 && verdict.score <= 1 && !verdict.reason.empty();
  if (!sound) return std::nullopt;
  verdict.outcome = *outcome;
  return verdict;
}

}  // namespace

Result<std::unique_ptr<VerdictCache>> VerdictCache::Open(const std::string& folder) {
  sandbox::ContentCacheOptions options;
  if (!folder.empty()) options.folder = StrCat(folder, "/verdicts");
  Result<std::unique_ptr<sandbox::ContentCache>> opened = sandbox::ContentCache::Open(options);
  if (!opened.ok()) return opened.error();
  std::unique_ptr<VerdictCache> cache(new VerdictCache(std::move(opened).value()));
  if (!folder.empty()) cache->tool_ = sandbox::FileIdentity("/proc/self/exe");
  return cache;
}

std::string VerdictCache::TaskKey(const CodeTask& task, std::string_view identity) const {
  return HashBytes128(sandbox::SizedText({{std::string(kBoxSeed), tool_, std::string(identity),
                                           TaskFingerprint(task)}}))
      .Hex();
}

std::optional<Verdict> VerdictCache::Find(std::string_view task_key, const CodeProgram& program) {
  std::optional<std::string> bytes = cache_->Find(EntryKey(task_key, program));
  return bytes ? Decode(*bytes) : std::nullopt;
}

void VerdictCache::Keep(std::string_view task_key, const CodeProgram& program,
                        const Judged& judged) {
  const Verdict& verdict = judged.verdict;
  bool judged_by_tests = verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail;
  if (!judged.repeatable || !judged_by_tests) return;
  std::string bytes = VerdictToJson(verdict, /*with_ms=*/false).Dump();
  if (bytes.size() <= kMaxVerdictBytes) cache_->Keep(EntryKey(task_key, program), bytes);
}

}  // namespace assay
