// Chat messages as the world writes them: text or a list of parts, reasoning beside the content, tool calls, names. What verifiers read
// of them is text; what came is kept beside it, so that the store and every export give it back. Pure functions; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

// Text of a message's content: a string, or its parts of type text.
std::string MessageText(const Json& message);
// Reasoning that stands beside the content: `reasoning_content`, `reasoning` or `thinking`, or parts of type thinking.
std::string MessageReasoning(const Json& message);
// True if the message says more than a role and a text.
bool SaysMore(const Json& message);

// `item` must be an object; its role is "user" unless it says another.
Message MessageFromJson(const Json& item);
// As it came.
Json MessageToJson(const Message& message);
// A list of them.
Json MessagesToJson(const std::vector<Message>& messages);

// A completion: text, a message, or messages of which the assistant's count. `text` becomes what verifiers read: the assistant's
// contents, behind its reasoning in think tags where that stood beside them. `messages` becomes the list if it says more than that text.
// Errors: kInput; `index` is the completion's place, for people.
Status ReadCompletion(const Json& value, size_t index, Sample* sample);
// What ReadCompletion would read again: the messages, or the text.
Json CompletionToJson(const Sample& sample);
// The completion as a list of messages, whatever it came as.
Json CompletionMessages(const Sample& sample);

// A reply of a server as a completion: its text where that is all it says, else the message in a list.
Json CompletionOfReply(const Json& message);

}  // namespace assay
