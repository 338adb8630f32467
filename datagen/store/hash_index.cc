#include "datagen/store/hash_index.h"

#include <algorithm>
#include <bit>

#include "core/text.h"

namespace assay::sqlite {
namespace {

constexpr int64_t kFirstCapacity = 1 << 20;  // hashes; 1.25 MiB of filter
constexpr int kBitsPerHash = 10;
constexpr int kProbes = 6;
constexpr int kBlockWords = 8;  // one cache line

}  // namespace

Status HashIndex::Prepare(Database* db, const std::string& table) {
  db_ = db;
  table_name_ = table;
  Result<Statement> lookup =
      db->Prepare(StrCat("SELECT id FROM ", table, " WHERE high = ? AND low = ?"));
  if (!lookup.ok()) return lookup.error();
  lookup_ = std::move(*lookup);
  Result<BatchInsert> insert = BatchInsert::Make(db, StrCat(table, "(high, low, id)"), 3);
  if (!insert.ok()) return insert.error();
  insert_ = std::move(*insert);
  return {};
}

void HashIndex::Resize(int64_t hashes) {
  filter_capacity_ = std::max(kFirstCapacity, 2 * hashes);
  uint64_t blocks = std::bit_ceil(static_cast<uint64_t>(filter_capacity_) * kBitsPerHash / 512);
  filter_.assign(blocks * kBlockWords, 0);
  filter_hashes_ = 0;
}

Status HashIndex::Reload() {
  Result<int64_t> count = db_->QueryInt(StrCat("SELECT count(*) FROM ", table_name_));
  if (!count.ok()) return count.error();
  Resize(*count + static_cast<int64_t>(pending_.size()));
  Result<Statement> all = db_->Prepare(StrCat("SELECT high, low FROM ", table_name_));
  if (!all.ok()) return all.error();
  for (;;) {
    Result<bool> row = all->Step();
    if (!row.ok()) return row.error();
    if (!*row) return {};
    FilterAdd({static_cast<uint64_t>(all->IntAt(0)), static_cast<uint64_t>(all->IntAt(1))});
  }
}

// The high half picks the block, the low half the bits in it.
void HashIndex::FilterAdd(const Hash128& hash) {
  uint64_t* block = &filter_[(hash.high & (filter_.size() / kBlockWords - 1)) * kBlockWords];
  uint64_t bits = hash.low;
  for (int i = 0; i < kProbes; ++i, bits >>= 9)
    block[(bits >> 6) & 7] |= uint64_t{1} << (bits & 63);
  ++filter_hashes_;
}

bool HashIndex::FilterMayHave(const Hash128& hash) const {
  const uint64_t* block = &filter_[(hash.high & (filter_.size() / kBlockWords - 1)) * kBlockWords];
  uint64_t bits = hash.low;
  for (int i = 0; i < kProbes; ++i, bits >>= 9) {
    if ((block[(bits >> 6) & 7] >> (bits & 63) & 1) == 0) return false;
  }
  return true;
}

// Where the hash is in the table, or the free place where it would be.
size_t HashIndex::Slot(const Hash128& hash) const {
  size_t mask = table_.size() - 1;
  size_t slot = hash.low & mask;
  while (table_[slot] != 0 && pending_[table_[slot] - 1].hash != hash) slot = (slot + 1) & mask;
  return slot;
}

void HashIndex::GrowTable() {
  table_.assign(std::max<size_t>(1024, table_.size() * 2), 0);
  for (size_t i = 0; i < pending_.size(); ++i)
    table_[Slot(pending_[i].hash)] = static_cast<uint32_t>(i + 1);
}

Result<std::optional<int64_t>> HashIndex::Find(const Hash128& hash) {
  if (!table_.empty()) {
    if (uint32_t place = table_[Slot(hash)]; place != 0)
      return std::optional<int64_t>(pending_[place - 1].id);
  }
  if (!FilterMayHave(hash)) return std::optional<int64_t>();
  lookup_.Int(1, static_cast<int64_t>(hash.high));
  lookup_.Int(2, static_cast<int64_t>(hash.low));
  Result<bool> row = lookup_.Step();
  if (!row.ok()) return row.error();
  std::optional<int64_t> id;
  if (*row) id = lookup_.IntAt(0);
  lookup_.Reset();
  return id;
}

void HashIndex::Add(const Hash128& hash, int64_t id) {
  if ((pending_.size() + 1) * 2 > table_.size()) GrowTable();
  size_t slot = Slot(hash);
  pending_.push_back({hash, id});
  table_[slot] = static_cast<uint32_t>(pending_.size());
}

Status HashIndex::Flush() {
  std::sort(pending_.begin(), pending_.end(), [](const Pending& a, const Pending& b) {
    return std::pair(static_cast<int64_t>(a.hash.high), static_cast<int64_t>(a.hash.low)) <
           std::pair(static_cast<int64_t>(b.hash.high), static_cast<int64_t>(b.hash.low));
  });
  for (const Pending& entry : pending_) {
    insert_->Int(static_cast<int64_t>(entry.hash.high))
        .Int(static_cast<int64_t>(entry.hash.low))
        .Int(entry.id);
    if (insert_->full()) {
      if (Status status = insert_->Flush(); !status.ok()) return status;
    }
  }
  if (Status status = insert_->Flush(); !status.ok()) return status;
  for (const Pending& entry : pending_) FilterAdd(entry.hash);
  pending_.clear();
  std::fill(table_.begin(), table_.end(), 0);
  if (filter_hashes_ > filter_capacity_) return Reload();
  return {};
}

}  // namespace assay::sqlite
