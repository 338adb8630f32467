#include "verifiers/math/syntax/words.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "verifiers/math/syntax/chars.h"

namespace assay::math {
namespace {

using WordSet = std::unordered_set<std::string_view>;

std::vector<std::string_view> Split(std::string_view s) {
  std::vector<std::string_view> words;
  size_t i = 0;
  while (i < s.size()) {
    while (i < s.size() && s[i] == ' ') ++i;
    size_t j = i;
    while (j < s.size() && s[j] != ' ') ++j;
    if (j > i) words.push_back(s.substr(i, j - i));
    i = j;
  }
  return words;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) out += ' ';
    out += w;
  }
  return out;
}

// Commands that say how words look, not what they are.
bool IsLayoutCommand(std::string_view name) {
  static const WordSet names = {
      "text",   "textbf",       "textit",     "textrm",       "texttt", "textsf", "textnormal",
      "textsc", "mbox",         "hbox",       "emph",         "mathrm", "mathbf", "mathit",
      "mathsf", "mathcal",      "boldsymbol", "operatorname", "left",   "right",  "quad",
      "qquad",  "displaystyle", "boxed",      "fbox",         "mleft",  "mright", "big",
      "Big",    "limits",       "textstyle"};
  return names.count(name) != 0;
}

void FlushWord(std::string* word, std::vector<std::string>* words) {
  if (!word->empty()) words->push_back(std::move(*word));
  word->clear();
}

// One code point, lower case, appended.
void AppendLower(std::string_view text, size_t* i, std::string* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto at = static_cast<int32_t>(*i);
  UChar32 code;
  U8_NEXT(bytes, at, static_cast<int32_t>(text.size()), code);
  *i = static_cast<size_t>(at);
  if (code < 0) return;
  uint8_t buffer[4];
  int32_t n = 0;
  U8_APPEND_UNSAFE(buffer, n, u_tolower(code));
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(n));
}

std::vector<std::string> SplitNormal(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\\') {
      size_t j = i + 1;
      while (j < text.size() && IsAlpha(text[j])) ++j;
      FlushWord(&word, &words);
      const std::string_view name = text.substr(i + 1, j - i - 1);
      if (!name.empty() && !IsLayoutCommand(name)) words.emplace_back(name);
      i = j == i + 1 ? std::min(text.size(), i + 2) : j;
    } else if (IsAlpha(c) || IsDigit(c) || static_cast<unsigned char>(c) >= 0x80) {
      AppendLower(text, &i, &word);
    } else if (c == '\'' ||
               (c == '.' && !(i + 1 < text.size() && IsDigit(text[i + 1]) && !word.empty()))) {
      ++i;  // "a.m." and "isn't" are one word
    } else {
      const bool minus = c == '-' && i + 1 < text.size() && IsDigit(text[i + 1]) &&
                         (i == 0 || std::strchr(" ({}$~\t", text[i - 1]) != nullptr);
      if (minus) FlushWord(&word, &words);
      if (c == '.' || minus) {
        word += c;
      } else {
        FlushWord(&word, &words);
        if (std::strchr("+*/=<>^_|@#&%!", c) != nullptr) words.emplace_back(1, c);
      }
      ++i;
    }
  }
  FlushWord(&word, &words);
  return words;
}

int MonthNumber(std::string_view word) {
  static const char* const kMonths[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
  for (int m = 0; m < 12; ++m) {
    const std::string_view full = kMonths[m];
    if (word == full || (word.size() == 3 && full.substr(0, 3) == word) ||
        (word == "sept" && m == 8))
      return m + 1;
  }
  return 0;
}

// "june 6 2020", "6th of june": one order. Leaves everything else alone.
void NormalizeDate(std::vector<std::string>* words) {
  int month = 0;
  std::vector<std::string> numbers;
  for (const std::string& w : *words) {
    if (const int m = MonthNumber(w)) {
      if (month != 0) return;
      month = m;
    } else if (IsDigit(w[0])) {
      std::string digits;
      size_t i = 0;
      while (i < w.size() && IsDigit(w[i])) digits += w[i++];
      const std::string_view tail = std::string_view(w).substr(i);
      if (!(tail.empty() || tail == "st" || tail == "nd" || tail == "rd" || tail == "th")) return;
      digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
      numbers.push_back(digits);
    } else if (w != "of") {
      return;
    }
  }
  if (month == 0 || numbers.empty() || numbers.size() > 2) return;
  std::stable_sort(numbers.begin(), numbers.end(),
                   [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  std::vector<std::string> date = {"date", std::to_string(month)};
  date.insert(date.end(), numbers.begin(), numbers.end());
  *words = date;
}

}  // namespace

std::string NormalizeWords(std::string_view text) {
  std::vector<std::string> words = SplitNormal(text);
  if (words.size() > 1) {
    std::vector<std::string> kept;
    for (std::string& w : words) {
      const bool article =
          w == "the" || w == "an" ||
          (w == "a" && (words.size() > 2 || (&w == words.data() && words[1].size() > 2)));
      if (!article) kept.push_back(std::move(w));
    }
    words = std::move(kept);
    NormalizeDate(&words);
  }
  std::string joined = Join(words);
  if (joined == "dne") return "does not exist";
  if (joined == "no solutions" || joined == "no real solution" || joined == "no real solutions")
    return "no solution";
  if (joined == "infinitely many solutions" || joined == "infinite number of solutions" ||
      joined == "infinite solutions")
    return "infinitely many";
  constexpr std::string_view kNot = " does not exist";
  if (joined.size() > kNot.size() && joined.size() < 24 &&
      joined.compare(joined.size() - kNot.size(), kNot.size(), kNot) == 0) {
    static const WordSet subjects = {"limit", "it", "this", "value", "integral", "derivative"};
    if (subjects.count(std::string_view(joined).substr(0, joined.size() - kNot.size())) != 0)
      return "does not exist";
  }
  return joined;
}

bool IsPlainWords(std::string_view text) {
  bool digits = false;
  bool brackets = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      size_t j = i + 1;
      while (j < text.size() && IsAlpha(text[j])) ++j;
      const std::string_view name = text.substr(i + 1, j - i - 1);
      if (name.empty() ? j < text.size() && std::strchr(" ,;:!~$", text[j]) == nullptr
                       : !IsLayoutCommand(name))
        return false;
      i = name.empty() ? j : j - 1;
    } else if (c == '(' || c == ')') {
      brackets = true;
    } else if (IsDigit(c)) {
      digits = true;
    } else if (!IsAlpha(c) && static_cast<unsigned char>(c) < 0x80 &&
               std::strchr(" \t\r\n.,;:!'\"-{}$~`", c) == nullptr) {
      return false;
    }
  }
  return !(digits && brackets);
}

std::optional<int64_t> NumberWord(std::string_view normalized) {
  static const std::unordered_map<std::string_view, int> kSmall = {
      {"zero", 0},
      {"one", 1},
      {"two", 2},
      {"three", 3},
      {"four", 4},
      {"five", 5},
      {"six", 6},
      {"seven", 7},
      {"eight", 8},
      {"nine", 9},
      {"ten", 10},
      {"eleven", 11},
      {"twelve", 12},
      {"thirteen", 13},
      {"fourteen", 14},
      {"fifteen", 15},
      {"sixteen", 16},
      {"seventeen", 17},
      {"eighteen", 18},
      {"nineteen", 19},
      {"twenty", 20},
      {"thirty", 30},
      {"forty", 40},
      {"fifty", 50},
      {"sixty", 60},
      {"seventy", 70},
      {"eighty", 80},
      {"ninety", 90},
      // Spanish, French, German, Italian, Portuguese, Russian, Polish, Arabic; not the Spanish "once", an English word, and nothing
      // that is part of a composed number in another way than by a sum ("quatre-vingt")
      {"un", 1},
      {"uno", 1},
      {"una", 1},
      {"dos", 2},
      {"tres", 3},
      {"cuatro", 4},
      {"cinco", 5},
      {"seis", 6},
      {"siete", 7},
      {"ocho", 8},
      {"nueve", 9},
      {"diez", 10},
      {"doce", 12},
      {"trece", 13},
      {"catorce", 14},
      {"quince", 15},
      {"dieciséis", 16},
      {"diecisiete", 17},
      {"dieciocho", 18},
      {"diecinueve", 19},
      {"veinte", 20},
      {"une", 1},
      {"deux", 2},
      {"trois", 3},
      {"quatre", 4},
      {"cinq", 5},
      {"sept", 7},
      {"huit", 8},
      {"neuf", 9},
      {"dix", 10},
      {"onze", 11},
      {"douze", 12},
      {"treize", 13},
      {"quatorze", 14},
      {"quinze", 15},
      {"seize", 16},
      {"dix-sept", 17},
      {"dix-huit", 18},
      {"dix-neuf", 19},
      {"ein", 1},
      {"eine", 1},
      {"eins", 1},
      {"zwei", 2},
      {"drei", 3},
      {"vier", 4},
      {"fünf", 5},
      {"sechs", 6},
      {"sieben", 7},
      {"acht", 8},
      {"neun", 9},
      {"zehn", 10},
      {"elf", 11},
      {"zwölf", 12},
      {"dreizehn", 13},
      {"vierzehn", 14},
      {"fünfzehn", 15},
      {"sechzehn", 16},
      {"siebzehn", 17},
      {"achtzehn", 18},
      {"neunzehn", 19},
      {"zwanzig", 20},
      {"due", 2},
      {"tre", 3},
      {"quattro", 4},
      {"cinque", 5},
      {"sette", 7},
      {"otto", 8},
      {"nove", 9},
      {"dieci", 10},
      {"undici", 11},
      {"dodici", 12},
      {"tredici", 13},
      {"quattordici", 14},
      {"quindici", 15},
      {"sedici", 16},
      {"diciassette", 17},
      {"diciotto", 18},
      {"diciannove", 19},
      {"venti", 20},
      {"um", 1},
      {"uma", 1},
      {"dois", 2},
      {"duas", 2},
      {"três", 3},
      {"quatro", 4},
      {"sete", 7},
      {"oito", 8},
      {"dez", 10},
      {"doze", 12},
      {"treze", 13},
      {"catorze", 14},
      {"dezesseis", 16},
      {"dezessete", 17},
      {"dezoito", 18},
      {"dezenove", 19},
      {"vinte", 20},
      {"один", 1},
      {"одна", 1},
      {"одно", 1},
      {"два", 2},
      {"две", 2},
      {"три", 3},
      {"четыре", 4},
      {"пять", 5},
      {"шесть", 6},
      {"семь", 7},
      {"восемь", 8},
      {"девять", 9},
      {"десять", 10},
      {"одиннадцать", 11},
      {"двенадцать", 12},
      {"тринадцать", 13},
      {"четырнадцать", 14},
      {"пятнадцать", 15},
      {"шестнадцать", 16},
      {"семнадцать", 17},
      {"восемнадцать", 18},
      {"девятнадцать", 19},
      {"двадцать", 20},
      {"jeden", 1},
      {"jedna", 1},
      {"jedno", 1},
      {"dwa", 2},
      {"dwie", 2},
      {"trzy", 3},
      {"cztery", 4},
      {"pięć", 5},
      {"sześć", 6},
      {"siedem", 7},
      {"osiem", 8},
      {"dziewięć", 9},
      {"dziesięć", 10},
      {"jedenaście", 11},
      {"dwanaście", 12},
      {"trzynaście", 13},
      {"czternaście", 14},
      {"piętnaście", 15},
      {"szesnaście", 16},
      {"siedemnaście", 17},
      {"osiemnaście", 18},
      {"dziewiętnaście", 19},
      {"dwadzieścia", 20},
      {"واحد", 1},
      {"اثنان", 2},
      {"اثنين", 2},
      {"ثلاثة", 3},
      {"ثلاث", 3},
      {"أربعة", 4},
      {"أربع", 4},
      {"خمسة", 5},
      {"خمس", 5},
      {"ستة", 6},
      {"ست", 6},
      {"سبعة", 7},
      {"سبع", 7},
      {"ثمانية", 8},
      {"تسعة", 9},
      {"تسع", 9},
      {"عشرة", 10},
      {"عشر", 10},
      {"тридцать", 30},
      {"сорок", 40},
      {"пятьдесят", 50},
      {"шестьдесят", 60},
      {"семьдесят", 70},
      {"восемьдесят", 80},
      {"девяносто", 90},
      {"treinta", 30},
      {"cuarenta", 40},
      {"dreißig", 30},
      {"vierzig", 40},
      {"fünfzig", 50},
      {"trzydzieści", 30},
      {"trenta", 30},
      {"quaranta", 40},
      {"trinta", 30},
      {"quarenta", 40}};
  const std::vector<std::string_view> words = Split(normalized);
  if (words.empty() || words.size() > 12) return std::nullopt;
  int64_t total = 0;
  int64_t part = 0;
  bool any = false;
  for (const std::string_view w : words) {
    const auto it = kSmall.find(w);
    if (it != kSmall.end()) {
      part += it->second;
      any = true;
    } else if (w == "hundred" && any) {
      part *= 100;
    } else if (w == "dozen" && any) {
      part *= 12;
    } else if (const int64_t m = Multiplier(w); m >= 1000 && any) {
      total += part * m;
      part = 0;
    } else if (!(w == "and" && any)) {
      return std::nullopt;
    }
    if (part > 1000000 || total > 1000000000000000) return std::nullopt;
  }
  return any ? std::optional<int64_t>(total + part) : std::nullopt;
}

int64_t PartWord(std::string_view word) {
  static const std::unordered_map<std::string_view, int64_t> kParts = {
      {"half", 2},
      {"halve", 2},
      {"third", 3},
      {"quarter", 4},
      {"fourth", 4},
      {"fifth", 5},
      {"sixth", 6},
      {"seventh", 7},
      {"eighth", 8},
      {"ninth", 9},
      {"tenth", 10},
      {"eleventh", 11},
      {"twelfth", 12},
      {"thirteenth", 13},
      {"fourteenth", 14},
      {"fifteenth", 15},
      {"sixteenth", 16},
      {"seventeenth", 17},
      {"eighteenth", 18},
      {"nineteenth", 19},
      {"twentieth", 20},
      {"thirtieth", 30},
      {"fortieth", 40},
      {"fiftieth", 50},
      {"sixtieth", 60},
      {"seventieth", 70},
      {"eightieth", 80},
      {"ninetieth", 90},
      {"hundredth", 100},
      {"thousandth", 1000},
      {"millionth", 1000000},
      // Spanish and Portuguese; not "tiers" and "quarts", which are English words for other things
      {"medio", 2},
      {"meio", 2},
      {"tercio", 3},
      {"terço", 3},
      {"cuarto", 4},
      {"quarto", 4},
      {"quinto", 5},
      {"sexto", 6},
      {"séptimo", 7},
      {"sétimo", 7},
      {"octavo", 8},
      {"oitavo", 8},
      {"noveno", 9},
      {"nono", 9},
      {"décimo", 10},
      {"décima", 10},
      {"doceavo", 12},
      {"centésima", 100},
      {"centésimo", 100},
      {"milésima", 1000},
      {"milésimo", 1000},
      // French and Italian
      {"demi", 2},
      {"cinquième", 5},
      {"sixième", 6},
      {"septième", 7},
      {"huitième", 8},
      {"neuvième", 9},
      {"dixième", 10},
      {"douzième", 12},
      {"centième", 100},
      {"millième", 1000},
      {"mezzo", 2},
      {"mezzi", 2},
      {"terzo", 3},
      {"terzi", 3},
      {"quarti", 4},
      {"quinti", 5},
      {"sesto", 6},
      {"sesti", 6},
      {"settimo", 7},
      {"settimi", 7},
      {"ottavo", 8},
      {"ottavi", 8},
      {"noni", 9},
      {"decimo", 10},
      {"decimi", 10},
      {"millesimi", 1000},
      // German and Dutch
      {"drittel", 3},
      {"viertel", 4},
      {"fünftel", 5},
      {"sechstel", 6},
      {"siebtel", 7},
      {"achtel", 8},
      {"neuntel", 9},
      {"zehntel", 10},
      {"zwölftel", 12},
      {"hundertstel", 100},
      {"tausendstel", 1000},
      {"derde", 3},
      {"kwart", 4},
      {"vierde", 4},
      {"vijfde", 5},
      {"zesde", 6},
      {"zevende", 7},
      {"achtste", 8},
      {"negende", 9},
      {"tiende", 10},
      // Russian and Polish
      {"вторых", 2},
      {"трети", 3},
      {"третьих", 3},
      {"четверти", 4},
      {"четвертей", 4},
      {"четвёртых", 4},
      {"четвертых", 4},
      {"пятых", 5},
      {"шестых", 6},
      {"седьмых", 7},
      {"восьмых", 8},
      {"девятых", 9},
      {"десятых", 10},
      {"сотых", 100},
      {"тысячных", 1000},
      {"trzecie", 3},
      {"trzecich", 3},
      {"czwarte", 4},
      {"czwartych", 4},
      {"piąte", 5},
      {"piątych", 5},
      {"szóste", 6},
      {"szóstych", 6},
      {"siódmych", 7},
      {"ósme", 8},
      {"ósmych", 8},
      {"ثلث", 3},
      {"أثلاث", 3},
      {"ربع", 4},
      {"أرباع", 4},
      {"أخماس", 5},
      {"أسداس", 6},
      {"أسباع", 7},
      {"أثمان", 8},
      {"أعشار", 10},
      {"треть", 3},
      {"четверть", 4},
      {"пятая", 5},
      {"шестая", 6},
      {"восьмая", 8},
      {"десятая", 10},
      {"dziewiątych", 9},
      {"dziesiątych", 10},
      {"setnych", 100}};
  if (const auto whole = kParts.find(word); whole != kParts.end()) return whole->second;
  if (word.size() > 4 && word.back() == 's') word.remove_suffix(1);
  const auto it = kParts.find(word);
  return it == kParts.end() ? 0 : it->second;
}

// "dreieinhalb", "anderthalb"; "ba phần năm".
static std::optional<NumberPhrase> ForeignPhrase(std::string_view normalized) {
  if (normalized == "anderthalb") return NumberPhrase{3, 2};
  constexpr std::string_view kHalf = "einhalb";
  if (normalized.size() > kHalf.size() && normalized.ends_with(kHalf)) {
    const auto whole = NumberWord(normalized.substr(0, normalized.size() - kHalf.size()));
    if (whole && *whole < 1000) return NumberPhrase{2 * *whole + 1, 2};
  }
  static const std::unordered_map<std::string_view, int64_t> kVietnamese = {
      {"một", 1}, {"hai", 2}, {"ba", 3},  {"bốn", 4},  {"tư", 4},   {"năm", 5},
      {"sáu", 6}, {"bảy", 7}, {"tám", 8}, {"chín", 9}, {"mười", 10}};
  const std::vector<std::string_view> words = Split(normalized);
  if (words.size() != 3 || words[1] != "phần") return std::nullopt;
  const auto num = kVietnamese.find(words[0]);
  const auto den = kVietnamese.find(words[2]);
  if (num == kVietnamese.end() || den == kVietnamese.end()) return std::nullopt;
  return NumberPhrase{num->second, den->second};
}

std::optional<NumberPhrase> ReadNumberPhrase(std::string_view normalized) {
  if (const auto phrase = ForeignPhrase(normalized)) return phrase;
  if (const auto whole = NumberWord(normalized)) return NumberPhrase{*whole, 1};
  const size_t blank = normalized.rfind(' ');
  const int64_t part = PartWord(normalized.substr(blank == std::string_view::npos ? 0 : blank + 1));
  if (part == 0) return std::nullopt;
  if (blank == std::string_view::npos)
    return part == 2 ? std::optional<NumberPhrase>({1, 2}) : std::nullopt;
  // "two thirds", "a half", "three and a half", "three and two thirds".
  std::string_view before = normalized.substr(0, blank);
  int64_t whole = 0;
  if (const size_t joint = before.rfind("and"); joint != std::string_view::npos && joint > 1) {
    const auto front = NumberWord(before.substr(0, joint - 1));
    if (!front || *front > 1000000) return std::nullopt;
    whole = *front;
    before.remove_prefix(std::min(before.size(), joint + 4));
  }
  const auto count =
      before.empty() || before == "a" ? std::optional<int64_t>(1) : NumberWord(before);
  if (!count || *count >= 1000000) return std::nullopt;
  return NumberPhrase{whole * part + *count, part};
}

int64_t Multiplier(std::string_view word) {
  struct Row {
    int64_t factor;
    const char* words;  // parted by '|', lower case; in every language whose announcements are read
  };
  static constexpr Row kRows[] = {
      {12, "dozen"},
      {100, "hundred|hundreds|hundert|百|백|cem|sto|yüz|trăm|ratus|mia|सौ|শত|ร้อย|مئة|مائة|వంద"},
      {1000,
       "thousand|thousands|tausend|mil|mille|mila|duizend|тысяча|тысячи|тысяч|тис|тисяч|хиляди|"
       "tysiąc|tysiące|tysięcy|"
       "bin|nghìn|ngàn|ribu|elfu|千|천|हज़ार|हजार|হাজার|พัน|ألف|آلاف|الف|వేల|వేలు|tusen|tusind|tuhat|"
       "tuhatta|tisíc|tisíce|"
       "ezer|mii|χιλιάδες|אלף|هزار"},
      {10000, "万|萬|만|หมื่น"},
      {100000, "lakh|lakhs|lac|लाख|লাখ|লক্ষ|แสน|లక్ష|లక్షలు|laki"},
      {1000000,
       "million|millions|millionen|mio|millón|millones|milhão|milhões|milione|milioni|miljoen|"
       "миллион|миллиона|"
       "миллионов|мільйон|мільйонів|милиона|milion|miliony|milionów|milyon|triệu|juta|백만|ล้าน|"
       "مليون|ملايين|میلیون|"
       "miljon|miljoner|millioner|miljoonaa|milión|milionů|millió|milioane|εκατομμύρια|מיליון"},
      {10000000, "crore|crores|करोड़|কোটি"},
      {100000000, "亿|億|억"},
      {1000000000,
       "billion|billions|milliarde|milliarden|milliard|milliards|miliardo|miliardi|miljard|"
       "миллиард|миллиарда|"
       "миллиардов|miliard|miliardy|miliardów|milyar|tỷ|miliar|مليار"},
      {1000000000000, "trillion|trillions|兆"}};
  static const std::unordered_map<std::string_view, int64_t> table = [] {
    std::unordered_map<std::string_view, int64_t> out;
    for (const Row& row : kRows) {
      for (std::string_view words = row.words; !words.empty();) {
        const size_t bar = std::min(words.find('|'), words.size());
        out[words.substr(0, bar)] = row.factor;
        words.remove_prefix(std::min(bar + 1, words.size()));
      }
    }
    return out;
  }();
  const auto it = table.find(word);
  return it == table.end() ? 0 : it->second;
}

bool IsConjunction(std::string_view normalized) {
  static const WordSet set = {"and", "as well as", "and also", "and or", "und",
                              "et",  "и",          "和",       "与",     "と"};
  return set.count(normalized) != 0 || IsDisjunction(normalized);
}

bool IsDisjunction(std::string_view normalized) {
  static const WordSet set = {"or", "or else", "oder", "ou", "или", "或", "或者", "または"};
  return set.count(normalized) != 0;
}

bool HasNegation(std::string_view normalized) {
  static const WordSet set = {
      "not",      "no",      "never", "isnt",      "arent",  "cannot",  "cant",    "doesnt",
      "neither",  "nor",     "wrong", "incorrect", "false",  "except",  "maybe",   "perhaps",
      "possibly", "unless",  "less",  "more",      "least",  "most",    "greater", "fewer",
      "than",     "between", "under", "over",      "above",  "below",   "other",   "without",
      "either",   "or",      "minus", "plus",      "larger", "smaller", "bigger",  "twice"};
  for (const std::string_view w : Split(normalized)) {
    if (set.count(w) != 0) return true;
  }
  for (const std::string_view glued : {"틀렸", "틀린", "아닙", "아니"}) {
    if (normalized.find(glued) != std::string_view::npos) return true;
  }
  return false;
}

bool IsLeadIn(std::string_view normalized) {
  static const WordSet last = {
      "is",    "are",    "equals",    "equal",         "answer", "answers",  "value",     "thus",
      "so",    "hence",  "therefore", "approximately", "about",  "exactly",  "roughly",   "only",
      "be",    "get",    "have",      "total",         "namely", "solution", "solutions", "result",
      "x",     "approx", "just",      "simply",        "option", "choice",   "final",     "around",
      "gives", "obtain", "are:",      "then",          "答案",   "答",       "结果"};
  const std::vector<std::string_view> words = Split(normalized);
  return !words.empty() && last.count(words.back()) != 0 && !HasNegation(normalized);
}

bool IsCondition(std::string_view word) {
  static const WordSet set = {"where",    "for",      "with", "if",      "when", "such",
                              "whenever", "provided", "as",   "because", "since"};
  return set.count(word) != 0;
}

bool IsEqualsWord(std::string_view word) {
  return word == "is" || word == "equals" || word == "are";
}

bool IsDegreeWord(std::string_view word) {
  static const WordSet set = {"degrees", "degree", "градусов", "градуса", "градус", "grados",
                              "grado",   "degrés", "degré",    "grad",    "graus",  "grau",
                              "gradi",   "stopni", "stopnie",  "graden",  "derece", "độ",
                              "度",      "도",     "derajat",  "डिग्री",   "ডিগ্রি",  "องศา",
                              "درجة",    "درجات",  "градусів"};
  return set.count(word) != 0;
}

bool IsPercentWord(std::string_view w) {
  return w == "percent" || w == "pct" || w == "percentage" || w == "per cent" || w == "percents" ||
         w == "percentages";
}

namespace {

// A unit name with its dimension and factor to the base unit of that dimension.
struct UnitRow {
  const char* names;      // separated by '|'; lower case unless the sign needs its case
  const char* dimension;  // base units, each with its power: "g m s^-2"
  int64_t num;
  int64_t den;
};

constexpr UnitRow kUnits[] = {
    {"m|meter|metre", "m", 1, 1},
    {"km|kilometer|kilometre|kms", "m", 1000, 1},
    {"cm|centimeter|centimetre|cms", "m", 1, 100},
    {"mm|millimeter|millimetre", "m", 1, 1000},
    {"dm|decimeter|decimetre", "m", 1, 10},
    {"nm|nanometer|nanometre", "m", 1, 1000000000},
    {"micrometer|micron|micrometre", "m", 1, 1000000},
    {"in|inch|inches", "m", 127, 5000},
    {"ft|foot|feet", "m", 381, 1250},
    {"yd|yard", "m", 1143, 1250},
    {"mi|mile", "m", 201168, 125},
    {"g|gram|gm|gramme", "g", 1, 1},
    {"kg|kilogram|kgs|kilo", "g", 1000, 1},
    {"mg|milligram", "g", 1, 1000},
    {"lb|lbs|pound", "lb", 16, 1},
    {"oz|ounce", "lb", 1, 1},
    {"ton|tonne", "ton", 1, 1},
    {"s|sec|second|secs", "s", 1, 1},
    {"ms|millisecond", "s", 1, 1000},
    {"min|minute|mins", "s", 60, 1},
    {"h|hr|hour|hrs", "s", 3600, 1},
    {"day|days", "s", 86400, 1},
    {"week", "s", 604800, 1},
    {"month", "month", 1, 1},
    {"year|yr|yrs", "month", 12, 1},
    {"L|l|liter|litre", "litre", 1, 1},
    {"mL|ml|milliliter|millilitre", "litre", 1, 1000},
    {"cc|ccm", "litre", 1, 1000},
    {"gallon|gal", "gallon", 4, 1},
    {"quart|qt", "gallon", 1, 1},
    {"dollar|usd|buck", "usd", 1, 1},
    {"cent", "usd", 1, 100},
    {"euro|eur", "eur", 1, 1},
    {"gbp", "gbp", 1, 1},
    {"yen|jpy", "yen", 1, 1},
    {"yuan|rmb|cny|元", "yuan", 1, 1},
    {"rupee|inr|rs", "rupee", 1, 1},
    {"hkd", "hkd", 1, 1},
    {"aud", "aud", 1, 1},
    {"cad", "cad", 1, 1},
    {"nzd", "nzd", 1, 1},
    {"twd", "twd", 1, 1},
    {"sgd", "sgd", 1, 1},
    {"brl", "brl", 1, 1},
    {"mxn", "mxn", 1, 1},
    {"chf|franc", "chf", 1, 1},
    {"won|krw", "won", 1, 1},
    {"php", "php", 1, 1},
    {"ruble|rouble|rub|руб|рублей|рубля", "rub", 1, 1},
    {"lira", "lira", 1, 1},
    {"baht|thb", "baht", 1, 1},
    {"dong|vnd", "dong", 1, 1},
    {"naira|ngn", "naira", 1, 1},
    {"shekel|ils", "shekel", 1, 1},
    {"sek", "sek", 1, 1},
    {"nok", "nok", 1, 1},
    {"dkk", "dkk", 1, 1},
    {"kr|krone|kroner|kronor|krona", "kr", 1, 1},
    {"pln|zloty|zł", "pln", 1, 1},
    {"zar|rand", "zar", 1, 1},
    {"degree|deg", "deg", 1, 1},
    {"radian|rad", "rad", 1, 1},
    {"N|newton", "g m s^-2", 1000, 1},
    {"J|joule", "g m^2 s^-2", 1000, 1},
    {"W|watt", "g m^2 s^-3", 1000, 1},
    {"V|volt", "A^-1 g m^2 s^-3", 1000, 1},
    {"A|ampere|amp|amps", "A", 1, 1},
    {"K|kelvin", "K", 1, 1},
    {"Pa|pascal", "g m^-1 s^-2", 1000, 1},
    {"Hz|hertz", "s^-1", 1, 1},
    {"C|coulomb", "A s", 1, 1},
    {"T|tesla", "A^-1 g s^-2", 1000, 1},
    {"Wb|weber", "A^-1 g m^2 s^-2", 1000, 1},
    {"F|farad", "A^2 g^-1 m^-2 s^4", 1, 1000},
    {"H|henry", "A^-2 g m^2 s^-2", 1000, 1},
    {"ohm|ohms|Ω|Omega", "A^-2 g m^2 s^-3", 1000, 1},
    {"kWh", "g m^2 s^-2", 3600000000, 1},
    {"atm", "g m^-1 s^-2", 101325000, 1},
    {"bar", "g m^-1 s^-2", 100000000, 1},
    {"cal|calorie", "g m^2 s^-2", 4184, 1},
    {"eV", "eV", 1, 1},
    {"mol|mole", "mol", 1, 1},
    {"pence|penny", "gbp", 1, 100},
    {"celsius", "celsius", 1, 1},
    {"fahrenheit", "fahrenheit", 1, 1},
    {"acre", "acre", 1, 1},
    {"mph", "mph", 1, 1},
    {"kph|kmh", "kmh", 1, 1},
    {"bit", "bit", 1, 1},
    {"byte", "bit", 8, 1},
    {"unit", "unit", 1, 1},
};

using UnitTable = std::unordered_map<std::string, const UnitRow*>;

const UnitTable& Units() {
  static const UnitTable table = [] {
    UnitTable t;
    for (const UnitRow& row : kUnits) {
      std::string_view names = row.names;
      while (!names.empty()) {
        const size_t bar = std::min(names.find('|'), names.size());
        const std::string name(names.substr(0, bar));
        t[name] = &row;
        if (name.size() > 3) t[name + "s"] = &row;
        names.remove_prefix(std::min(bar + 1, names.size()));
      }
    }
    return t;
  }();
  return table;
}

const UnitRow* FindUnit(std::string_view word) {
  const UnitTable& t = Units();
  auto it = t.find(std::string(word));
  if (it == t.end() && word.size() > 2) {
    std::string lower(word);
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    it = t.find(lower);
  }
  return it == t.end() ? nullptr : it->second;
}

struct PrefixRow {
  std::string_view sign;
  std::string_view word;
  int64_t num;
  int64_t den;
};

constexpr PrefixRow kPrefixes[] = {
    {"k", "kilo", 1000, 1},          {"M", "mega", 1000000, 1},    {"G", "giga", 1000000000, 1},
    {"T", "tera", 1000000000000, 1}, {"c", "centi", 1, 100},       {"m", "milli", 1, 1000},
    {"u", "micro", 1, 1000000},      {"μ", "", 1, 1000000},        {"mu", "", 1, 1000000},
    {"µ", "", 1, 1000000},           {"n", "nano", 1, 1000000000}, {"p", "pico", 1, 1000000000000},
};

// Units that take a prefix: metric ones, as their sign or their name.
bool TakesPrefix(std::string_view name) {
  static const WordSet names = {
      "m",   "meter",  "metre",   "g",     "gram",  "s",    "second",  "L",    "liter", "litre",
      "N",   "newton", "J",       "joule", "W",     "watt", "V",       "volt", "A",     "ampere",
      "amp", "Pa",     "pascal",  "Hz",    "hertz", "C",    "coulomb", "T",    "tesla", "Wb",
      "F",   "farad",  "H",       "henry", "ohm",   "Ω",    "Omega",   "eV",   "mol",   "mole",
      "K",   "cal",    "calorie", "bar",   "byte",  "bit"};
  return names.count(name) != 0;
}

// A unit of the table, or one with a metric prefix: mA, MPa, micrometers. Nothing: no unit.
std::optional<UnitRow> UnitNamed(std::string_view word) {
  if (const UnitRow* row = FindUnit(word)) return *row;
  for (const PrefixRow& prefix : kPrefixes) {
    for (const std::string_view front : {prefix.sign, prefix.word}) {
      if (front.empty() || word.size() <= front.size() || word.substr(0, front.size()) != front)
        continue;
      std::string_view stem = word.substr(front.size());
      if (front == prefix.word && stem.size() > 3 && stem.back() == 's' && stem != "pascals")
        stem.remove_suffix(1);
      if (stem == "pascals") stem = "pascal";
      if (!TakesPrefix(stem) || (front.size() > 2) != (stem.size() > 2 && stem != "Omega"))
        continue;
      const UnitRow* row = FindUnit(stem);
      if (row == nullptr) continue;
      return UnitRow{row->names, row->dimension, row->num * prefix.num, row->den * prefix.den};
    }
  }
  return std::nullopt;
}

// Builds a dimension such as "m^1 s^-1" and the factor.
struct UnitBuilder {
  std::map<std::string, int> powers;
  int64_t num = 1;
  int64_t den = 1;
  bool ok = true;

  void Multiply(const UnitRow& row, int power) {
    if (std::abs(power) > 6) {
      ok = false;
      return;
    }
    if (std::strcmp(row.dimension, "mph") == 0) {
      Multiply({"", "m", 201168, 125}, power);
      Multiply({"", "s", 3600, 1}, -power);
      return;
    }
    if (std::strcmp(row.dimension, "kmh") == 0) {
      Multiply({"", "m", 1000, 1}, power);
      Multiply({"", "s", 3600, 1}, -power);
      return;
    }
    if (std::strcmp(row.dimension, "litre") == 0) {
      powers["m"] += 3 * power;
      Scale(row.num, row.den, power);
      Scale(1, 1000, power);
      return;
    }
    for (const std::string_view part : Split(row.dimension)) {
      const size_t caret = part.find('^');
      const int own = caret == std::string_view::npos
                          ? 1
                          : std::atoi(std::string(part.substr(caret + 1)).c_str());
      powers[std::string(part.substr(0, caret))] += own * power;
    }
    Scale(row.num, row.den, power);
  }

  void Scale(int64_t row_num, int64_t row_den, int power) {
    for (int k = 0; k < std::abs(power); ++k) {
      const int64_t n = power > 0 ? row_num : row_den;
      const int64_t d = power > 0 ? row_den : row_num;
      if (__builtin_mul_overflow(num, n, &num) || __builtin_mul_overflow(den, d, &den)) {
        ok = false;
        return;
      }
      const int64_t common = std::gcd(num, den);
      num /= common;
      den /= common;
    }
  }

  std::string Dimension() const {
    std::string out;
    for (const auto& [name, power] : powers) {
      if (power == 0) continue;
      if (!out.empty()) out += ' ';
      out += name;
      if (power != 1) {
        out += '^';
        out += std::to_string(power);
      }
    }
    return out;
  }
};

std::vector<std::string> UnitTokens(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (IsAlpha(c) || static_cast<unsigned char>(c) >= 0x80) {
      word += c;
      continue;
    }
    FlushWord(&word, &out);
    if (c == '/' || c == '^' || c == '-' || IsDigit(c)) {
      if (IsDigit(c) && !out.empty() && out.back() == "-") {
        out.back() += c;
      } else {
        out.emplace_back(1, c);
      }
    }
  }
  FlushWord(&word, &out);
  return out;
}

bool ReadUnit(const std::vector<std::string>& tokens, UnitBuilder* builder) {
  int sign = 1;
  int prefix_power = 1;
  int count = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& t = tokens[i];
    if (t == "/" || t == "per" || t == "an" || t == "a") {
      if (t == "/" || t == "per") sign = -1;
      continue;
    }
    if (t == "-" || t == "of" || t == "cdot" || t == "times" || t == "·") continue;
    if (t == "square" || t == "sq" || t == "cubic" || t == "cu") {
      prefix_power = t[0] == 's' ? 2 : 3;
      continue;
    }
    const bool temperature = (t == "degrees" || t == "degree") && i + 1 < tokens.size() &&
                             FindUnit(tokens[i + 1]) != nullptr &&
                             std::strchr("cf", FindUnit(tokens[i + 1])->dimension[0]) != nullptr;
    if (temperature) continue;  // degrees Celsius
    const std::optional<UnitRow> row = UnitNamed(t);
    if (!row) return false;
    int power = prefix_power;
    prefix_power = 1;
    if (i + 1 < tokens.size() && (tokens[i + 1] == "squared" || tokens[i + 1] == "cubed")) {
      power = tokens[i + 1][0] == 's' ? 2 : 3;
      ++i;
    } else {
      size_t j = i + 1;
      if (j < tokens.size() && tokens[j] == "^") ++j;
      if (j < tokens.size() &&
          (IsDigit(tokens[j][0]) || (tokens[j].size() == 2 && tokens[j][0] == '-'))) {
        power = std::atoi(tokens[j].c_str());
        i = j;
      }
    }
    builder->Multiply(*row, power * sign);
    ++count;
  }
  return count > 0 && builder->ok;
}

}  // namespace

Unit ParseUnit(std::string_view text) {
  Unit unit;
  UnitBuilder builder;
  unit.words = NormalizeWords(text);
  if (text.size() < 100 && ReadUnit(UnitTokens(text), &builder)) {
    unit.known = true;
    unit.dimension = builder.Dimension();
    unit.num = builder.num;
    unit.den = builder.den;
  }
  return unit;
}

namespace {

struct Currency {
  std::string_view sign;
  const char* unit;
};

constexpr Currency kCurrencies[] = {
    {"$", "dollars"}, {"euro", "euro"}, {"pounds", "gbp"},  {"yen", "yen"},    {"US", "dollars"},
    {"HK", "hkd"},    {"AU", "aud"},    {"A", "aud"},       {"CA", "cad"},     {"C", "cad"},
    {"NZ", "nzd"},    {"NT", "twd"},    {"SG", "sgd"},      {"S", "sgd"},      {"R", "brl"},
    {"MX", "mxn"},    {"USD", "usd"},   {"EUR", "eur"},     {"GBP", "gbp"},    {"CHF", "chf"},
    {"INR", "inr"},   {"Rs", "inr"},    {"rupee", "inr"},   {"JPY", "yen"},    {"CNY", "yuan"},
    {"RMB", "yuan"},  {"KRW", "won"},   {"won", "won"},     {"HKD", "hkd"},    {"AUD", "aud"},
    {"CAD", "cad"},   {"SGD", "sgd"},   {"NZD", "nzd"},     {"TWD", "twd"},    {"BRL", "brl"},
    {"MXN", "mxn"},   {"PHP", "php"},   {"peso", "php"},    {"RUB", "ruble"},  {"ruble", "ruble"},
    {"TRY", "lira"},  {"lira", "lira"}, {"THB", "baht"},    {"baht", "baht"},  {"VND", "dong"},
    {"dong", "dong"}, {"NGN", "naira"}, {"naira", "naira"}, {"ILS", "shekel"}, {"shekel", "shekel"},
    {"SEK", "sek"},   {"NOK", "nok"},   {"DKK", "dkk"},     {"PLN", "pln"},    {"ZAR", "zar"},
};

}  // namespace

uint8_t CurrencyOf(std::string_view sign) {
  for (size_t k = 0; k < std::size(kCurrencies); ++k) {
    if (sign == kCurrencies[k].sign) return static_cast<uint8_t>(k + 1);
  }
  return 0;
}

const char* CurrencyUnit(uint8_t currency) {
  return currency == 0 || currency > std::size(kCurrencies) ? "dollars"
                                                            : kCurrencies[currency - 1].unit;
}

bool IsUnitWord(std::string_view word) {
  return word.size() >= 2 && FindUnit(word) != nullptr && word != "ms" && word != "in" &&
         word != "mi";
}

}  // namespace assay::math
