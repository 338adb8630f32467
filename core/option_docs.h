// What a table of options says of itself: text for the terminal, a table for docs/, a JSON Schema. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/options.h"

namespace assay {

// The names with `between` between them; an empty one, which stands for "unset", is left out.
std::string ChoiceList(const std::vector<std::string>& names, std::string_view between);
// "from 0 to 1000", "at least 1", "" where any number goes.
std::string RangeText(const OptionInfo& info);
// The values that it takes: "lines | tokens | exact", "true | false", "whole number from 0 to 1000".
std::string ValuesText(const OptionInfo& info);
// The default as a person would write it; "none" where it is unset or empty.
std::string DefaultText(const OptionInfo& info);

// One line an option: "match: lines | tokens | exact (default lines): how standard output is compared".
std::string OptionLines(const std::vector<OptionInfo>& infos);
// A table of Markdown: option, values, default, sentence. `header` names the first column.
std::string OptionMarkdown(const std::vector<OptionInfo>& infos, std::string_view header);

// A schema (draft 2020-12) of the object; names with a dot stand in objects of their own. `with_null`: a null is taken
// everywhere, as rows of JSON have it; TOML has none.
Json OptionSchema(const std::vector<OptionInfo>& infos, bool with_null);

}  // namespace assay
