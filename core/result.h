// Result<T>: a value or an Error, for operating errors (files, configuration, machines). Bugs are
// ASSAY_CHECK; what a candidate did is data (a Verdict). An Error has a stable code, a sentence and a hint
// that says what to do. Value semantics; no sharing between threads without a lock.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/check.h"

namespace assay {

// Codes are what a program may branch on; kUsage and kInput make the command line exit with 2.
enum class ErrorCode {
  kUsage,        // the caller asked for something that does not exist or does not fit together
  kInput,        // a file or a record is not what it should be
  kIo,           // the operating system refused (missing, unreadable, disk full)
  kUnavailable,  // the machine lacks something (a jail, LibTorch, a GPU)
  kLimit,        // a limit of ours was reached
  kInternal,     // a library of ours failed; never a candidate's doing
};

const char* ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // "unknown verifier 'maths'": no capital, no full stop
  std::string hint;     // "did you mean 'math'?"; may be empty
};

// A value of T or an Error. Use: `if (!r.ok()) return r.error();`.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    ASSAY_CHECK(ok());
    return std::get<T>(state_);
  }
  T& value() & {
    ASSAY_CHECK(ok());
    return std::get<T>(state_);
  }
  T&& value() && {
    ASSAY_CHECK(ok());
    return std::get<T>(std::move(state_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const {
    ASSAY_CHECK(!ok());
    return std::get<Error>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success without a value.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    ASSAY_CHECK(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace assay
