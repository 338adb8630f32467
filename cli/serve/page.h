// The page at `/` (page.html), as text.
#pragma once

namespace assay {

extern const char kPage[];

}  // namespace assay
