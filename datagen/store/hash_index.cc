#include "datagen/store/hash_index.h"

#include <algorithm>

#include "core/text.h"

namespace assay::sqlite {
namespace {

constexpr int64_t kMostId = (int64_t{1} << 32) - 1;
constexpr Hash128 kNoHash;

Error Damaged(const Database& db, const std::string& table) {
  return {ErrorCode::kInput, StrCat("store '", db.path(), "' is damaged: ", table),
          "`sqlite3 FILE .recover` saves what can be read"};
}

}  // namespace

std::string_view HashBytes(const Hash128& hash, char (&out)[kHashBytes]) {
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(hash.high >> (56 - 8 * i));
    out[8 + i] = static_cast<char>(hash.low >> (56 - 8 * i));
  }
  return {out, sizeof(out)};
}

Hash128 HashFromBytes(std::string_view bytes) {
  Hash128 hash;
  for (size_t i = 0; i < bytes.size() && i < kHashBytes; ++i) {
    uint64_t& half = i < 8 ? hash.high : hash.low;
    half = half << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return hash;
}

Status ForEachHash(Database* db, const std::string& table,
                   const std::function<Status(int64_t id, const Hash128& hash)>& visit) {
  Result<Statement> chunks =
      db->Prepare(StrCat("SELECT chunk, hashes FROM ", table, " ORDER BY chunk"));
  if (!chunks.ok()) return chunks.error();
  for (;;) {
    Result<bool> row = chunks->Step();
    if (!row.ok()) return row.error();
    if (!*row) return {};
    const int64_t chunk = chunks->IntAt(0);
    const std::string_view bytes = chunks->TextAt(1);
    if (chunk < 0 || chunk > kMostId / kChunkHashes || bytes.size() % kHashBytes != 0 ||
        bytes.size() > kChunkHashes * kHashBytes)
      return Damaged(*db, table);
    for (size_t place = 0; place < bytes.size() / kHashBytes; ++place) {
      const Hash128 hash = HashFromBytes(bytes.substr(place * kHashBytes, kHashBytes));
      if (hash == kNoHash) continue;
      const int64_t id = chunk * kChunkHashes + static_cast<int64_t>(place);
      if (Status status = visit(id, hash); !status.ok()) return status;
    }
  }
}

Status HashIndex::Prepare(Database* db, const std::string& table) {
  db_ = db;
  table_name_ = table;
  Result<Statement> write =
      db->Prepare(StrCat("INSERT OR REPLACE INTO ", table, "(chunk, hashes) VALUES (?, ?)"));
  if (!write.ok()) return write.error();
  write_ = std::move(*write);
  return {};
}

Status HashIndex::Reload() {
  chunks_.clear();
  table_.clear();
  known_ = 0;
  last_id_ = 0;
  const Status status = ForEachHash(
      db_, table_name_, [this](int64_t id, const Hash128& hash) { return Add(hash, id); });
  first_pending_ = last_id_ + 1;
  return status;
}

// Where the hash is in the table, or the free place where it would be.
size_t HashIndex::PlaceOf(const Hash128& hash) const {
  const size_t mask = table_.size() - 1;
  const uint32_t tag = TagOf(hash);
  size_t place = tag & mask;
  while (table_[place].id != 0 && (table_[place].tag != tag || At(table_[place].id) != hash))
    place = (place + 1) & mask;
  return place;
}

void HashIndex::GrowTable() {
  const std::vector<Slot> old = std::move(table_);
  table_.assign(std::max<size_t>(1024, old.size() * 2), Slot());
  const size_t mask = table_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id == 0) continue;
    size_t place = slot.tag & mask;
    while (table_[place].id != 0) place = (place + 1) & mask;
    table_[place] = slot;
  }
}

std::optional<int64_t> HashIndex::Find(const Hash128& hash) const {
  if (table_.empty()) return std::nullopt;
  const uint32_t id = table_[PlaceOf(hash)].id;
  return id != 0 ? std::optional<int64_t>(id) : std::nullopt;
}

Status HashIndex::Add(const Hash128& hash, int64_t id) {
  if (id < 1 || id > kMostId) {
    return Error{
        ErrorCode::kLimit,
        StrCat("store '", db_->path(), "' has no room for an id of ", id, " in ", table_name_),
        "begin a new store; if this one is not that large, `assay store check` says more"};
  }
  const auto chunk = static_cast<size_t>(id / kChunkHashes);
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<Chunk>();
  (*chunks_[chunk])[static_cast<size_t>(id % kChunkHashes)] = hash;
  if ((known_ + 1) * 2 > table_.size()) GrowTable();
  Slot& slot = table_[PlaceOf(hash)];
  if (slot.id == 0) {
    slot = {static_cast<uint32_t>(id), TagOf(hash)};
    ++known_;
  }
  last_id_ = id;
  return {};
}

Status HashIndex::Flush() {
  std::string bytes;
  for (int64_t chunk = first_pending_ / kChunkHashes;
       first_pending_ <= last_id_ && chunk <= last_id_ / kChunkHashes; ++chunk) {
    const Chunk* hashes = chunks_[static_cast<size_t>(chunk)].get();
    if (hashes == nullptr) continue;
    const int64_t end = std::min(last_id_ + 1 - chunk * kChunkHashes, kChunkHashes);
    bytes.clear();
    for (int64_t place = 0; place < end; ++place) {
      char encoded[kHashBytes];
      bytes += HashBytes((*hashes)[static_cast<size_t>(place)], encoded);
    }
    write_.Int(1, chunk);
    write_.Blob(2, bytes);
    if (Status status = write_.Run(); !status.ok()) return status;
  }
  first_pending_ = last_id_ + 1;
  return {};
}

}  // namespace assay::sqlite
