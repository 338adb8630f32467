// HashIndex: which texts (or problems) are in the store already, and under which id. All hashes are in memory (some 40 bytes each): looking
// each new one up in the database would cost as much as writing it. In the database they stand by id, in chunks, so that a commit appends
// to the last one; a B-tree over random hashes is written anew with each commit. Part of Store; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "datagen/store/sqlite.h"

namespace assay::sqlite {

inline constexpr int64_t kChunkHashes = 512;  // of the ids from chunk * kChunkHashes on
inline constexpr size_t kHashBytes = 16;      // in a chunk; zeros where an id has none

// A hash as the database holds it, and back; of fewer bytes than 16 what is there.
std::string_view HashBytes(const Hash128& hash, char (&out)[kHashBytes]);
Hash128 HashFromBytes(std::string_view bytes);

// Every hash of a table of chunks with its id, in the order of ids. kInput where the table is damaged.
Status ForEachHash(Database* db, const std::string& table,
                   const std::function<Status(int64_t id, const Hash128& hash)>& visit);

class HashIndex {
 public:
  // `table` has the columns chunk (the primary key) and hashes.
  Status Prepare(Database* db, const std::string& table);
  // Reads the committed hashes anew (another process may have written).
  Status Reload();
  // The id noted for that hash, if it is in the store or pending.
  std::optional<int64_t> Find(const Hash128& hash) const;
  // Fetches what Find will look at from memory meanwhile: for stores of many texts most of its time goes there.
  void Prefetch(const Hash128& hash) const {
    if (!table_.empty()) __builtin_prefetch(&table_[TagOf(hash) & (table_.size() - 1)]);
  }
  // Notes the hash of a new id; Find knows it from now on. kLimit: an id beyond what a store can hold.
  Status Add(const Hash128& hash, int64_t id);
  // Writes what is pending into the open transaction.
  Status Flush();

 private:
  using Chunk = std::array<Hash128, kChunkHashes>;
  const Hash128& At(int64_t id) const {
    return (
        *chunks_[static_cast<size_t>(id / kChunkHashes)])[static_cast<size_t>(id % kChunkHashes)];
  }
  // id 0: free. The tag, a part of the hash, spares looking at the hashes of most other ids.
  struct Slot {
    uint32_t id = 0;
    uint32_t tag = 0;
  };
  static uint32_t TagOf(const Hash128& hash) { return static_cast<uint32_t>(hash.low); }
  size_t PlaceOf(const Hash128& hash) const;
  void GrowTable();

  Database* db_ = nullptr;
  std::string table_name_;
  Statement write_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // null: no id in it has a hash
  std::vector<Slot> table_;                     // open addressing
  size_t known_ = 0;                            // ids in table_
  int64_t first_pending_ = 0, last_id_ = 0;     // chunks from the first one's on are to be written
};

}  // namespace assay::sqlite
