// Words in answers: their normal form, numbers spelled out, units of measure, and the little words that join or lead in an
// answer. Pure functions over constant tables. Private to verifiers/math.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::math {

// Lower-case words joined by blanks, without punctuation, articles and layout commands; dates in one order.
std::string NormalizeWords(std::string_view text);

// True if a text is nothing but words: letters, digits, blanks and the punctuation of sentences, once commands of layout are
// taken away. A formula that could not be read is not.
bool IsPlainWords(std::string_view text);

// "five", "twenty-one", "one hundred and five": its value.
std::optional<int64_t> NumberWord(std::string_view normalized);
// The same and "half", "two thirds", "three and a half".
struct NumberPhrase {
  int64_t num = 0;
  int64_t den = 1;
};
std::optional<NumberPhrase> ReadNumberPhrase(std::string_view normalized);
// "thirds": 3; 0 if it is no part of one. Seconds are none: they are a unit of time.
int64_t PartWord(std::string_view word);
// "million": 1000000; 0 if it is no such word.
int64_t Multiplier(std::string_view word);

// "and", "or", "as well as": joins the items of a list.
bool IsConjunction(std::string_view normalized);
// "or": one of the items, not all of them.
bool IsDisjunction(std::string_view normalized);
// Words after which a value follows ("the answer is", "approximately"); false if any of them negates or hedges.
bool IsLeadIn(std::string_view normalized);
// "where", "for", "with": what follows is a condition.
bool IsCondition(std::string_view word);
// "not", "isn't", "wrong", "maybe": words that turn what stands beside them.
bool HasNegation(std::string_view normalized);
// "is", "equals".
bool IsEqualsWord(std::string_view word);
// "degrees", in every language whose announcements are read.
bool IsDegreeWord(std::string_view normalized);
bool IsPercentWord(std::string_view normalized);

// What stands in front of an amount: "US" of US$, "Rs", "CHF", and the names that commands give to signs. 0: none. The unit that
// belongs to it, for ParseUnit.
uint8_t CurrencyOf(std::string_view sign);
const char* CurrencyUnit(uint8_t currency);

// A unit in normal form: a dimension and an exact factor to its base unit, or only words.
struct Unit {
  bool known = false;
  std::string dimension;  // "m^2", "m s^-1", "usd", "deg"; empty if not known
  int64_t num = 1;        // factor num / den
  int64_t den = 1;
  std::string words;  // normal form of what was written
  bool Empty() const { return !known && words.empty(); }
};
// "cm^2", "square centimeters", "km/h", "miles per hour", "dollars".
Unit ParseUnit(std::string_view text);
// True for words that are units by themselves even without a frame ("cm", "mph", "inches"), case as written.
bool IsUnitWord(std::string_view word);

}  // namespace assay::math
