// model_parity on the recorded values of SmolLM2-135M, and on broken model files. Needs models/ (`make model`).
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string Env(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string Model() {
  return Env("ASSAY_SOURCE_DIR", ".") + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}
std::string Golden() {
  return Env("ASSAY_DATA", Env("ASSAY_SOURCE_DIR", ".") + "/../shared/data") +
         "/golden_smollm2.json";
}

int RunParity(const std::string& arguments, std::string* errors = nullptr) {
  const std::string file = testing::TempDir() + "/model_parity_errors.txt";
  const std::string command =
      Env("ASSAY_BUILD_DIR", ".") + "/model_parity " + arguments + " > /dev/null 2> " + file;
  const int status = std::system(command.c_str());
  std::ifstream in(file);
  if (errors != nullptr) errors->assign(std::istreambuf_iterator<char>(in), {});
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ModelParity, GoldenFilePasses) {
  if (!fs::exists(Model())) GTEST_SKIP() << "missing: " << Model() << " (make model)";
  if (!fs::exists(Golden())) GTEST_SKIP() << "missing: " << Golden();
  std::string errors;
  EXPECT_EQ(RunParity(Model() + " " + Golden(), &errors), 0) << errors;
}

TEST(ModelParity, AModelCutShortIsNamed) {
  if (!fs::exists(Model())) GTEST_SKIP() << "missing: " << Model() << " (make model)";
  const std::string cut = testing::TempDir() + "/cut.gguf";
  for (const uint64_t size : {uint64_t{0}, uint64_t{100}, uint64_t{1000000}, uint64_t{50000000}}) {
    fs::copy_file(Model(), cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, size);
    std::string errors;
    EXPECT_EQ(RunParity(cut + " " + cut, &errors), 2);
    EXPECT_NE(errors.find("cut.gguf"), std::string::npos) << errors;
  }
  fs::remove(cut);
}

TEST(ModelParity, UsageErrors) {
  EXPECT_EQ(RunParity(""), 2);
  EXPECT_EQ(RunParity("/nonexistent.gguf /nonexistent.json"), 2);
}

}  // namespace
