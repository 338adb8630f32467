#include "verifiers/math/reply/phrase_search.h"

#include <array>
#include <bitset>
#include <deque>
#include <limits>

#include "core/check.h"

namespace assay::math {
namespace {

class Automaton {
 public:
  Automaton() {
    MapBytes();
    AddState();
    for (size_t i = 0; i < entries_.size(); ++i) Insert(i);
    Close();
    FindBeginnings();
  }

  void Find(std::string_view text, std::vector<PhraseHit>* hits) const {
    uint16_t state = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    for (size_t i = 0; i < text.size(); ++i) {
      // Between phrases: on to the next two bytes that one begins with.
      while (state == 0 && i + 1 < text.size() && !begins_[PairOf(bytes[i], bytes[i + 1])]) ++i;
      state = next_[static_cast<size_t>(state) * kClasses + class_of_[bytes[i]]];
      if (output_[state] < 0) continue;
      const auto index = static_cast<size_t>(output_[state]);
      const PhraseEntry& entry = entries_[index];
      const size_t length = lengths_[index];
      hits->push_back({static_cast<uint32_t>(i + 1 - length), static_cast<uint32_t>(i + 1),
                       entry.phrase, entry.language});
    }
  }

 private:
  // More than the distinct bytes of all phrases; class 0 is every other byte.
  static constexpr size_t kClasses = 192;

  void MapBytes() {
    class_of_.fill(0);
    uint8_t used = 0;
    for (const PhraseEntry& entry : entries_) {
      for (const char* c = entry.text; *c != '\0'; ++c) {
        uint8_t& mapped = class_of_[static_cast<unsigned char>(*c)];
        if (mapped == 0) mapped = ++used;
        ASSAY_CHECK(used < kClasses);  // else a new phrase needs more classes
      }
    }
    for (int c = 'A'; c <= 'Z'; ++c) {
      class_of_[static_cast<size_t>(c)] = class_of_[static_cast<size_t>(c - 'A' + 'a')];
    }
  }

  static size_t PairOf(unsigned char first, unsigned char second) {
    return static_cast<size_t>(first) << 8 | second;
  }

  // Any two bytes by which the automaton comes two states deep.
  void FindBeginnings() {
    for (size_t first = 0; first < 256; ++first) {
      const uint16_t state = next_[class_of_[first]];
      if (state == 0) continue;
      for (size_t second = 0; second < 256; ++second) {
        const uint16_t behind = next_[static_cast<size_t>(state) * kClasses + class_of_[second]];
        const uint16_t alone = next_[class_of_[second]];
        begins_[first << 8 | second] = behind != alone;
      }
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
    for (const char* c = entries_[index].text; *c != '\0'; ++c, ++length) {
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

  const std::span<const PhraseEntry> entries_ = AnswerPhrases();
  std::array<uint8_t, 256> class_of_{};
  std::vector<uint16_t> next_;
  std::vector<int16_t> output_;
  std::vector<uint32_t> lengths_;
  std::bitset<65536> begins_;
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
