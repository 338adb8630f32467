// The store's schema as a list of steps, each of which takes a store from one version to the next; a new store goes through
// all of them. docs/store.md describes the tables. Stateless.
#pragma once

#include "core/result.h"
#include "datagen/store/sqlite.h"

namespace assay::sqlite {

inline constexpr int kSchemaVersion = 7;
// PRAGMA application_id of our files: "Assy".
inline constexpr int32_t kApplicationId = 0x41737379;

// The SQL that takes a store from `version` to `version` + 1; of the last step there is more (store_convert.h).
const char* MigrationSql(int version);

// Checks that `db` is a store of ours that this program can use; if `writable`, makes an empty file one (`create`) and
// migrates an older one. Everything in one transaction: a killed process leaves the old version.
Status PrepareSchema(Database* db, bool writable, bool create);

}  // namespace assay::sqlite
