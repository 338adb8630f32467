// Identity: a gold's own text passes, whatever frame a reply puts around it: alone, in a box, in dollars, in brackets, behind
// each announcement in each language. Golds of our own here; those of the data folder (ASSAY_DATA) where it is present.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/math/math_verifier.h"

namespace assay {
namespace {

constexpr const char* kFrames[] = {
    "{}", "${}$", "\\({}\\)", "\\[{}\\]", "$${}$$", "\\[\n{}\n\\]", "\\boxed{@}",
    "So it is $\\boxed{@}$.", "\\[\\boxed{@}\\]", "#### {}", "<answer>{}</answer>",
    // English, Chinese
    "The answer is {}.", "The answer is ${}$.", "Answer: {}", "**Answer:** ${}$",
    "Therefore, the final answer is: {}", "Final Answer: {}", "The answer is $\\boxed{@}$.",
    "答案是{}。", "答案：${}$", "所以答案为{}。", "【答案】{}", "最终答案：{}",
    // Languages of Europe
    "La respuesta es {}.", "Respuesta: ${}$", "La réponse est {}.", "Réponse : {}",
    "Die Antwort ist {}.", "Antwort: {}", "Ответ: {}", "Итак, ответ: ${}$.", "A resposta é {}.",
    "Resposta: {}", "La risposta è {}.", "Risposta: {}", "Odpowiedź: {}", "Odpowiedź to {}.",
    "Antwoord: {}", "Het antwoord is {}.", "Svar: {}", "Vastaus: {}", "Odpověď: {}", "Válasz: {}",
    "Răspuns: {}", "Отговор: {}", "Відповідь: {}", "Απάντηση: {}",
    // Languages of Asia and Africa
    "答えは{}です。", "答え：{}", "정답은 {}입니다.", "답: ${}$", "الجواب: {}", "الإجابة هي {}.",
    "उत्तर: {}", "उत्तर ${}$ है।", "উত্তর: {}", "উত্তর হলো {}।", "คำตอบ: {}", "คำตอบคือ {}", "సమాధానం: {}",
    "Cevap: {}", "Đáp án: {}", "Đáp án là {}.", "Jawaban: {}", "Jawabannya adalah {}.", "Jibu: {}",
    "Jibu ni {}.", "תשובה: {}", "پاسخ: {}"};

// A letter of these is a word of some language; a sign, the end of a sentence.
constexpr const char* kGolds[] = {"7",
                                  "-5",
                                  "0",
                                  ".25",
                                  "1,234,567",
                                  "3.50",
                                  "2/3",
                                  "\\frac{17}{6}",
                                  "-\\frac{1}{2}",
                                  "1\\frac{3}{4}",
                                  "12\\%",
                                  "\\$4.50",
                                  "45^\\circ",
                                  "2 a + 3",
                                  "\\frac{39 a + 23}{8}",
                                  "- \\frac{19}{3} + e",
                                  "y",
                                  "e",
                                  "a",
                                  "i",
                                  "o + 1",
                                  "3 y - a",
                                  "x e^x",
                                  "2 e",
                                  "2 i + 1",
                                  "a y",
                                  "5 o",
                                  "2 e + a",
                                  "u + e",
                                  "a e i",
                                  "y e",
                                  "1 - y",
                                  "4 a^2 - y",
                                  "a b",
                                  "e^{a}",
                                  "\\frac{a}{e}",
                                  "y = 2 x",
                                  "a x + b y = c",
                                  "A",
                                  "B",
                                  "E",
                                  "10!",
                                  "(n+1)!",
                                  "n!",
                                  "f'",
                                  "f(x) = x^2 - e",
                                  "(1, 2)",
                                  "(-\\infty, 3]",
                                  "[0,1]\\cup[2,3]",
                                  "[2,5)",
                                  "\\{1, 2, 3\\}",
                                  "1, 2, 3",
                                  "x > 3",
                                  "x \\ne 2",
                                  "3 \\pmod{7}",
                                  "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
                                  "\\sqrt{2} + e",
                                  "2\\pi",
                                  "\\pi y",
                                  "3:4",
                                  "1.2 \\times 10^{-5}",
                                  "\\text{even}",
                                  "\\text{June 6}",
                                  "5 \\text{ cm}",
                                  "x^2 + y^2 = a^2",
                                  "\\ln a",
                                  "\\sin a + \\cos y",
                                  "\\log_2 y",
                                  "|a - e|",
                                  "\\lfloor y \\rfloor",
                                  "a_n = 2 n + 1",
                                  "101_2",
                                  "\\infty",
                                  "4 - i",
                                  "\\pm 3",
                                  "n \\ge 1"};

std::string InFrame(std::string_view frame, const std::string& gold) {
  std::string out;
  for (size_t i = 0; i < frame.size(); ++i) {
    if (frame.substr(i, 2) == "{}" || frame[i] == '@') {
      out += gold;
      i += frame[i] == '@' ? 0 : 1;
    } else {
      out.push_back(frame[i]);
    }
  }
  return out;
}

// Delimiters do not nest, and braces of a box must balance.
bool Fits(std::string_view frame, const std::string& gold) {
  const bool formula = gold.find('$') != std::string::npos ||
                       gold.find("\\(") != std::string::npos ||
                       gold.find("\\[") != std::string::npos;
  const bool framed = frame.find('$') != std::string::npos || frame.find('\\') != std::string::npos;
  if (formula && framed) return false;
  // TeX sets words in \text, not in dollars.
  const bool words = std::all_of(gold.begin(), gold.end(), [](char c) {
    return c == ' ' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (words && gold.find(' ') != std::string::npos && frame.find('$') != std::string::npos)
    return false;
  return frame.find('@') == std::string::npos ||
         std::count(gold.begin(), gold.end(), '{') == std::count(gold.begin(), gold.end(), '}');
}

class Judge {
 public:
  Judge() : verifier_(*MakeMathVerifier(Json::MakeObject(), {})) {}

  bool Passes(const std::string& gold, const std::string& reply, const char* mode) const {
    Group group;
    group.problem.answers = {gold};
    group.samples.resize(1);
    group.samples[0].text = reply;
    Json options = Json::MakeObject();
    options.Set("mode", mode);
    return verifier_->Verify(group, &options).front().outcome == Outcome::kPass;
  }

 private:
  std::unique_ptr<Verifier> verifier_;
};

TEST(MathIdentity, OwnGolds) {
  const Judge judge;
  for (const std::string gold : kGolds) {
    for (const char* frame : kFrames) {
      if (!Fits(frame, gold)) continue;
      EXPECT_TRUE(judge.Passes(gold, InFrame(frame, gold), "completion"))
          << gold << " in " << frame;
    }
  }
}

// Prose, whole solutions and what holds an announcement of its own are no answers that a frame may be put around.
bool IsAnswer(const std::string& gold) {
  const auto blanks = std::count(gold.begin(), gold.end(), ' ');
  return gold.size() <= 1000 && gold.find('\n') == std::string::npos &&
         gold.find("boxed") == std::string::npos && gold.find("answer") == std::string::npos &&
         gold.find("####") == std::string::npos && gold.back() != '\\' &&
         !(blanks > 12 && gold.find(". ") != std::string::npos);
}

std::set<std::string> GoldsOf(const std::filesystem::path& folder) {
  std::set<std::string> golds;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".jsonl") == std::string::npos || name.find("code") != std::string::npos ||
        name.find("attacks") != std::string::npos)
      continue;
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(entry.path().string());
    if (!reader.ok()) continue;
    LineReader::Line line;
    while (true) {
      const Result<bool> more = (*reader)->Next(&line);
      if (!more.ok() || !*more) break;
      const Result<Json> row = ParseJson(line.text);
      if (!row.ok() || row->Find("tests") != nullptr || row->Find("prompt_code") != nullptr)
        continue;
      for (const char* key : {"gold", "answer", "expected_answer", "final_answer"}) {
        const Json* gold = row->Find(key);
        if (gold == nullptr) continue;
        if (gold->IsString() && !Trim(*gold->AsString()).empty()) golds.insert(*gold->AsString());
        break;
      }
    }
  }
  return golds;
}

TEST(MathIdentity, EveryGoldOfTheDataFolder) {
  const char* data = std::getenv("ASSAY_DATA");
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  const std::string folder =
      data != nullptr ? data : StrCat(source != nullptr ? source : ".", "/../shared/data");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no data folder: " << folder;
  const Judge judge;
  int tried = 0;
  for (const std::string& gold : GoldsOf(folder)) {
    if (!IsAnswer(gold) || !judge.Passes(gold, gold, "bare")) continue;
    for (const char* frame : kFrames) {
      if (!Fits(frame, gold)) continue;
      ++tried;
      EXPECT_TRUE(judge.Passes(gold, InFrame(frame, gold), "completion"))
          << gold << " in " << frame;
    }
  }
  EXPECT_GT(tried, 50000);
}

}  // namespace
}  // namespace assay
