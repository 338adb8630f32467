// What of a reply is prose: the rest (program text, LaTeX, tags, addresses) is taken out. What pretends to be code or a formula and reads
// as sentences stays in, so that nobody hides text there. Pure; thread-safe; linear time.
#pragma once

#include <string_view>
#include <vector>

namespace assay {

// Pieces of `text`, in order.
std::vector<std::string_view> ProseOf(std::string_view text);

}  // namespace assay
