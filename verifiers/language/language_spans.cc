#include "verifiers/language/language_spans.h"

#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/text.h"
#include "verifiers/language/common_words.h"
#include "verifiers/language/language_profile.h"
#include "verifiers/language/script_words.h"

namespace assay {
namespace {

// What each word turns out to be.
constexpr LanguageId kExpected = 0xFFFF, kSkipped = 0xFFFE, kOtherScript = 0xFFFD;

// Costs and signs of the way through words that share a script, in the scale of WordEvidence.
constexpr int kLeaveForEnglish = 10;  // into what is mixed in most
constexpr int kLeave = 13;            // into another language
constexpr int kReturn = 4;            // and back
constexpr int kClauseRebate = 3;      // off each, where a clause begins
constexpr int kAlienLetter = 8;       // the word has a letter that the language does not have
constexpr size_t kStretchShort = 5;   // words
constexpr int kClearWord = 8, kVeryClearWord = 24, kVeryClearEnglish = 16;
constexpr size_t kStatesMax = 7;  // the expected language and six others
constexpr int kNameWordsMax = 4;  // a longer run of capital words is no name

// Functions and units are the same in every language.
bool IsNotation(std::string_view small) {
  static constexpr std::string_view kNotation[] = {
      "arccos", "arcsin", "arctan", "arg",    "arr",    "array",    "bfs",      "bit", "bits",
      "byte",   "bytes",  "cm",     "cos",    "cosh",   "cot",      "csc",      "deg", "det",
      "dfs",    "dim",    "dm",     "dp",     "email",  "exp",      "gcd",      "ghz", "hash",
      "html",   "hz",     "idx",    "inf",    "input",  "internet", "json",     "kb",  "ker",
      "kg",     "khz",    "km",     "kwh",    "lcm",    "lim",      "ln",       "log", "max",
      "mb",     "mg",     "mhz",    "mid",    "min",    "ml",       "mm",       "mod", "mol",
      "ms",     "nm",     "ok",     "online", "output", "pi",       "pixel",    "px",  "python",
      "rad",    "script", "sec",    "sgn",    "sin",    "sinh",     "software", "sql", "sqrt",
      "status", "string", "sup",    "tan",    "tanh",   "token",    "tokens",   "vs",  "web"};
  return std::binary_search(std::begin(kNotation), std::end(kNotation), small);
}

std::string_view Small(const ScriptWord& word) {
  return std::string_view(word.small).substr(1, word.small.size() - 9);
}

bool IsVowel(char c) { return std::string_view("aeiouy").find(c) != std::string_view::npos; }

// Scores by language, cleared in the time that adding took.
class LanguageSums {
 public:
  void Add(LanguageId language, int score) {
    if (language >= sums_.size()) return;
    if (sums_[language] == 0) languages_.push_back(language);
    sums_[language] += score;
  }
  int Of(LanguageId language) const { return sums_[language]; }
  // In the order in which they came.
  const std::vector<LanguageId>& Languages() const { return languages_; }
  void Clear() {
    for (LanguageId language : languages_) sums_[language] = 0;
    languages_.clear();
  }

 private:
  std::array<int, 1024> sums_{};  // CLD2 numbers some 600
  std::vector<LanguageId> languages_;
};

// Looks at one reply. Labels are kExpected, kSkipped, kOtherScript or the language of a foreign word.
class Labeller {
 public:
  Labeller(const std::vector<ScriptWord>& words, const LanguageProfile& expected)
      : words_(words),
        expected_(expected),
        listed_(CommonWordsIndex(expected.code)),
        near_(NearTo(expected.id)),
        labels_(words.size(), kExpected) {}

  const std::vector<LanguageId>& Label() {
    LabelNames();
    for (size_t i = 0; i < words_.size(); ++i) {
      if (labels_[i] != kSkipped) LabelByScript(i);
    }
    if (expected_.HasScript(USCRIPT_HAN)) LabelHan();
    LabelShared();
    return labels_;
  }

 private:
  bool InListOfExpected(uint64_t lists) const {
    return listed_ >= 0 && ((lists >> listed_) & 1) != 0;
  }

  // Takes out what is no word of any language. Where that would be most of the text it is a way to hide text, and stays in.
  void LabelNames() {
    double kept = 0, skipped = 0;
    size_t run = 0;
    for (size_t i = 0; i < words_.size(); ++i) {
      const ScriptWord& word = words_[i];
      if (word.letters == 1 && CharactersInWord(word.script) == 0) {
        labels_[i] = kSkipped;
        continue;
      }
      const bool name = IsName(word);
      run = name && !word.sentence_start ? run + 1 : 0;
      if (run > kNameWordsMax) {
        for (size_t back = 0; back < run && back <= i; ++back) labels_[i - back] = kExpected;
      } else if (name || word.identifier || IsNotation(Small(word))) {
        labels_[i] = kSkipped;
      }
      (labels_[i] == kSkipped ? skipped : kept) += word.weight;
    }
    if (skipped <= kept || skipped < 10) return;
    for (size_t i = 0; i < words_.size(); ++i) {
      if (words_[i].letters > 1 && labels_[i] == kSkipped) labels_[i] = kExpected;
    }
  }

  bool IsName(const ScriptWord& word) const {
    if (!word.capital && !word.capitals) return false;
    const bool foreign_script = !expected_.HasScript(word.script);
    if (LanguagesOfWord(Small(word)) != 0) return false;
    if (word.capitals) return word.letters <= 6;
    if (foreign_script) return true;
    return !word.sentence_start && expected_.code != "de";
  }

  void LabelByScript(size_t i) {
    const ScriptWord& word = words_[i];
    if (expected_.HasScript(word.script)) return;
    // A short word without a vowel, or one that no language knows, is a variable: dp, lst.
    if (word.script == USCRIPT_LATIN && !word.accents) {
      const std::string_view small = Small(word);
      const bool vowel = std::any_of(small.begin(), small.end(), IsVowel);
      if (LanguagesOfWord(small) == 0 && (!vowel || small.size() < 3)) {
        labels_[i] = kSkipped;
        return;
      }
    }
    labels_[i] = kOtherScript;
  }

  // Chinese and Japanese. In Chinese, Kana is foreign by its script and Han beside it is Japanese; in Japanese, a run of Han is Chinese if
  // it has letters or words that Japanese does not have.
  void LabelHan() {
    const bool japanese = expected_.HasScript(USCRIPT_HIRAGANA);
    for (size_t begin = 0; begin < words_.size();) {
      size_t end = begin + 1;
      while (end < words_.size() && !words_[end].clause_start) ++end;
      if (japanese) {
        for (size_t i = begin; i < end; ++i) LabelHanInJapanese(i);
      } else {
        LabelHanInChinese(begin, end);
      }
      begin = end;
    }
  }

  void LabelHanInJapanese(size_t i) {
    if (words_[i].script != USCRIPT_HAN) return;
    static constexpr std::string_view kWords[] = {
        "但是", "因此我", "因为",   "如果", "那么", "没有", "可以", "我們",   "他們",
        "就是", "不是",   "已經",   "需要", "等等", "然后", "然後", "接下来", "所以",
        "或者", "而且",   "是不是", "這個", "這樣", "什麼", "我的", "他的",   "也是",
        "還是", "都是",   "把这",   "使得", "一个", "可是", "不过", "首先",   "其中的"};
    bool chinese = std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) {
      return words_[i].text.find(word) != std::string_view::npos;
    });
    const char* bytes = words_[i].text.data();
    const auto size = static_cast<int64_t>(words_[i].text.size());
    for (int64_t at = 0; !chinese && at < size;) {
      UChar32 c = 0;
      U8_NEXT(bytes, at, size, c);
      chinese = IsChineseOnly(static_cast<char32_t>(c));
    }
    if (chinese) labels_[i] = kOtherScript;
  }

  void LabelHanInChinese(size_t begin, size_t end) {
    int kana = 0, han = 0, runs = 0;
    for (size_t i = begin; i < end; ++i) {
      if (words_[i].script == USCRIPT_HAN) han += words_[i].letters;
      if (words_[i].script != USCRIPT_HIRAGANA) continue;
      kana += words_[i].letters;
      ++runs;
    }
    // Japanese has Kana between its words; one run of it in Chinese is a word by itself.
    if (kana < 2 || kana * 4 < han || (runs < 2 && kana < han)) return;
    for (size_t i = begin; i < end; ++i) {
      if (words_[i].script == USCRIPT_HAN) labels_[i] = kOtherScript;
    }
  }

  // Words in scripts that several languages write, the expected one among them.
  void LabelShared() {
    std::vector<size_t> places;
    for (size_t i = 0; i < words_.size(); ++i) {
      if (labels_[i] == kExpected && IsSharedScript(words_[i].script)) places.push_back(i);
    }
    if (places.empty()) return;
    std::vector<WordEvidence> evidence(places.size());
    for (size_t k = 0; k < places.size(); ++k)
      evidence[k] = EvidenceOf(words_[places[k]].small, words_[places[k]].script);
    const std::vector<LanguageId> states = States(places, evidence);
    if (states.size() > 1) CheapestWay(places, evidence, states);
  }

  static int Leave(LanguageId language) {
    static const LanguageId english = LanguageFromName("en");
    return language == english ? kLeaveForEnglish : kLeave;
  }

  int ForExpected(const WordEvidence& evidence) const {
    int best = 0;
    for (LanguageId language : near_) best = std::max(best, evidence.Of(language));
    return best;
  }

  // The expected language, then those that words or sentences look most like.
  std::vector<LanguageId> States(const std::vector<size_t>& places,
                                 const std::vector<WordEvidence>& evidence) const {
    LanguageSums sentence, signs;
    int expected = 0;
    for (size_t k = 0; k < places.size(); ++k) {
      const int own = ForExpected(evidence[k]);
      expected += own;
      for (size_t i = 0; i < evidence[k].count; ++i) {
        const auto& [language, score] = evidence[k].entries[i];
        sentence.Add(language, score);
        // One word can be enough.
        if (score - own > Leave(language) + kReturn - 2 * kClauseRebate)
          signs.Add(language, score - own);
      }
      if (k + 1 < places.size() && !words_[places[k + 1]].sentence_start) continue;
      for (LanguageId language : sentence.Languages()) {
        const int more = sentence.Of(language) - expected;
        if (more > kLeaveForEnglish) signs.Add(language, more);
      }
      sentence.Clear();
      expected = 0;
    }
    std::vector<std::pair<int, LanguageId>> order;
    for (LanguageId language : signs.Languages()) {
      if (std::find(near_.begin(), near_.end(), language) == near_.end())
        order.emplace_back(-signs.Of(language), language);
    }
    std::sort(order.begin(), order.end());
    std::vector<LanguageId> states = {expected_.id};
    for (const auto& one : order) {
      if (states.size() < kStatesMax) states.push_back(one.second);
    }
    return states;
  }

  // The sequence of languages whose words fit best less what its changes cost (Viterbi).
  void CheapestWay(const std::vector<size_t>& places, const std::vector<WordEvidence>& evidence,
                   const std::vector<LanguageId>& states) {
    const size_t n = states.size();
    const auto states_end = static_cast<int64_t>(n);
    std::array<int, kStatesMax> best{};
    std::array<int, kStatesMax> leave{};
    std::array<const LanguageProfile*, kStatesMax> profiles{};
    for (size_t s = 0; s < n; ++s) {
      profiles[s] = s == 0 ? &expected_ : &ProfileOf(states[s]);
      leave[s] = s == 0 ? kReturn : Leave(states[s]);
      if (s > 0) best[s] = kClauseRebate - leave[s];
    }
    std::vector<std::array<uint8_t, kStatesMax>> from(places.size());
    for (size_t k = 0; k < places.size(); ++k) {
      const ScriptWord& word = words_[places[k]];
      const int rebate = word.clause_start ? kClauseRebate : 0;
      std::array<int, kStatesMax> next = best;
      // What a change costs depends on the new language alone, so it is always the best one that is left.
      const auto top = static_cast<size_t>(
          std::max_element(best.begin(), best.begin() + states_end) - best.begin());
      for (size_t s = 0; s < n; ++s) {
        from[k][s] = static_cast<uint8_t>(s);
        const int changed = best[top] - leave[s] + rebate;
        if (k > 0 && changed > next[s]) {
          next[s] = changed;
          from[k][s] = static_cast<uint8_t>(top);
        }
        next[s] += Fit(word, evidence[k], *profiles[s]);
      }
      best = next;
    }
    auto s = static_cast<size_t>(std::max_element(best.begin(), best.begin() + states_end) -
                                 best.begin());
    for (size_t k = places.size(); k-- > 0; s = from[k][s]) {
      if (s != 0) labels_[places[k]] = states[s];
    }
    GiveBack(places, evidence);
  }

  // Short stretches keep only what speaks for their language: words at their ends that say little are the expected language's, and
  // without one common word of theirs (or very clear letters) they are names or rare words.
  void GiveBack(const std::vector<size_t>& places, const std::vector<WordEvidence>& evidence) {
    for (size_t begin = 0; begin < places.size();) {
      const LanguageId label = labels_[places[begin]];
      size_t end = begin + 1;
      while (end < places.size() && labels_[places[end]] == label) ++end;
      if (label != kExpected && end - begin < kStretchShort) GiveBack(places, evidence, begin, end);
      begin = end;
    }
  }

  void GiveBack(const std::vector<size_t>& places, const std::vector<WordEvidence>& evidence,
                size_t begin, size_t end) {
    const LanguageId label = labels_[places[begin]];
    const int index = CommonWordsIndex(LanguageCodeOf(label));
    const auto margin = [&](size_t k) { return evidence[k].Of(label) - ForExpected(evidence[k]); };
    const auto common = [&](size_t k) {
      const uint64_t lists = LanguagesOfWord(Small(words_[places[k]]));
      return index >= 0 && ((lists >> index) & 1) != 0 && !InListOfExpected(lists);
    };
    const auto weak = [&](size_t k) {
      if (common(k)) return false;
      return margin(k) < kClearWord || InListOfExpected(LanguagesOfWord(Small(words_[places[k]])));
    };
    const int very_clear = Leave(label) == kLeaveForEnglish ? kVeryClearEnglish : kVeryClearWord;
    while (begin < end && weak(begin)) labels_[places[begin++]] = kExpected;
    while (end > begin && weak(end - 1)) labels_[places[--end]] = kExpected;
    for (size_t k = begin; k < end; ++k) {
      if (common(k) || margin(k) >= very_clear) return;
    }
    for (size_t k = begin; k < end; ++k) labels_[places[k]] = kExpected;
  }

  int Fit(const ScriptWord& word, const WordEvidence& evidence,
          const LanguageProfile& profile) const {
    const int score = &profile == &expected_ ? ForExpected(evidence) : evidence.Of(profile.id);
    if (!word.accents || word.script != USCRIPT_LATIN) return score;
    return profile.HasLetters(Small(word)) ? score : score - kAlienLetter;
  }

  const std::vector<ScriptWord>& words_;
  const LanguageProfile& expected_;
  const int listed_;
  const std::vector<LanguageId> near_;
  std::vector<LanguageId> labels_;
};

// What most signs of some words in a shared script speak for.
LanguageId MostLike(const std::vector<ScriptWord>& words, size_t begin, size_t end, int script) {
  LanguageSums sums;
  for (size_t i = begin; i < end; ++i) {
    if (words[i].script != script || words[i].identifier) continue;
    const WordEvidence evidence = EvidenceOf(words[i].small, script);
    for (size_t k = 0; k < evidence.count; ++k)
      sums.Add(evidence.entries[k].language, evidence.entries[k].score);
  }
  LanguageId best = kNoLanguage;
  int most = 0;
  for (LanguageId language : sums.Languages()) {
    if (sums.Of(language) > most) {
      most = sums.Of(language);
      best = language;
    }
  }
  return best;
}

std::string NameOfSpan(const std::vector<ScriptWord>& words, size_t begin, size_t end,
                       LanguageId label) {
  if (label != kOtherScript) return std::string(LanguageCodeOf(label));
  int script = words[begin].script;
  for (size_t i = begin; i < end; ++i) {
    if (words[i].script == USCRIPT_HIRAGANA) script = USCRIPT_HIRAGANA;
  }
  const LanguageId language =
      IsSharedScript(script) ? MostLike(words, begin, end, script) : LanguageOfScript(script);
  return language == kNoLanguage ? ScriptCode(script) : std::string(LanguageCodeOf(language));
}

bool SameScriptKind(int a, int b) {
  const auto kind = [](int script) {
    return script == USCRIPT_HIRAGANA ? static_cast<int>(USCRIPT_HAN) : script;
  };
  return kind(a) == kind(b);
}

}  // namespace

LanguageShare ShareOf(const std::vector<std::string_view>& prose, LanguageId expected) {
  const std::vector<ScriptWord> words = ScriptWordsOf(prose);
  const std::vector<LanguageId> labels = Labeller(words, ProfileOf(expected)).Label();
  LanguageShare out;
  for (size_t i = 0; i < words.size();) {
    const LanguageId label = labels[i];
    if (label != kSkipped) out.words += words[i].weight;
    if (label == kSkipped || label == kExpected) {
      ++i;
      continue;
    }
    // As far as the same language goes on, over what was skipped between.
    size_t end = i + 1, last = i;
    double weight = words[i].weight;
    for (; end < words.size() && (labels[end] == label || labels[end] == kSkipped); ++end) {
      if (labels[end] == kSkipped) continue;
      if (label == kOtherScript && !SameScriptKind(words[end].script, words[i].script)) break;
      weight += words[end].weight;
      last = end;
    }
    out.words += weight - words[i].weight;
    out.foreign += weight;
    if (out.spans.size() < kSpansMax) {
      const char* first = words[i].text.data();
      const char* stop = words[last].text.data() + words[last].text.size();
      const std::string_view text(first, static_cast<size_t>(stop - first));
      out.spans.push_back({Shorten(text, 120), NameOfSpan(words, i, last + 1, label), weight});
    }
    i = last + 1;
  }
  return out;
}

LanguageId MainLanguage(const std::vector<std::string_view>& prose) {
  const std::vector<ScriptWord> words = ScriptWordsOf(prose);
  std::map<int, double> weights;
  for (const ScriptWord& word : words) {
    if (word.letters > 1 && !word.identifier) weights[word.script] += word.weight;
    if (word.letters == 1 && CharactersInWord(word.script) > 0) weights[word.script] += word.weight;
  }
  if (weights.empty()) return kNoLanguage;
  const double kana = weights.count(USCRIPT_HIRAGANA) > 0 ? weights[USCRIPT_HIRAGANA] : 0;
  if (kana > 0 && kana * 6 > weights[USCRIPT_HAN])
    weights[USCRIPT_HIRAGANA] += weights[USCRIPT_HAN];
  const auto most =
      std::max_element(weights.begin(), weights.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (!IsSharedScript(most->first)) return LanguageOfScript(most->first);
  return MostLike(words, 0, words.size(), most->first);
}

}  // namespace assay
