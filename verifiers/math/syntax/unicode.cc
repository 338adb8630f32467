#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "verifiers/math/syntax/lexer.h"

namespace assay::math {
namespace {

struct Mapping {
  char32_t code;
  const char* text;
};

// Sorted by code point. A command is followed by a blank so that it does not run into letters.
constexpr Mapping kMappings[] = {
    {0x00A0, " "},
    {0x00A2, " cents "},
    {0x00A3, "\\pounds "},
    {0x00A5, "\\yen "},
    {0x00AC, "\\neg "},
    {0x00B0, "^\\circ "},
    {0x00B1, "\\pm "},
    {0x00B4, "'"},
    {0x00B7, "\\cdot "},
    {0x00BC, "\\frac{1}{4}"},
    {0x00BD, "\\frac{1}{2}"},
    {0x00BE, "\\frac{3}{4}"},
    {0x00D7, "\\times "},
    {0x00F7, "\\div "},
    {0x02C6, "^"},
    {0x0391, "A"},
    {0x0392, "B"},
    {0x0393, "\\Gamma "},
    {0x0394, "\\Delta "},
    {0x0395, "E"},
    {0x0396, "Z"},
    {0x0397, "H"},
    {0x0398, "\\Theta "},
    {0x0399, "I"},
    {0x039A, "K"},
    {0x039B, "\\Lambda "},
    {0x039C, "M"},
    {0x039D, "N"},
    {0x039E, "\\Xi "},
    {0x039F, "O"},
    {0x03A0, "\\Pi "},
    {0x03A1, "P"},
    {0x03A3, "\\Sigma "},
    {0x03A4, "T"},
    {0x03A5, "\\Upsilon "},
    {0x03A6, "\\Phi "},
    {0x03A7, "X"},
    {0x03A8, "\\Psi "},
    {0x03A9, "\\Omega "},
    {0x03B1, "\\alpha "},
    {0x03B2, "\\beta "},
    {0x03B3, "\\gamma "},
    {0x03B4, "\\delta "},
    {0x03B5, "\\epsilon "},
    {0x03B6, "\\zeta "},
    {0x03B7, "\\eta "},
    {0x03B8, "\\theta "},
    {0x03B9, "\\iota "},
    {0x03BA, "\\kappa "},
    {0x03BB, "\\lambda "},
    {0x03BC, "\\mu "},
    {0x03BD, "\\nu "},
    {0x03BE, "\\xi "},
    {0x03BF, "o"},
    {0x03C0, "\\pi "},
    {0x03C1, "\\rho "},
    {0x03C2, "\\sigma "},
    {0x03C3, "\\sigma "},
    {0x03C4, "\\tau "},
    {0x03C5, "\\upsilon "},
    {0x03C6, "\\phi "},
    {0x03C7, "\\chi "},
    {0x03C8, "\\psi "},
    {0x03C9, "\\omega "},
    {0x03D1, "\\theta "},
    {0x03D5, "\\phi "},
    {0x03D6, "\\pi "},
    {0x03F5, "\\epsilon "},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2012, "-"},
    {0x2013, "-"},
    {0x2014, "-"},
    {0x2015, "-"},
    {0x2016, "\\|"},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x201C, "\""},
    {0x201D, "\""},
    {0x2022, "\\cdot "},
    {0x2024, "."},
    {0x2026, "\\ldots "},
    {0x2030, "\\permille "},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x203E, "-"},
    {0x2044, "/"},
    {0x20A6, "\\naira "},
    {0x20A9, "\\won "},
    {0x20AA, "\\shekel "},
    {0x20AB, "\\dong "},
    {0x20AC, "\\euro "},
    {0x20B1, "\\peso "},
    {0x20B9, "\\rupee "},
    {0x20BA, "\\lira "},
    {0x20BD, "\\ruble "},
    {0x2102, "\\mathbb{C}"},
    {0x2107, "e"},
    {0x210E, "h"},
    {0x210F, "\\hbar "},
    {0x2115, "\\mathbb{N}"},
    {0x211A, "\\mathbb{Q}"},
    {0x211D, "\\mathbb{R}"},
    {0x2124, "\\mathbb{Z}"},
    {0x2148, "i"},
    {0x2150, "\\frac{1}{7}"},
    {0x2151, "\\frac{1}{9}"},
    {0x2152, "\\frac{1}{10}"},
    {0x2153, "\\frac{1}{3}"},
    {0x2154, "\\frac{2}{3}"},
    {0x2155, "\\frac{1}{5}"},
    {0x2156, "\\frac{2}{5}"},
    {0x2157, "\\frac{3}{5}"},
    {0x2158, "\\frac{4}{5}"},
    {0x2159, "\\frac{1}{6}"},
    {0x215A, "\\frac{5}{6}"},
    {0x215B, "\\frac{1}{8}"},
    {0x215C, "\\frac{3}{8}"},
    {0x215D, "\\frac{5}{8}"},
    {0x215E, "\\frac{7}{8}"},
    {0x2190, "\\gets "},
    {0x2192, "\\to "},
    {0x21D2, "\\Rightarrow "},
    {0x21D4, "\\iff "},
    {0x2200, "\\forall "},
    {0x2202, "\\partial "},
    {0x2203, "\\exists "},
    {0x2205, "\\emptyset "},
    {0x2206, "\\Delta "},
    {0x2207, "\\nabla "},
    {0x2208, "\\in "},
    {0x2209, "\\notin "},
    {0x220F, "\\prod "},
    {0x2211, "\\sum "},
    {0x2212, "-"},
    {0x2213, "\\mp "},
    {0x2215, "/"},
    {0x2216, "\\setminus "},
    {0x2217, "*"},
    {0x2218, "\\circ "},
    {0x2219, "\\cdot "},
    {0x221A, "\\sqrt "},
    {0x221B, "\\sqrt[3] "},
    {0x221C, "\\sqrt[4] "},
    {0x221D, "\\propto "},
    {0x221E, "\\infty "},
    {0x2220, "\\angle "},
    {0x2223, "|"},
    {0x2225, "\\|"},
    {0x2227, "\\land "},
    {0x2228, "\\lor "},
    {0x2229, "\\cap "},
    {0x222A, "\\cup "},
    {0x222B, "\\int "},
    {0x2236, ":"},
    {0x223C, "\\sim "},
    {0x2245, "\\cong "},
    {0x2248, "\\approx "},
    {0x2260, "\\ne "},
    {0x2261, "\\equiv "},
    {0x2264, "\\le "},
    {0x2265, "\\ge "},
    {0x2266, "\\le "},
    {0x2267, "\\ge "},
    {0x2282, "\\subset "},
    {0x2283, "\\supset "},
    {0x2286, "\\subseteq "},
    {0x2287, "\\supseteq "},
    {0x22C5, "\\cdot "},
    {0x22EF, "\\ldots "},
    {0x2308, "\\lceil "},
    {0x2309, "\\rceil "},
    {0x230A, "\\lfloor "},
    {0x230B, "\\rfloor "},
    {0x2329, "\\langle "},
    {0x232A, "\\rangle "},
    {0x25B3, "\\triangle "},
    {0x27E8, "\\langle "},
    {0x27E9, "\\rangle "},
    {0x2A7D, "\\le "},
    {0x2A7E, "\\ge "},
    {0x3001, ","},
    {0x3002, "."},
    {0x3008, "\\langle "},
    {0x3009, "\\rangle "},
    {0xFF0C, ","},
    {0xFFE5, "\\yen "},
};

static_assert(std::is_sorted(std::begin(kMappings), std::end(kMappings),
                             [](const Mapping& a, const Mapping& b) { return a.code < b.code; }));

const char* FindMapping(char32_t code) {
  const auto* end = std::end(kMappings);
  const auto* it = std::lower_bound(std::begin(kMappings), end, code,
                                    [](const Mapping& m, char32_t c) { return m.code < c; });
  return it == end || it->code != code ? nullptr : it->text;
}

// The ASCII character of a superscript or subscript sign, or 0.
char ScriptChar(char32_t code, bool super) {
  if (super) {
    switch (code) {
      case 0xB2:
        return '2';
      case 0xB3:
        return '3';
      case 0xB9:
        return '1';
      case 0x2070:
        return '0';
      case 0x2071:
        return 'i';
      case 0x207A:
        return '+';
      case 0x207B:
        return '-';
      case 0x207D:
        return '(';
      case 0x207E:
        return ')';
      case 0x207F:
        return 'n';
      case 0x02E3:
        return 'x';
      default:
        return code >= 0x2074 && code <= 0x2079 ? static_cast<char>('4' + (code - 0x2074)) : 0;
    }
  }
  switch (code) {
    case 0x208A:
      return '+';
    case 0x208B:
      return '-';
    case 0x2090:
      return 'a';
    case 0x2099:
      return 'n';
    case 0x1D62:
      return 'i';
    case 0x2C7C:
      return 'j';
    case 0x2096:
      return 'k';
    case 0x2098:
      return 'm';
    default:
      return code >= 0x2080 && code <= 0x2089 ? static_cast<char>('0' + (code - 0x2080)) : 0;
  }
}

void AppendUtf8(char32_t code, std::string* out) {
  uint8_t buffer[4];
  int32_t n = 0;
  U8_APPEND_UNSAFE(buffer, n, static_cast<UChar32>(code));
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(n));
}

// A letter of a mathematical alphabet (bold, script, double-struck): its plain letter through the compatibility
// decomposition. 0 if it has none of one ASCII character.
char PlainLetter(char32_t code) {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* nfkc = unorm2_getNFKCInstance(&status);
  if (U_FAILURE(status)) return 0;
  UChar buffer[8];
  const int32_t n =
      unorm2_getRawDecomposition(nfkc, static_cast<UChar32>(code), buffer, 8, &status);
  return U_SUCCESS(status) && n == 1 && buffer[0] < 0x80 ? static_cast<char>(buffer[0]) : 0;
}

// Consumes a run of superscripts (or subscripts) whose first sign is at `*i`; false if there is none.
bool AppendScripts(std::string_view text, int32_t* i, bool super, std::string* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int32_t>(text.size());
  std::string run;
  int32_t at = *i;
  while (at < length) {
    int32_t next = at;
    UChar32 code;
    U8_NEXT(bytes, next, length, code);
    const char c = code < 0 ? 0 : ScriptChar(static_cast<char32_t>(code), super);
    if (c == 0) break;
    run.push_back(c);
    at = next;
  }
  if (run.empty()) return false;
  *out += super ? "^{" : "_{";
  *out += run + "}";
  *i = at;
  return true;
}

void AppendCode(UChar32 code, std::string* out) {
  const auto c = static_cast<char32_t>(code);
  if (const char* mapped = FindMapping(c)) {
    *out += mapped;
    return;
  }
  if (c >= 0xFF01 && c <= 0xFF5E) {
    out->push_back(static_cast<char>(c - 0xFEE0));
    return;
  }
  const int32_t digit = u_charDigitValue(code);
  if (digit >= 0) {
    out->push_back(static_cast<char>('0' + digit));
    return;
  }
  const int8_t type = u_charType(code);
  if (type == U_FORMAT_CHAR || type == U_CONTROL_CHAR || type == U_NON_SPACING_MARK ||
      c == 0xFFFD || type == U_PRIVATE_USE_CHAR || type == U_SURROGATE || type == U_UNASSIGNED) {
    return;
  }
  if (u_isUWhiteSpace(code)) {
    out->push_back(' ');
    return;
  }
  if (c >= 0x1D400 && c <= 0x1D7FF) {
    if (const char plain = PlainLetter(c)) {
      out->push_back(plain);
      return;
    }
  }
  AppendUtf8(c, out);
}

}  // namespace

std::string NormalizeUnicode(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) {
    const auto b = static_cast<unsigned char>(c);
    return b < 0x80 && (b >= 0x20 || b == '\n' || b == '\t' || b == '\r');
  });
  if (ascii) return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int32_t>(text.size());
  int32_t i = 0;
  while (i < length) {
    if (bytes[i] < 0x80) {
      const char c = text[static_cast<size_t>(i++)];
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
        out.push_back(c);
      } else if (c == '\n' || c == '\t' || c == '\r') {
        out.push_back(' ');
      }
      continue;
    }
    if (AppendScripts(text, &i, true, &out) || AppendScripts(text, &i, false, &out)) continue;
    UChar32 code;
    U8_NEXT(bytes, i, length, code);
    if (code >= 0) AppendCode(code, &out);
    // √14 is the root of 14, where \sqrt 14 would take one digit.
    int32_t digits_end = i;
    while (code == 0x221A && digits_end < length && bytes[digits_end] >= '0' &&
           bytes[digits_end] <= '9')
      ++digits_end;
    if (digits_end > i + 1) {
      out += "{" +
             std::string(text.substr(static_cast<size_t>(i), static_cast<size_t>(digits_end - i))) +
             "}";
      i = digits_end;
    }
  }
  return out;
}

}  // namespace assay::math
