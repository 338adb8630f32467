// A store whose bytes were changed at random (a bad disk, half a copy): whatever reads it ends in an error that names the file, or in
// what is still whole; it never crashes. Seeded.
#include <algorithm>
#include <string>

#include "core/rng.h"
#include "datagen/export/export.h"
#include "datagen/report/stats.h"
#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

constexpr int kCorruptions = 500;

class DamagedStoreTest : public StoreFixture {
 protected:
  // The bytes of a store with a run and a data set, all of it in one file.
  std::string WholeStore() {
    auto store = OpenStore();
    RunId run = *store->BeginRun(Info(), false);
    for (int i = 1; i <= 120; ++i) {
      const std::vector<Spec> specs = {Pass(StrCat("a", i)), Failed("b"), Pass(StrCat("c", i % 7))};
      EXPECT_TRUE(AddRow(store.get(), run, i, StrCat("p", i % 50), specs).ok());
    }
    EXPECT_TRUE(store->FinishRun(run).ok());
    EXPECT_TRUE(SelectSamples(store.get(), Options("d")).ok());
    store.reset();
    return *ReadFile(path_);
  }
  static SelectOptions Options(const std::string& dataset) {
    SelectOptions options;
    options.strategy = "best-of-n";
    options.runs = {"r"};
    options.dataset = dataset;
    return options;
  }
  void Write(const std::string& bytes) {
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
    FILE* file = std::fopen(path_.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
  }
  // One error or none, which must say where. A lost name is no damage that could be told from a typing error.
  void Check(const Status& status, int corruption) {
    if (status.ok()) return;
    ++errors_;
    const Error& error = status.error();
    EXPECT_TRUE(error.code == ErrorCode::kUsage || error.message.find(path_) != std::string::npos)
        << corruption << ": " << error.message;
  }
  template <typename T>
  static Status StatusOf(const Result<T>& result) {
    return result.ok() ? Status() : Status(result.error());
  }

  int errors_ = 0;
};

TEST_F(DamagedStoreTest, RandomCorruptionsAreErrorsThatNameTheFile) {
  const std::string whole = WholeStore();
  Rng rng(2026, "corruption", 0);
  for (int i = 0; i < kCorruptions; ++i) {
    std::string bytes = whole;
    for (uint64_t changes = 1 + rng.Below(12); changes > 0; --changes) {
      const size_t at = rng.Below(bytes.size());
      switch (rng.Below(3)) {
        case 0:
          bytes[at] = static_cast<char>(rng.Below(256));
          break;
        case 1:
          bytes[at] ^= static_cast<char>(1 << rng.Below(8));
          break;
        default:
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      std::min<size_t>(rng.Below(64), bytes.size() - at), '\0');
      }
    }
    if (rng.Below(10) == 0) bytes.resize(rng.Below(bytes.size()));
    Write(bytes);
    Result<std::unique_ptr<Store>> store = Store::Open(path_, OpenMode::kReadWrite);
    Check(StatusOf(store), i);
    if (!store.ok()) continue;
    Check(StatusOf(StatsOfRun(store->get(), "r")), i);
    Check(StatusOf(StatsOfDataset(store->get(), "d")), i);
    Check(StatusOf(ExportDataset(store->get(), {"d", "trl-sft", "/dev/null", false})), i);
    Check(StatusOf(ExportDataset(store->get(), {"d", "jsonl", "/dev/null", true})), i);
    Check(StatusOf(SelectSamples(store->get(), Options("e"))), i);
  }
  EXPECT_GT(errors_, kCorruptions / 10);  // the corruptions are felt
}

}  // namespace
}  // namespace assay
