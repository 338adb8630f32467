// What the programs beside the tests share (assay_code_attacks, assay_code_compare): a pool with the `code` verifier on it, rows
// of a file, one JSON object a line on standard output. Not for tests: those have code_fixture.h.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "sandbox/weakened.h"
#include "verifiers/code/code_verifier.h"

namespace assay {

struct CodeTool {
  std::unique_ptr<Sandbox> sandbox;
  std::unique_ptr<Verifier> verifier;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  }
};

// `slots` 0: one for each core. ASSAY_PYTHON_FOR_JAIL names another interpreter. No verdict is taken from memory twice unless
// `cache`.
// `without`: layers switched off (sandbox/weakened.h), to see that a tool sees what they let through.
inline Result<CodeTool> OpenCodeTool(int slots, bool cache, uint32_t without = 0) {
  SandboxConfig config;
  config.slots =
      slots > 0 ? slots : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (const char* python = getenv("ASSAY_PYTHON_FOR_JAIL")) config.python = python;
  CodeTool tool;
  Result<std::unique_ptr<Sandbox>> sandbox = CreateWeakened(config, without);
  if (!sandbox.ok()) return sandbox.error();
  tool.sandbox = std::move(sandbox).value();
  VerifierEnv env;
  env.sandbox = tool.sandbox.get();
  env.cache_verdicts = cache;
  Result<std::unique_ptr<Verifier>> verifier = MakeCodeVerifier(Json(), env);
  if (!verifier.ok()) return verifier.error();
  tool.verifier = std::move(verifier).value();
  return tool;
}

inline Result<std::vector<Json>> ReadRows(const std::string& file) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  std::vector<Json> rows;
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return rows;
    Result<Json> row = ParseJson(line.text);
    if (!row.ok()) return row.error();
    rows.push_back(std::move(row).value());
  }
}

inline void PrintLine(const Json& line) {
  printf("%s\n", line.Dump().c_str());
  fflush(stdout);
}

inline void PrintSummary(Json counts, const CodeTool& tool) {
  counts.Set("seconds", tool.seconds()).Set("isolation", TierName(tool.sandbox->tier()));
  PrintLine(Json::MakeObject().Set("summary", std::move(counts)));
}

// The exit code of a tool: its own, or 2 with what went wrong.
inline int ToolExit(const Result<int>& done) {
  if (done.ok()) return *done;
  fprintf(stderr, "error: %s\n", done.error().message.c_str());
  return 2;
}

}  // namespace assay
