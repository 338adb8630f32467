#include "core/jsonl.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/rng.h"
#include "core/text.h"

namespace assay {
namespace {

class JsonlTest : public testing::Test {
 protected:
  JsonlTest() {
    char name[] = "/tmp/assay-jsonl-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~JsonlTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& contents) {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(WriteFileAtomic(path, contents).ok());
    return path;
  }

  static std::string Gzip(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
  }

  struct Lines {
    std::vector<std::string> texts;
    std::vector<int64_t> numbers;
    std::string error;
  };
  static Lines ReadAll(const std::string& path) {
    Lines out;
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
    if (!reader.ok()) {
      out.error = reader.error().message;
      return out;
    }
    LineReader::Line line;
    for (;;) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) out.error = more.error().message;
      if (!more.ok() || !*more) return out;
      out.texts.push_back(line.too_long ? "<too long>" : std::string(line.text));
      out.numbers.push_back(line.number);
    }
  }

  std::string folder_;
};

TEST_F(JsonlTest, TakesWhatFilesLookLike) {
  const Lines lines = ReadAll(File("a", "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"b\":2}\nlast"));
  EXPECT_EQ(lines.texts, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}", "last"}));
  EXPECT_EQ(lines.numbers, (std::vector<int64_t>{1, 4, 5}));
  EXPECT_EQ(ReadAll(File("empty", "")).texts.size(), 0u);
  EXPECT_EQ(ReadAll(File("blank", "\n\n")).texts.size(), 0u);
}

TEST_F(JsonlTest, AnArrayOfObjectsIsLines) {
  const std::string array =
      "\xEF\xBB\xBF\n [\r\n  {\r\n    \"a\": \"x, ] \\\" [\",\n    \"b\": [1,\n 2]\n  },\n  "
      "{\"c\": {\"d\": []}}, 7\n]\n";
  const std::vector<std::string> elements = {"{    \"a\": \"x, ] \\\" [\",    \"b\": [1, 2]  }",
                                             "{\"c\": {\"d\": []}}", "7"};
  const auto trimmed = [](Lines lines) {
    for (std::string& text : lines.texts) text = std::string(Trim(text));
    return lines;
  };
  const Lines lines = trimmed(ReadAll(File("array.json", array)));
  EXPECT_EQ(lines.texts, elements) << lines.error;
  EXPECT_EQ(lines.numbers, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(trimmed(ReadAll(File("array.json.gz", Gzip(array)))).texts, elements);
  EXPECT_EQ(ReadAll(File("one", "[{\"a\":1},{\"b\":2}]")).texts,
            (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"}));
  EXPECT_EQ(ReadAll(File("none", "[ ]\n")).texts.size(), 0u);
  // Elements across the borders of what is read at once.
  std::string large = "[";
  for (int i = 0; i < 40000; ++i)
    large += std::string(i == 0 ? "" : ",\n") + "{\"n\": " + std::to_string(i) + "}";
  EXPECT_EQ(ReadAll(File("large", large + "]")).texts.size(), 40000u);
  // Cut off: an error, and not an end.
  const Lines cut = ReadAll(File("cut", large));
  EXPECT_NE(cut.error.find("ends in the middle of its JSON array"), std::string::npos) << cut.error;
  // Lines that are arrays are lines, and what stands behind an array is said to be no JSON by those who read it.
  EXPECT_EQ(ReadAll(File("rows", "[1]\n[2]\n")).texts, (std::vector<std::string>{"[1]", "[2]"}));
  EXPECT_EQ(ReadAll(File("behind", "[{}]\nmore\n")).texts,
            (std::vector<std::string>{"{}", "more"}));
}

TEST_F(JsonlTest, GzipPlainOrInMembers) {
  const std::string text = "one\ntwo\n";
  EXPECT_EQ(ReadAll(File("a.gz", Gzip(text))).texts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(ReadAll(File("b", Gzip(text) + Gzip("three\n"))).texts,
            (std::vector<std::string>{"one", "two", "three"}));
}

TEST_F(JsonlTest, TruncatedGzipIsAnErrorAndNotAnEnd) {
  std::string text;
  Rng rng(3);
  for (int i = 0; i < 20000; ++i) text += std::to_string(rng.Next()) + "\n";
  const std::string packed = Gzip(text);
  const Lines lines = ReadAll(File("cut.gz", packed.substr(0, packed.size() / 2)));
  EXPECT_NE(lines.error.find("gzip"), std::string::npos) << lines.error;
  std::string broken = packed;
  broken[broken.size() / 2] ^= 0x55;
  EXPECT_NE(ReadAll(File("broken.gz", broken)).error, "");
}

TEST_F(JsonlTest, LinesAcrossBufferBorders) {
  Rng rng(4);
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(
        std::string(1 + rng.Below(i % 50 == 0 ? 1200000 : 5000), static_cast<char>('a' + i % 26)));
    text += expected.back() + "\n";
  }
  EXPECT_EQ(ReadAll(File("long", text)).texts, expected);
  EXPECT_EQ(ReadAll(File("long.gz", Gzip(text))).texts, expected);
}

TEST_F(JsonlTest, LineOverTheLimitIsSkipped) {
  const std::string path = folder_ + "/huge";
  {
    std::string chunk(size_t{1} << 20, 'x');
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(path);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write("before").ok());
    ASSERT_TRUE((*writer)->Close().ok());
    FILE* file = std::fopen(path.c_str(), "ab");
    for (size_t i = 0; i < (kMaxLineBytes >> 20) + 2; ++i)
      std::fwrite(chunk.data(), 1, chunk.size(), file);
    std::fputs("\nafter\n", file);
    std::fclose(file);
  }
  EXPECT_EQ(ReadAll(path).texts, (std::vector<std::string>{"before", "<too long>", "after"}));
}

TEST_F(JsonlTest, ErrorsNameTheFile) {
  EXPECT_NE(ReadAll(folder_ + "/none").error.find("none"), std::string::npos);
  EXPECT_NE(ReadAll(folder_).error.find("directory"), std::string::npos);
}

TEST_F(JsonlTest, FullDiskIsSaid) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full on this machine";
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open("/dev/full");
  ASSERT_TRUE(writer.ok());
  Status status = (*writer)->Write("x");
  if (status.ok()) status = (*writer)->Close();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("No space left"), std::string::npos);
  EXPECT_NE(status.error().hint, "");
}

TEST_F(JsonlTest, AppendGoesOn) {
  const std::string path = folder_ + "/append";
  for (const char* text : {"1", "2"}) {
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(path, /*append=*/true);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write(text).ok());
    ASSERT_TRUE((*writer)->Close().ok());
  }
  EXPECT_EQ(*ReadFile(path), "1\n2\n");
}

}  // namespace
}  // namespace assay
