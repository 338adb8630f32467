#include "core/packer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/jsonl.h"
#include "core/sha256.h"
#include "core/text.h"

namespace assay {
namespace {

std::string Packed(Packer::Kind kind, const std::string& text) {
  std::string out;
  std::unique_ptr<Packer> packer = Packer::Make(kind);
  for (size_t at = 0; at < text.size(); at += 1000)
    EXPECT_TRUE(packer->Add(std::string_view(text).substr(at, 1000), &out).ok());
  EXPECT_TRUE(packer->Finish(&out).ok());
  return out;
}

class PackerTest : public testing::Test {
 protected:
  PackerTest() {
    char name[] = "/tmp/assay-packer-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~PackerTest() override { std::filesystem::remove_all(folder_); }
  // All lines of a file with these bytes, or the error.
  Result<std::string> Lines(const std::string& bytes) {
    const std::string path = folder_ + "/f";
    EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
    auto reader = LineReader::Open(path);
    if (!reader.ok()) return reader.error();
    std::string out;
    LineReader::Line line;
    for (;;) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more) return out;
      StrAppend(&out, line.text, "\n");
    }
  }
  std::string folder_;
};

TEST_F(PackerTest, WhatIsPackedIsReadAgain) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) StrAppend(&text, "{\"line\":", i, "}\n");
  for (const Packer::Kind kind : {Packer::Kind::kNone, Packer::Kind::kGzip, Packer::Kind::kZstd}) {
    const std::string packed = Packed(kind, text);
    EXPECT_EQ(packed, Packed(kind, text));
    const Result<std::string> lines = Lines(packed);
    ASSERT_TRUE(lines.ok()) << lines.error().message;
    EXPECT_EQ(*lines, text);
    // Frames one behind the other, as `cat` makes them.
    EXPECT_EQ(Lines(packed + packed)->size(), 2 * text.size());
    if (kind == Packer::Kind::kNone) continue;
    EXPECT_LT(packed.size(), text.size() / 3);
    EXPECT_FALSE(Lines(packed.substr(0, packed.size() / 2)).ok());
  }
  EXPECT_EQ(*Lines(Packed(Packer::Kind::kZstd, "")), "");
}

TEST_F(PackerTest, BrokenZstdIsAnError) {
  std::string packed = Packed(Packer::Kind::kZstd, std::string(100'000, 'x') + "\n");
  packed[packed.size() - 3] ^= 1;  // of the checksum
  EXPECT_EQ(Lines(packed).error().code, ErrorCode::kInput);
}

TEST(Packer, KindsByName) {
  EXPECT_EQ(Packer::KindOf("a.jsonl.gz"), Packer::Kind::kGzip);
  EXPECT_EQ(Packer::KindOf("a.jsonl.zst"), Packer::Kind::kZstd);
  EXPECT_EQ(Packer::KindOf("gz"), Packer::Kind::kNone);
}

TEST(Sha256, KnownValues) {
  const auto of = [](const std::string& text, size_t piece) {
    Sha256 sha;
    for (size_t at = 0; at < text.size(); at += piece)
      sha.Add(std::string_view(text).substr(at, piece));
    return sha.Hex();
  };
  EXPECT_EQ(of("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc", 1), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string million(1'000'000, 'a');
  for (const size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{1000}, million.size()}) {
    EXPECT_EQ(of(million, piece),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

}  // namespace
}  // namespace assay
