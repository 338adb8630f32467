#include "verifiers/math/reply/phrases.h"

#include <array>
#include <deque>
#include <limits>

namespace assay::math {
namespace {

struct Entry {
  const char* text;  // lower case where ASCII
  Phrase phrase;
  const char* language;
};

constexpr Entry kEntries[] = {
    {"\\boxed", Phrase::kBox, ""},
    {"\\fbox", Phrase::kBox, ""},
    {"\\framebox", Phrase::kBox, ""},
    {"\boxed", Phrase::kBox, ""},  // what a non-raw Python string makes of \boxed
    {"####", Phrase::kHash, ""},
    {"answer", Phrase::kAnswer, "en"},
    {"final answer", Phrase::kFinal, "en"},
    {"final result", Phrase::kFinal, "en"},
    {"final value", Phrase::kFinal, "en"},
    {"ans:", Phrase::kAnswer, "en"},
    {"ans.", Phrase::kAnswer, "en"},
    {"correct option", Phrase::kAnswer, "en"},
    {"correct choice", Phrase::kAnswer, "en"},
    {"a:", Phrase::kLetterA, ""},
    {"result:", Phrase::kLabel, "en"},
    {"solution:", Phrase::kLabel, "en"},
    {"resultado:", Phrase::kLabel, "es"},
    {"résultat :", Phrase::kLabel, "fr"},
    {"ergebnis:", Phrase::kLabel, "de"},
    {"lösung:", Phrase::kLabel, "de"},
    {"результат:", Phrase::kLabel, "ru"},
    {"结果：", Phrase::kLabel, "zh"},
    {"結果：", Phrase::kLabel, "ja"},
    {"答案", Phrase::kAnswer, "zh"},
    {"答：", Phrase::kAnswer, "zh"},
    {"答:", Phrase::kAnswer, "zh"},
    {"最终答案", Phrase::kFinal, "zh"},
    {"最终结果", Phrase::kFinal, "zh"},
    {"respuesta", Phrase::kAnswer, "es"},
    {"respuesta final", Phrase::kFinal, "es"},
    {"resultado final", Phrase::kFinal, "es"},
    {"réponse", Phrase::kAnswer, "fr"},
    {"reponse", Phrase::kAnswer, "fr"},
    {"Réponse", Phrase::kAnswer, "fr"},
    {"réponse finale", Phrase::kFinal, "fr"},
    {"résultat final", Phrase::kFinal, "fr"},
    {"antwort", Phrase::kAnswer, "de"},
    {"endergebnis", Phrase::kFinal, "de"},
    {"endgültige antwort", Phrase::kFinal, "de"},
    {"ответ", Phrase::kAnswer, "ru"},
    {"Ответ", Phrase::kAnswer, "ru"},
    {"ОТВЕТ", Phrase::kAnswer, "ru"},
    {"окончательный ответ", Phrase::kFinal, "ru"},
    {"答え", Phrase::kAnswer, "ja"},
    {"解答", Phrase::kAnswer, "ja"},
    {"回答", Phrase::kAnswer, "ja"},
    {"正解", Phrase::kAnswer, "ja"},
    {"最終的な答え", Phrase::kFinal, "ja"},
    {"resposta", Phrase::kAnswer, "pt"},
    {"risposta", Phrase::kAnswer, "it"},
    {"정답", Phrase::kAnswer, "ko"},
    {"الإجابة", Phrase::kAnswer, "ar"},
    {"الجواب", Phrase::kAnswer, "ar"},
    {"उत्तर", Phrase::kAnswer, "hi"},
    {"<think", Phrase::kThinkOpen, ""},
    {"<thought", Phrase::kThinkOpen, ""},
    {"<reason", Phrase::kThinkOpen, ""},
    {"<|begin_of_thought|", Phrase::kThinkOpen, ""},
    {"◁think▷", Phrase::kThinkOpen, ""},
    {"</think", Phrase::kThinkClose, ""},
    {"</thought", Phrase::kThinkClose, ""},
    {"</reason", Phrase::kThinkClose, ""},
    {"<|end_of_thought|", Phrase::kThinkClose, ""},
    {"◁/think▷", Phrase::kThinkClose, ""},
    {"<|im_start|>", Phrase::kChatEnd, ""},
    {"<|im_end|>", Phrase::kChatEnd, ""},
    {"<|endoftext|>", Phrase::kChatEnd, ""},
    {"<|end_of_text|>", Phrase::kChatEnd, ""},
    {"<|eot_id|>", Phrase::kChatEnd, ""},
};

class Automaton {
 public:
  Automaton() {
    MapBytes();
    AddState();
    for (size_t i = 0; i < std::size(kEntries); ++i) Insert(i);
    Close();
  }

  void Find(std::string_view text, std::vector<PhraseHit>* hits) const {
    uint16_t state = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    for (size_t i = 0; i < text.size(); ++i) {
      state = next_[static_cast<size_t>(state) * kClasses + class_of_[bytes[i]]];
      if (output_[state] < 0) continue;
      const Entry& entry = kEntries[output_[state]];
      const size_t length = lengths_[static_cast<size_t>(output_[state])];
      hits->push_back({static_cast<uint32_t>(i + 1 - length), static_cast<uint32_t>(i + 1),
                       entry.phrase, entry.language});
    }
  }

 private:
  static constexpr size_t kClasses =
      128;  // more than the distinct bytes in kEntries; class 0 is every other byte

  void MapBytes() {
    class_of_.fill(0);
    uint8_t used = 0;
    for (const Entry& entry : kEntries) {
      for (const char* c = entry.text; *c != '\0'; ++c) {
        uint8_t& mapped = class_of_[static_cast<unsigned char>(*c)];
        if (mapped == 0) mapped = ++used;
      }
    }
    for (int c = 'A'; c <= 'Z'; ++c) {
      class_of_[static_cast<size_t>(c)] = class_of_[static_cast<size_t>(c - 'A' + 'a')];
    }
  }

  uint16_t AddState() {
    next_.resize(next_.size() + kClasses, 0);
    output_.push_back(-1);
    return static_cast<uint16_t>(output_.size() - 1);
  }

  void Insert(size_t index) {
    uint16_t state = 0;
    uint32_t length = 0;
    for (const char* c = kEntries[index].text; *c != '\0'; ++c, ++length) {
      const size_t slot =
          static_cast<size_t>(state) * kClasses + class_of_[static_cast<unsigned char>(*c)];
      if (next_[slot] == 0) {
        const uint16_t fresh = AddState();
        next_[slot] = fresh;
      }
      state = next_[slot];
    }
    lengths_.push_back(length);
    output_[state] = static_cast<int16_t>(index);
  }

  // Breadth first: missing transitions are those of the longest proper suffix that is a state; so are missing outputs.
  void Close() {
    std::vector<uint16_t> suffix(output_.size(), 0);
    std::deque<uint16_t> queue;
    for (size_t c = 0; c < kClasses; ++c) {
      if (next_[c] != 0) queue.push_back(next_[c]);
    }
    while (!queue.empty()) {
      const uint16_t state = queue.front();
      queue.pop_front();
      if (output_[state] < 0) output_[state] = output_[suffix[state]];
      for (size_t c = 0; c < kClasses; ++c) {
        uint16_t& target = next_[static_cast<size_t>(state) * kClasses + c];
        const uint16_t fallback = next_[static_cast<size_t>(suffix[state]) * kClasses + c];
        if (target == 0) {
          target = fallback;
        } else {
          suffix[target] = fallback;
          queue.push_back(target);
        }
      }
    }
  }

  std::array<uint8_t, 256> class_of_{};
  std::vector<uint16_t> next_;
  std::vector<int16_t> output_;
  std::vector<uint32_t> lengths_;
};

}  // namespace

std::vector<PhraseHit> FindPhrases(std::string_view text) {
  static const Automaton automaton;
  std::vector<PhraseHit> hits;
  if (text.size() >= std::numeric_limits<uint32_t>::max()) return hits;
  automaton.Find(text, &hits);
  return hits;
}

}  // namespace assay::math
