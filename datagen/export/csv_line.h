// Comma-separated values (RFC 4180): a JSON object as one line. Texts that need it stand in quotes; arrays and objects are JSON text;
// null is empty. Pure.
#pragma once

#include <string>

#include "core/json.h"

namespace assay {

// The names of the object's members; ends in \r\n as the RFC has it.
std::string CsvHeader(const Json& line);
std::string CsvLine(const Json& line);

}  // namespace assay
