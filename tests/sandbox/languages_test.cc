// Programs of other languages in the same box; compile errors, the compile cache, several files, languages declared in TOML.
#include "sandbox/languages.h"

#include <filesystem>
#include <fstream>
#include <set>

#include "core/text.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

class LanguagesTest : public SandboxTest {
 protected:
  static bool Has(const std::string& name) {
    static const std::vector<LanguageInfo> list = sandbox_->Languages();
    for (const LanguageInfo& info : list) {
      if (info.name == name) return info.available;
    }
    return false;
  }
};

TEST_F(LanguagesTest, C) {
  if (!Has("c")) GTEST_SKIP() << "gcc is not installed";
  RunResult result = In("c",
                        "#include <stdio.h>\nint main(void) { int x; return scanf(\"%d\", &x) == 1 "
                        "? printf(\"%d\\n\", x + 1) < 0 : 1; }",
                        {}, "41");
  EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
  EXPECT_EQ(result.stdout_bytes, "42\n");
}

TEST_F(LanguagesTest, CPlusPlusIsOptimisedAndCached) {
  if (!Has("c++")) GTEST_SKIP() << "g++ is not installed";
  const std::string source =
      "#include <iostream>\nint main() {\n#ifdef __OPTIMIZE__\n  std::cout << "
      "\"fast\\n\";\n#endif\n}";
  RunResult first = In("c++", source);
  EXPECT_EQ(first.stdout_bytes, "fast\n") << Show(first);
  RunResult again = In("cpp", source);
  EXPECT_EQ(again.stdout_bytes, "fast\n") << Show(again);
  // What is measured is the program, not its compiler.
  EXPECT_LT(again.cpu_ms, 200);
}

TEST_F(LanguagesTest, CompileErrorsAreTheirOwnCause) {
  if (!Has("c++")) GTEST_SKIP() << "g++ is not installed";
  RunResult result = In("c++", "int main() { return undeclared_name; }");
  EXPECT_EQ(result.cause, Cause::kCompileError) << Show(result);
  EXPECT_NE(result.stderr_bytes.find("undeclared_name"), std::string::npos);
}

TEST_F(LanguagesTest, CompilersAreLimitedToo) {
  if (!Has("c++")) GTEST_SKIP() << "g++ is not installed";
  Limits limits;
  limits.compile_cpu_ms = 1000;
  RunResult endless =
      In("c++",
         "template <int N> struct F { static constexpr long v = F<N - 1>::v + F<N - 2>::v; };\n"
         "template <int A, int B> struct G { using t = typename G<A - 1, B>::t; using u = typename "
         "G<A, B - 1>::t; };\n"
         "template <int B> struct G<0, B> { using t = int; };\ntemplate <int A> struct G<A, 0> { "
         "using t = int; };\n"
         "constexpr long f(long n) { long s = 0; for (long i = 0; i < n; ++i) s += i; return s; }\n"
         "static_assert(f(30000000) > 0);\nint main() {}",
         limits);
  EXPECT_NE(endless.cause, Cause::kOk) << Show(endless);
  EXPECT_NE(endless.cause, Cause::kFault) << Show(endless);
  RunResult host =
      In("c++", "#include \"/etc/shadow\"\n#include \"/proc/1/environ\"\nint main() {}");
  EXPECT_EQ(host.cause, Cause::kCompileError) << Show(host);
}

TEST_F(LanguagesTest, JavaScript) {
  if (!Has("javascript")) GTEST_SKIP() << "node is not installed";
  RunResult result =
      In("node", "const x = require('fs').readFileSync(0, 'utf8'); console.log(parseInt(x) + 1)",
         {}, "41\n");
  EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
  EXPECT_EQ(result.stdout_bytes, "42\n");
  Limits limits;
  limits.memory_mib = 256;
  RunResult bomb =
      In("javascript", "const a = []; for (;;) a.push(Buffer.alloc(16 << 20, 1))", limits);
  EXPECT_EQ(bomb.cause, Cause::kMemoryLimit) << Show(bomb);
}

TEST_F(LanguagesTest, BashWithSeveralFiles) {
  if (!Has("bash")) GTEST_SKIP() << "bash is not installed";
  Job job;
  job.language = "bash";
  job.source = "read x; cat data/one.txt; echo $((x + 1)) $1";
  job.args = {"arg"};
  job.stdin_bytes = "41\n";
  job.files = {{"data/one.txt", "one\n"}};
  RunResult result = sandbox_->Run(job);
  EXPECT_EQ(result.stdout_bytes, "one\n42 arg\n") << Show(result);
  job.files = {{"../escape.txt", "x"}};
  EXPECT_NE(sandbox_->Run(job).cause, Cause::kOk);
}

TEST_F(LanguagesTest, PythonWithModulesBesideIt) {
  Job job;
  job.source = "import helper, sys\nprint(helper.f(2), sys.argv[1:])";
  job.files = {{"helper.py", "def f(x): return x * 21\n"}};
  job.args = {"a", "b"};
  RunResult result = sandbox_->Run(job);
  EXPECT_EQ(result.stdout_bytes, "42 ['a', 'b']\n") << Show(result);
}

TEST_F(LanguagesTest, FilesAreHandedBackHoweverItEnds) {
  Job job;
  job.source =
      "import os\nopen('a', 'wb').write(b'\\0x')\nos.mkdir('d'); open('d/e', 'w').write('e')\n"
      "os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')\n"
      "open('hole', 'w').truncate(40 << 20); open('hole2', 'w').truncate(40 << 20)\n"
      "raise SystemExit(3)";
  job.collect = {"a", "d/e", "link", "pipe", "none", "d", "../x", "/etc/passwd", "hole", "hole2"};
  const RunResult result = sandbox_->Run(job);
  EXPECT_EQ(result.exit_code, 3) << Show(result);
  ASSERT_EQ(result.collected.size(), 3u);
  EXPECT_EQ(result.collected[0].path, "a");
  EXPECT_EQ(result.collected[0].bytes, std::string("\0x", 2));
  EXPECT_EQ(result.collected[1].bytes, "e");
  EXPECT_EQ(result.collected[2].path, "hole");  // the second is beyond what may be handed back
  EXPECT_EQ(result.compile, nullptr);
}

TEST_F(LanguagesTest, TheCompileStepHasItsOwnResult) {
  if (!Has("c++")) GTEST_SKIP() << "g++ is not installed";
  const RunResult bad = In("c++", "int main() { return undeclared_name; }");
  ASSERT_NE(bad.compile, nullptr);
  EXPECT_EQ(bad.compile->cause, Cause::kCompileError);
  const RunResult good = In("c++", "int main() { return 7; }");
  ASSERT_NE(good.compile, nullptr);
  EXPECT_EQ(good.compile->cause, Cause::kOk);
  EXPECT_EQ(good.exit_code, 7);
}

TEST_F(LanguagesTest, AnUnknownLanguageIsToldBeforeItRuns) {
  EXPECT_FALSE(sandbox_->CheckLanguage("pyhton").ok());
  EXPECT_EQ(sandbox_->CheckLanguage("pyhton").error().hint, "did you mean 'python'?");
  EXPECT_TRUE(sandbox_->CheckLanguage("C++").ok());
}

TEST_F(LanguagesTest, DeclaredInToml) {
  SandboxConfig config;
  config.jail_path = JailPath();
  config.languages_toml =
      "[language.upper]\nsource = \"text\"\ncompile = [\"sh\", \"-c\", \"tr a-z A-Z < text > big; "
      "wc -l < text > count\"]\n"
      "artifacts = [\"big\", \"count\"]\nrun = [\"cat\", \"big\", \"count\"]\nversion = [\"tr\", "
      "\"--version\"]\n";
  auto pool = Sandbox::Create(config);
  ASSERT_TRUE(pool.ok()) << pool.error().message;
  Job job;
  job.language = "upper";
  job.source = "hello\n";
  RunResult result = (*pool)->Run(job);
  EXPECT_EQ(result.stdout_bytes, "HELLO\n1\n") << Show(result);
}

TEST_F(LanguagesTest, ACommandMayNameTheMemoryLimit) {
  SandboxConfig config;
  config.jail_path = JailPath();
  config.languages_toml =
      "[language.told]\nsource = \"x\"\nrun = [\"echo\", \"-Xmx{memory_mib}m\", "
      "\"{memory_mib}{memory_mib}\", \"{other}\"]\n";
  auto pool = Sandbox::Create(config);
  ASSERT_TRUE(pool.ok()) << pool.error().message;
  Job job;
  job.language = "told";
  job.limits.memory_mib = 77;
  job.args = {"{memory_mib}"};
  EXPECT_EQ((*pool)->Run(job).stdout_bytes, "-Xmx77m 7777 {other} {memory_mib}\n");
}

// A compiler that leaves a random number in what it makes: the same number again was not compiled again.
TEST_F(LanguagesTest, WhatWasCompiledIsKept) {
  char name[] = "/tmp/assay-compiled-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  SandboxConfig config;
  config.jail_path = JailPath();
  auto open = [&](const char* flag, const std::string& folder) {
    config.compile_folder = folder;
    config.languages_toml = StrCat(
        "[language.dice]\nsource = \"text\"\ncompile = [\"sh\", \"-c\", \"cat text > made; echo ",
        flag, " >> made; od -An -N8 -tx8 /dev/urandom >> made\"]\nartifacts = [\"made\"]\n",
        "run = [\"cat\", \"made\"]\n");
    auto pool = Sandbox::Create(config);
    EXPECT_TRUE(pool.ok());
    return std::move(pool).value();
  };
  std::set<std::string> made;
  auto run = [&](Sandbox* pool, const std::string& source, const std::string& want, bool compiled) {
    Job job;
    job.language = "dice";
    job.source = source;
    RunResult result = pool->Run(job);
    EXPECT_EQ(result.stdout_bytes.substr(0, want.size()), want) << Show(result);
    EXPECT_GT(result.stdout_bytes.size(), want.size() + 16) << Show(result);
    EXPECT_EQ(made.insert(result.stdout_bytes).second, compiled) << Show(result);
  };
  {
    auto pool = open("one", name);
    run(pool.get(), "a\n", "a\none\n", true);
    run(pool.get(), "a\n", "a\none\n", false);
    run(pool.get(), "b\n", "b\none\n", true);
  }
  run(open("one", name).get(), "a\n", "a\none\n", false);  // from disk
  run(open("two", name).get(), "a\n", "a\ntwo\n", true);   // other flags
  run(open("one", "").get(), "a\n", "a\none\n", true);     // no folder
  config.compile_cache = false;
  auto never = open("one", name);
  for (int i = 0; i < 2; ++i) run(never.get(), "a\n", "a\none\n", true);
  // Damaged entries are compiled anew.
  config.compile_cache = true;
  for (const auto& entry : std::filesystem::directory_iterator(name))
    std::ofstream(entry.path(), std::ios::app) << "x";
  run(open("one", name).get(), "a\n", "a\none\n", true);
  std::filesystem::remove_all(name);
}

TEST(LanguageTable, BadTomlIsToldWithItsPlace) {
  auto missing = sandbox::LanguageTable::Make("[language.x]\nrun = [\"x\"]\n");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("language.x"), std::string::npos);
  auto typo =
      sandbox::LanguageTable::Make("[language.x]\nsource = \"x\"\nrunn = [\"x\"]\nrun = [\"x\"]\n");
  ASSERT_FALSE(typo.ok());
  EXPECT_EQ(typo.error().hint, "did you mean 'run'?");
  EXPECT_FALSE(sandbox::LanguageTable::Make("[language.x\n").ok());
}

// A virtual environment's packages: there, read-only, and imported beforehand where asked.
TEST(Interpreters, PackagesOfAnEnvironment) {
  SandboxConfig config;
  config.jail_path = JailPath();
  auto plain = Sandbox::Create(config);
  if (!plain.ok()) GTEST_SKIP() << "no sandbox on this machine: " << plain.error().message;
  char name[] = "/tmp/assay-venv-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  std::filesystem::permissions(name, std::filesystem::perms(0755));
  const std::string version = (*plain)->Describe().python_version;
  const std::string minor = version.substr(0, version.rfind('.'));
  const std::string packages = StrCat(name, "/lib/python", minor, "/site-packages");
  std::filesystem::create_directories(packages);
  std::ofstream(packages + "/assay_probe.py") << "value = 42\n";
  // An interpreter that answers as a virtual environment's does.
  auto answer = [&](const std::string& says) {
    const std::string path = StrCat(name, "/bin/python3");
    std::filesystem::create_directories(StrCat(name, "/bin"));
    std::ofstream(path) << "#!/bin/sh\necho " << says << "\necho " << packages << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(0755));
  };
  answer(version);
  config.python = name;
  config.preimport = {"assay_probe"};
  auto pool = Sandbox::Create(config);
  ASSERT_TRUE(pool.ok()) << pool.error().message;
  Job job;
  job.source =
      "import sys\nprint('assay_probe' in sys.modules)\nimport assay_probe\n"
      "print(assay_probe.value)\n"
      "try: open(assay_probe.__file__, 'a')\nexcept OSError: print('read-only')\n";
  EXPECT_EQ((*pool)->Run(job).stdout_bytes, "True\n42\nread-only\n");
  EXPECT_NE((*pool)->Identity("python"), (*plain)->Identity("python"));
  EXPECT_EQ((*plain)->Run(job).cause, Cause::kNonzeroExit) << "only where it was named";
  config.preimport = {"assay_no_such_module"};
  auto missing = Sandbox::Create(config);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("assay_no_such_module"), std::string::npos);
  answer("3.1.4");
  config.preimport.clear();
  auto other = Sandbox::Create(config);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("3.1.4"), std::string::npos);
  EXPECT_NE(other.error().message.find(version), std::string::npos);
  std::filesystem::remove_all(name);
}

TEST(Interpreters, AMismatchNamesBoth) {
  SandboxConfig config;
  config.python = "/no/such/python";
  auto none = Sandbox::Create(config);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::kUsage);
  EXPECT_NE(none.error().message.find("/no/such/python"), std::string::npos);
}

}  // namespace
}  // namespace assay
