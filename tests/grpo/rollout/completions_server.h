// Starts tests/grpo/completions_server.py for a test and kills it afterwards. One thread.
#pragma once

#include <gtest/gtest.h>

#include "tests/local_server.h"

namespace assay {

// For tests that need the trainer's HTTP client.
inline constexpr bool kHttpClient = ASSAY_HTTP_CLIENT != 0;

class CompletionsServer : public LocalServer {
 public:
  CompletionsServer() : LocalServer(ASSAY_COMPLETIONS_SERVER) {}
};

}  // namespace assay
