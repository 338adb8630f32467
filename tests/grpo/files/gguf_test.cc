// Tensor types of GGUF against blocks that the reference wrote (scripts/gguf_cases.py).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "grpo/files/gguf.h"
#include "grpo/files/gguf_blocks.h"
#include "grpo/files/gguf_writer.h"

namespace assay {
namespace {

std::vector<uint8_t> FromHex(std::string_view text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string Fnv(const std::vector<float>& weights) {
  std::vector<uint8_t> bytes(weights.size() * sizeof(float));
  std::memcpy(bytes.data(), weights.data(), bytes.size());
  uint64_t digest = 0xcbf29ce484222325;
  for (uint8_t byte : bytes) digest = (digest ^ byte) * 0x100000001b3;
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(digest));
  return text;
}

std::vector<float> Decode(const GgmlType& type, const std::vector<uint8_t>& blocks) {
  const size_t count = blocks.size() / static_cast<size_t>(type.block_bytes);
  std::vector<float> weights(count * static_cast<size_t>(type.block_elements));
  for (size_t i = 0; i < count; ++i)
    type.decode(&blocks[i * type.block_bytes], &weights[i * type.block_elements]);
  return weights;
}

TEST(GgufBlocksTest, EveryTypeIsReadAsTheReferenceReadsIt) {
  Result<std::unique_ptr<LineReader>> cases = LineReader::Open(
      std::string(std::getenv("ASSAY_SOURCE_DIR")) + "/tests/cases/gguf_blocks.jsonl");
  ASSERT_TRUE(cases.ok());
  LineReader::Line line;
  int types = 0, codebooks = 0;
  while (*(*cases)->Next(&line)) {
    const Json row = *ParseJson(line.text);
    const std::string name(row.StringOr("type", ""));
    const GgmlType* type = FindGgmlType(static_cast<uint32_t>(row.IntOr("number", 0)));
    ASSERT_NE(type, nullptr) << name;
    ASSERT_NE(type->decode, nullptr) << name;
    EXPECT_EQ(type->name, name);
    EXPECT_EQ(type->block_elements, row.IntOr("elements", 0)) << name;
    ASSERT_EQ(type->block_bytes, row.IntOr("bytes", 0)) << name;
    const std::vector<float> got = Decode(*type, FromHex(row.StringOr("blocks", "")));
    if (const std::string_view digest = row.StringOr("fnv", ""); !digest.empty()) {
      EXPECT_EQ(Fnv(got), digest) << name;
      ++codebooks;
      continue;
    }
    const std::vector<uint8_t> weights = FromHex(row.StringOr("weights", ""));
    std::vector<float> wanted(weights.size() / sizeof(float));
    std::memcpy(wanted.data(), weights.data(), weights.size());
    ASSERT_EQ(got.size(), wanted.size()) << name;
    for (size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(got[i], wanted[i], 1e-6 * (1 + std::abs(wanted[i]))) << name << " weight " << i;
    ++types;
  }
  EXPECT_EQ(types, 27);
  EXPECT_EQ(codebooks, 7);
}

TEST(GgufWriterTest, WhatIsWrittenIsReadBack) {
  std::string path = "/tmp/assay-gguf-XXXXXX";
  close(mkstemp(path.data()));
  std::vector<float> weights;
  for (int i = 0; i < 6 * 64; ++i)
    weights.push_back(std::sin(static_cast<float>(i)) * std::exp2(static_cast<float>(i % 40) - 30));
  weights[5] = 70000;  // beyond float16
  GgufWriter writer;
  writer.Add("general.architecture", std::string_view("llama"));
  writer.Add("n", uint32_t{7});
  writer.Add("x", 0.5f);
  writer.Add("yes", true);
  writer.Add("texts", std::vector<std::string>{"a", "", "b c"});
  writer.Add("scores", std::vector<float>{-1, 2});
  writer.Add("types", std::vector<int32_t>{1, -3});
  const std::pair<const char*, GgufOut> types[] = {{"f32", GgufOut::kF32},
                                                   {"f16", GgufOut::kF16},
                                                   {"bf16", GgufOut::kBf16},
                                                   {"q8_0", GgufOut::kQ8_0}};
  for (const auto& [name, type] : types) {
    writer.Add({name, {6, 64}, type, [&](int64_t row, float* out) {
                  std::copy_n(&weights[static_cast<size_t>(row) * 64], 64, out);
                  return Status();
                }});
  }
  ASSERT_TRUE(writer.Write(path).ok());
  Result<std::shared_ptr<const GgufFile>> file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ((*file)->StringOr("general.architecture", ""), "llama");
  EXPECT_EQ((*file)->IntOr("n", 0), 7);
  EXPECT_EQ((*file)->DoubleOr("x", 0), 0.5);
  EXPECT_TRUE((*file)->BoolOr("yes", false));
  EXPECT_EQ((*file)->Find("texts")->strings, (std::vector<std::string_view>{"a", "", "b c"}));
  EXPECT_EQ((*file)->Find("scores")->floats, (std::vector<double>{-1, 2}));
  EXPECT_EQ((*file)->Find("types")->ints, (std::vector<int64_t>{1, -3}));
  for (const auto& [name, type] : types) {
    const GgufTensor* tensor = (*file)->FindTensor(name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{6, 64}));
    std::vector<float> read(weights.size());
    ASSERT_TRUE(DequantizeGguf(*tensor, read.data()).ok());
    for (size_t i = 0; i < weights.size(); ++i) {
      float most = 0;  // of the block of 32
      for (size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k)
        most = std::max(most, std::abs(weights[k]));
      const bool beyond = type == GgufOut::kF16 && std::abs(weights[i]) > 65504;
      const double error = type == GgufOut::kF32    ? 0
                           : type == GgufOut::kF16  ? std::abs(weights[i]) / 2048 + 0x1p-25
                           : type == GgufOut::kBf16 ? std::abs(weights[i]) / 256
                                                    : most / 127 * 0.51 + 0x1p-18;
      if (type == GgufOut::kQ8_0 && most > 65504) continue;
      if (beyond) {
        EXPECT_TRUE(std::isinf(read[i]));
      } else {
        EXPECT_NEAR(read[i], weights[i], error) << name << " " << i;
      }
    }
  }
  std::remove(path.c_str());
}

TEST(GgufBlocksTest, TypesWithoutADecoderAreKnownByName) {
  EXPECT_STREQ(FindGgmlType(26)->name, "I32");
  EXPECT_EQ(FindGgmlType(26)->decode, nullptr);
  EXPECT_EQ(FindGgmlType(77), nullptr);
}

}  // namespace
}  // namespace assay
