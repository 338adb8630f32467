// Words, markup and sentences of a reply. Private to reply/; pure; each function looks at most at a bounded window around
// its start, so callers that walk a text stay linear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay::math {

// A sentence is cut after so many bytes.
inline constexpr size_t kMaxClauseBytes = 2048;

// Behind spaces, and behind markup that opens or closes emphasis or code (`**`, `_`, backticks, quotes).
size_t SkipSpace(std::string_view text, size_t at, size_t end);
size_t SkipMarkup(std::string_view text, size_t at, size_t end);

// The bytes of a full stop, exclamation or question mark of another script at `at`; 0 if none stands there.
size_t ForeignStopBytes(std::string_view text, size_t at);

// The end of the sentence that `at` is in: at a newline, a full stop that is no decimal point, `!`, `?`, their CJK forms, or
// a chat token; formulas and brackets are jumped over. At most kMaxClauseBytes away.
size_t ClauseEnd(std::string_view text, size_t at, size_t end);
// The begin of the sentence that `at` is in, at most kMaxClauseBytes before.
size_t ClauseBegin(std::string_view text, size_t at, size_t begin);

// True if the word at `at` (letters, any case) is `word` (lower case ASCII).
bool WordIs(std::string_view text, size_t at, size_t end, std::string_view word);
// The word of letters and apostrophes at `at`, ASCII letters in lower case; empty if no letter stands there.
std::string WordAt(std::string_view text, size_t at, size_t end, size_t* word_end);

// The code point at `at` and the bytes it takes; ill-formed bytes are U+FFFD, one byte.
int32_t CodePointAt(std::string_view text, size_t at, size_t* size);

}  // namespace assay::math
