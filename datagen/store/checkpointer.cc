#include "datagen/store/checkpointer.h"

#include <sqlite3.h>

#include "datagen/store/sqlite.h"

namespace assay::sqlite {

Checkpointer::~Checkpointer() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_one();
  thread_.join();
}

void Checkpointer::Wake() {
  {
    std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  woken_.notify_one();
}

void Checkpointer::Run() {
  auto db = Database::Open(path_, SQLITE_OPEN_READWRITE, /*busy_timeout_ms=*/0);
  if (!db.ok() || !(*db)->Exec("PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0").ok())
    return;
  std::unique_lock lock(mutex_);
  for (;;) {
    woken_.wait(lock, [this] { return wanted_ || stopping_; });
    if (stopping_) return;
    wanted_ = false;
    lock.unlock();
    (void)sqlite3_wal_checkpoint_v2((*db)->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                    nullptr);
    lock.lock();
  }
}

}  // namespace assay::sqlite
