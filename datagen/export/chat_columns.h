// A stored row as the chat messages and texts that trainers read: what stands before the reply, the reply, and both. Pure functions;
// thread-safe.
#pragma once

#include <string>

#include "core/json.h"
#include "datagen/export/export.h"
#include "datagen/store/store.h"

namespace assay {

// The prompt as messages (a plain prompt becomes the user's), behind the system prompt that the export was asked for unless it has one.
Json PromptMessages(const Problem& problem, const ExportOptions& options);
// The reply as messages.
Json ReplyMessages(const Sample& sample, const ExportOptions& options);
Json WholeChat(const Problem& problem, const Sample& sample, const ExportOptions& options);

std::string PromptText(const Problem& problem, const ExportOptions& options);
// The reply's text; without what stands in think tags where the options say so.
std::string ReplyText(const Sample& sample, const ExportOptions& options);

// `text` without a leading <think>..</think> and the white space behind it; a tag that is never closed is left as it is.
std::string WithoutReasoning(const std::string& text);

}  // namespace assay
