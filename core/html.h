// Text of whatever origin as HTML shows it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// & < > " ' as entities, ill-formed UTF-8 and control characters replaced.
std::string EscapeHtml(std::string_view text);

}  // namespace assay
