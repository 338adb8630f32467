// HashIndex: which texts (or problems) are in the store already, and under which id. Looking each new one up in the database
// would cost as much as writing it, so two things stand before the table of hashes: the hashes of the open transaction, and a
// Bloom filter over all committed ones (10 bits each, about 1 % needless look-ups). Hashes reach the table at the end of a
// transaction in sorted order, which keeps the inserts local: an SQL index over random hashes costs several times as much.
// Part of Store; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/hash.h"
#include "datagen/store/sqlite.h"

namespace assay::sqlite {

class HashIndex {
 public:
  // `table` has the columns high, low (the primary key) and id.
  Status Prepare(Database* db, const std::string& table);
  // Reads the committed hashes anew (another process may have written).
  Status Reload();
  // The id noted for that hash, if it is in the store or pending.
  Result<std::optional<int64_t>> Find(const Hash128& hash);
  // Notes a new hash; Find knows it from now on.
  void Add(const Hash128& hash, int64_t id);
  // Writes the pending hashes into the open transaction.
  Status Flush();

 private:
  struct Pending {
    Hash128 hash;
    int64_t id;
  };
  void FilterAdd(const Hash128& hash);
  bool FilterMayHave(const Hash128& hash) const;
  void Resize(int64_t hashes);
  void GrowTable();
  size_t Slot(const Hash128& hash) const;

  Database* db_ = nullptr;
  std::string table_name_;
  Statement lookup_;
  std::optional<BatchInsert> insert_;
  std::vector<uint64_t> filter_;  // a power of two of 512-bit blocks
  int64_t filter_hashes_ = 0;     // in the filter
  int64_t filter_capacity_ = 0;
  std::vector<Pending> pending_;
  std::vector<uint32_t> table_;  // open addressing: 1 + place in pending_, 0 free
};

}  // namespace assay::sqlite
