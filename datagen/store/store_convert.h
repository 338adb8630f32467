// What a step of the store's schema does that SQL cannot, inside of the step's transaction. Part of Store; used by store_schema.cc.
#pragma once

#include "core/result.h"
#include "datagen/store/sqlite.h"

namespace assay::sqlite {

// Version 6 to 7: fills samples.verdicts from the table of verdicts, and the chunks of new_text_hashes and new_problem_hashes from the
// tables of hashes.
Status ConvertToVersion7(Database* db);

}  // namespace assay::sqlite
