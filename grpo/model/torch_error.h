// The border between LibTorch's exceptions and our errors. Include only from files that use LibTorch.
#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "core/result.h"
#include "core/text.h"

namespace assay {

// An exception of LibTorch as an Error: running out of memory is kUnavailable with a hint, the rest kInternal.
inline Error TorchError(const std::string& what_we_did, const std::string& message) {
  const std::string first_line = message.substr(0, message.find('\n'));
  const bool memory =
      message.find("memory") != std::string::npos || message.find("bad_alloc") != std::string::npos;
  if (memory) {
    return Error{
        ErrorCode::kUnavailable,
        StrCat(what_we_did, ": not enough memory (", Shorten(first_line, 200), ")"),
        "use a smaller batch, bf16, activation checkpointing or a machine with more memory"};
  }
  return Error{ErrorCode::kInternal, StrCat(what_we_did, ": ", Shorten(first_line, 300)), ""};
}

// Runs `body` (which returns a Result<T> or Status) and turns what it throws into an Error.
template <typename Body>
auto CatchTorch(const std::string& what_we_do, Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const c10::Error& error) {
    return TorchError(what_we_do, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return TorchError(what_we_do, error.what());
  }
}

}  // namespace assay
