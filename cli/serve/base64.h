// Base64 (RFC 4648, the standard alphabet), in which bytes travel through JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

std::string Base64Encoded(std::string_view bytes);
// White space is skipped and padding may be missing; nothing for any other character.
std::optional<std::string> Base64Decoded(std::string_view text);
// Pairs of hexadecimal digits; nothing for anything else.
std::optional<std::string> HexDecoded(std::string_view text);

}  // namespace assay
