// What kind of character a byte is, whatever the locale. Private to verifiers/math.
#pragma once

namespace assay::math {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || IsUpper(c); }
inline bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool IsHigh(char c) { return static_cast<unsigned char>(c) >= 0x80; }  // not ASCII

}  // namespace assay::math
