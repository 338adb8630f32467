#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

constexpr size_t kExpressionBytesMax = 2000;
constexpr int kDepthMax = 50;
constexpr int64_t kNumberMax = int64_t{1} << 62;

// A fraction in lowest terms, `below` > 0. Arithmetic gives nothing where it does not fit into 62 bits or divides by 0.
struct Fraction {
  int64_t above = 0, below = 1;
};

std::optional<Fraction> Reduced(__int128 above, __int128 below) {
  if (below == 0) return std::nullopt;
  if (below < 0) {
    above = -above;
    below = -below;
  }
  __int128 a = above < 0 ? -above : above, b = below;
  while (b != 0) {
    const __int128 rest = a % b;
    a = b;
    b = rest;
  }
  if (a > 1) {
    above /= a;
    below /= a;
  }
  if (above > kNumberMax || above < -kNumberMax || below > kNumberMax) return std::nullopt;
  return Fraction{static_cast<int64_t>(above), static_cast<int64_t>(below)};
}

std::optional<Fraction> Joined(char op, const Fraction& a, const Fraction& b) {
  const __int128 x = a.above, y = a.below, u = b.above, v = b.below;
  if (op == '*') return Reduced(x * u, y * v);
  if (op == '/') return Reduced(x * v, y * u);
  // Each product is below 2^124, so that their sum fits.
  return Reduced(op == '+' ? x * v + u * y : x * v - u * y, y * v);
}

// One sum, read from left to right: + - * / and brackets over whole numbers. No sign in front, no powers, no digits side by side.
class Sum {
 public:
  explicit Sum(std::string_view text) : text_(text) {}

  // False: it is no such sum, or too large.
  bool Read(Fraction* value, std::vector<int64_t>* numbers) {
    numbers_ = numbers;
    const std::optional<Fraction> read = ReadTerms(0);
    Skip();
    if (!read || at_ != text_.size()) return false;
    *value = *read;
    return true;
  }

 private:
  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
  }
  bool Take(std::string_view signs, char* sign) {
    Skip();
    if (at_ >= text_.size() || signs.find(text_[at_]) == std::string_view::npos) return false;
    *sign = text_[at_++];
    return true;
  }
  std::optional<Fraction> ReadTerms(int depth) {
    std::optional<Fraction> left = ReadFactors(depth);
    for (char sign = 0; left && Take("+-", &sign);) {
      const std::optional<Fraction> right = ReadFactors(depth);
      left = right ? Joined(sign, *left, *right) : std::nullopt;
    }
    return left;
  }
  std::optional<Fraction> ReadFactors(int depth) {
    std::optional<Fraction> left = ReadOne(depth);
    for (char sign = 0; left && Take("*/", &sign);) {
      const std::optional<Fraction> right = ReadOne(depth);
      left = right ? Joined(sign, *left, *right) : std::nullopt;
    }
    return left;
  }
  std::optional<Fraction> ReadOne(int depth) {
    char sign = 0;
    if (depth < kDepthMax && Take("(", &sign)) {
      const std::optional<Fraction> inside = ReadTerms(depth + 1);
      if (!inside || !Take(")", &sign)) return std::nullopt;
      return inside;
    }
    Skip();
    int64_t number = 0;
    const size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (number > kNumberMax / 20) return std::nullopt;
      number = number * 10 + (text_[at_] - '0');
    }
    if (at_ == begin) return std::nullopt;
    numbers_->push_back(number);
    return Fraction{number, 1};
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<int64_t>* numbers_ = nullptr;
};

// Other ways to write the four signs and brackets.
std::string PlainSigns(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
      {"\\times", "*"}, {"\\cdot", "*"}, {"\\div", "/"},  {"\\left", ""},
      {"\\right", ""},  {"\u00D7", "*"}, {"\u00B7", "*"}, {"\u00F7", "/"},
      {"\u2212", "-"},  {"[", "("},      {"]", ")"},      {"$", ""}};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto* found = std::find_if(std::begin(kSigns), std::end(kSigns), [&](const auto& sign) {
      return StartsWith(text.substr(i), sign.first);
    });
    if (found == std::end(kSigns)) {
      out.push_back(text[i++]);
    } else {
      out += found->second;
      i += found->first.size();
    }
  }
  return out;
}

// `countdown`: arithmetic over given numbers that makes a given number.
struct CountdownJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    bool use_all = true;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("countdown");
    AddAnswerPlace(&s->from, &table);
    table.Add("use_all", &s->use_all,
              "every given number must be used; false: each at most as often as it is given");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  CountdownJudge(const Settings& s, const Problem& problem) : settings(s) {
    const Json* list = Field(problem, "numbers", "nums");
    const Json* aim = Field(problem, "target", "target");
    if (list == nullptr || list->AsArray() == nullptr || aim == nullptr || !aim->IsInt()) return;
    for (const Json& number : *list->AsArray()) {
      if (!number.IsInt() || *number.AsInt() < 0) return;
      given.push_back(*number.AsInt());
    }
    std::sort(given.begin(), given.end());
    target = *aim->AsInt();
  }

  static const Json* Field(const Problem& problem, const char* name, const char* other) {
    for (const Json* object : {&problem.verification_info, &problem.extra}) {
      for (const char* key : {name, other}) {
        if (const Json* found = object->Find(key)) return found;
      }
    }
    return nullptr;
  }

  Verdict operator()(const Sample& sample) const {
    if (!target || given.empty()) {
      return Verdict::Fault("gold_bad_puzzle",
                            "the row has no whole numbers `numbers` and `target`");
    }
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    if (found.text.size() > kExpressionBytesMax)
      return Verdict::Fail("unparseable", "the answer is too long for a sum");
    std::string text = PlainSigns(found.text);
    // "1 + 2 = 3": what stands behind the sign must be the target, or the reply claims something else.
    if (const size_t equals = text.find('='); equals != std::string::npos) {
      if (Trim(std::string_view(text).substr(equals + 1)) != StrCat(*target))
        return Verdict::Fail("wrong_value", StrCat("it does not claim to make ", *target));
      text.resize(equals);
    }
    Fraction value;
    std::vector<int64_t> used;
    if (!Sum(text).Read(&value, &used)) {
      return Verdict::Fail("unparseable", StrCat("no sum over whole numbers: ", Shorten(text, 80)));
    }
    std::sort(used.begin(), used.end());
    const bool fits = settings.use_all
                          ? used == given
                          : std::includes(given.begin(), given.end(), used.begin(), used.end());
    if (!fits) return Verdict::Fail("wrong_numbers", "it does not use the numbers that are given");
    if (value.below == 1 && value.above == *target) return Verdict::Pass();
    return Verdict::Fail(
        "wrong_value",
        StrCat("it makes ", value.above,
               value.below == 1 ? std::string() : StrCat("/", value.below), ", not ", *target));
  }

  Settings settings;
  std::vector<int64_t> given;  // sorted
  std::optional<int64_t> target;
};

}  // namespace

std::vector<OptionInfo> CountdownOptionInfos() { return TextVerifierOptionInfos<CountdownJudge>(); }
Result<std::unique_ptr<Verifier>> MakeCountdownVerifier(const Json& options,
                                                        const VerifierEnv& env) {
  return MakeTextVerifier<CountdownJudge>(options, env);
}

}  // namespace assay
