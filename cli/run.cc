// assay run: one program in the sandbox, as a person or a script would run it: its output on stdout and stderr.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/command.h"
#include "core/text.h"
#include "sandbox/sandbox.h"

namespace assay {
namespace {

struct RunFlags {
  std::string file;
  std::string language;
  std::vector<std::string> args;
  std::vector<std::string> files;
  std::vector<std::string> allow;
  std::string input;  // a file whose content is the program's standard input
  std::string report;
  std::string measure = "none";
  bool show_policy = false;
  Limits limits;
};

Result<std::string> ReadAll(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  if (std::error_code error; std::filesystem::is_directory(path, error))
    return Error{ErrorCode::kIo, StrCat("'", path, "' is a folder"), "give a file"};
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return Error{ErrorCode::kIo, StrCat("cannot read '", path, "': ", std::strerror(errno)),
                 "check the path and the permissions (ls -l)"};
  }
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) return Error{ErrorCode::kIo, StrCat("cannot read '", path, "'"), "check the disk"};
  return text;
}

// The program's bytes, as they are.
Status WriteOutput(const std::string& path, const std::string& bytes) {
  const bool to_stdout = path.empty() || path == "-";
  std::FILE* file = to_stdout ? stdout : std::fopen(path.c_str(), "wb");
  bool written =
      file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  written = written && std::fflush(file) == 0;
  const int error_number = errno;
  if (file != nullptr && !to_stdout) written = std::fclose(file) == 0 && written;
  if (written) return {};
  return Error{ErrorCode::kIo,
               StrCat("cannot write '", to_stdout ? "standard output" : path,
                      "': ", std::strerror(error_number)),
               "check its folder, the permissions and the space left"};
}

std::string LanguageOf(const RunFlags& flags) {
  if (!flags.language.empty()) return flags.language;
  for (const auto& [suffix, language] : {std::pair{".py", "python"},
                                         {".c", "c"},
                                         {".cc", "c++"},
                                         {".cpp", "c++"},
                                         {".cxx", "c++"},
                                         {".js", "javascript"},
                                         {".mjs", "javascript"},
                                         {".sh", "bash"},
                                         {".bash", "bash"},
                                         {".java", "java"},
                                         {".go", "go"},
                                         {".rs", "rust"},
                                         {".ts", "typescript"},
                                         {".cs", "c#"},
                                         {".php", "php"}}) {
    if (EndsWith(flags.file, suffix)) return language;
  }
  return "python";
}

Result<Job> MakeJob(const RunFlags& flags) {
  Job job;
  job.language = LanguageOf(flags);
  job.args = flags.args;
  job.allow = flags.allow;
  job.limits = flags.limits;
  job.measure_bytecodes = flags.measure == "bytecode";
  Result<std::string> source = ReadAll(flags.file);
  if (!source.ok()) return source.error();
  job.source = std::move(source).value();
  // A program that is read from stdin has none of its own, and nobody is asked to type one.
  bool ours = flags.file != "-" && isatty(STDIN_FILENO) == 0;
  std::string input = !flags.input.empty() ? flags.input : ours ? "-" : "/dev/null";
  Result<std::string> bytes = ReadAll(input);
  if (!bytes.ok()) return bytes.error();
  job.stdin_bytes = std::move(bytes).value();
  for (const std::string& path : flags.files) {
    Result<std::string> content = ReadAll(path);
    if (!content.ok()) return content.error();
    job.files.push_back({path.substr(path.rfind('/') + 1), std::move(content).value()});
  }
  return job;
}

std::string Summary(const RunResult& result) {
  std::string text = CauseName(result.cause);
  if (result.cause == Cause::kNonzeroExit) StrAppend(&text, " (exit code ", result.exit_code, ")");
  if (result.signal != 0) StrAppend(&text, " (signal ", result.signal, ")");
  if (result.stdout_truncated || result.stderr_truncated) text += ", output cut";
  if (!result.fault.empty()) StrAppend(&text, ": ", result.fault);
  if (result.bytecodes >= 0) StrAppend(&text, "; bytecodes ", WithThousands(result.bytecodes));
  StrAppend(&text, "; cpu ", FixedDigits(result.cpu_ms, 1), " ms, wall ",
            FixedDigits(result.wall_ms, 1), " ms, memory ",
            HumanBytes(static_cast<double>(result.peak_memory_kib) * 1024), ", isolation ",
            TierName(result.tier));
  return text;
}

int RunRun(Context* context, const RunFlags& flags) {
  SandboxConfig config = context->MakeSandboxConfig();
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::Create(config);
  if (!sandbox.ok()) return Fail(*context, sandbox.error());
  if (flags.show_policy) {
    Result<std::string> policy = (*sandbox)->ShowPolicy();
    return policy.ok() ? context->Output(*policy) : Fail(*context, policy.error());
  }
  if (flags.file.empty()) {
    return Fail(*context, {ErrorCode::kUsage, "no program",
                           "assay run FILE, or `-` to read the program from standard input"});
  }
  Result<Job> job = MakeJob(flags);
  if (!job.ok()) return Fail(*context, job.error());
  if (Status known = (*sandbox)->CheckLanguage(job->language); !known.ok())
    return Fail(*context, known.error());
  const RunResult result = (*sandbox)->Run(*job);
  if (!flags.report.empty()) {
    std::ofstream out(flags.report);
    out << result.ToJson().Dump() << "\n";
    if (!out.flush())
      return Fail(*context, {ErrorCode::kIo,
                             StrCat("cannot write '", flags.report, "': ", std::strerror(errno)),
                             "check its folder, the permissions and the space left"});
  }
  if (context->global.json()) {
    if (int code = context->Output(result.ToJson().Dump()); code != kExitOk) return code;
  } else {
    if (Status status = WriteOutput(context->global.output, result.stdout_bytes); !status.ok())
      return Fail(*context, status.error());
    fwrite(result.stderr_bytes.data(), 1, result.stderr_bytes.size(), stderr);
    if (!result.ok() || job->measure_bytecodes) Note(*context, Summary(result));
  }
  if (result.cause == Cause::kFault) return kExitFaults;
  return result.ok() ? kExitOk : kExitGate;
}

void AddLimit(CLI::App* command, const char* name, int64_t* value, const char* help) {
  command->add_option(name, *value, help)
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
}

}  // namespace

void AddRunCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app->add_subcommand(
      "run", "Run one program in the sandbox. Exit 0 if it ended well, 1 if not");
  command->add_option("FILE", flags->file, "The program, or - for standard input");
  command->add_option("ARGS", flags->args, "Its arguments");
  command->add_option(
      "--language", flags->language,
      "python, c, c++, javascript, bash, or one of --languages (default: by the file's name)");
  command->add_option("--stdin", flags->input, "File with its standard input (default: ours)");
  command->add_option("--file", flags->files, "A further file to put beside it");
  command->add_option("--allow", flags->allow, "Relax the policy: subprocess");
  command->add_option("--report", flags->report, "Write the RunResult as JSON to this file");
  command
      ->add_option("--measure", flags->measure,
                   "bytecode: count what Python executes (slower; the CPU limit holds)")
      ->check(CLI::IsMember({"none", "bytecode"}))
      ->capture_default_str();
  command->add_flag("--show-policy", flags->show_policy,
                    "Print what a program may see, write and call, and run nothing");
  AddLimit(command, "--cpu-ms", &flags->limits.cpu_ms, "CPU time");
  AddLimit(command, "--wall-ms", &flags->limits.wall_ms, "Wall clock");
  AddLimit(command, "--memory-mib", &flags->limits.memory_mib, "Memory");
  AddLimit(command, "--processes", &flags->limits.processes, "Processes and threads");
  AddLimit(command, "--output-bytes", &flags->limits.output_bytes, "stdout and stderr together");
  AddLimit(command, "--disk-mib", &flags->limits.disk_mib, "Temporary files");
  AddLimit(command, "--files", &flags->limits.files, "Number of temporary files");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunRun(context, *flags); }; });
}

}  // namespace assay
