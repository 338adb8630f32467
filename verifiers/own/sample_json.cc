#include "verifiers/own/sample_json.h"

#include "core/text.h"

namespace assay::own {
namespace {

Json MessagesOf(const std::vector<Message>& messages) {
  Json out = Json::MakeArray();
  for (const Message& message : messages) {
    out.Append(message.source.IsObject()
                   ? message.source
                   : Json().Set("role", message.role).Set("content", message.content));
  }
  return out;
}

void AppendMember(const char* key, std::string_view text, std::string* out) {
  if (text.empty()) return;
  StrAppend(out, ",\"", key, "\":");
  AppendJsonString(text, out);
}

void AppendSample(const SampleRef& ref, size_t problem, bool with_token_ids, std::string* out) {
  const Sample& sample = ref.group->samples[ref.sample];
  StrAppend(out, "{\"problem\":", problem, ",\"text\":");
  AppendJsonString(sample.text, out);
  if (ref.answer) AppendMember("answer", *ref.answer, out);
  AppendMember("finish_reason", sample.finish_reason, out);
  AppendMember("model", sample.model, out);
  if (with_token_ids) {
    out->append(",\"ids\":[");
    for (size_t i = 0; i < sample.token_ids.size(); ++i)
      StrAppend(out, i > 0 ? "," : "", sample.token_ids[i]);
    out->push_back(']');
  }
  out->push_back('}');
}

}  // namespace

Json ColumnsOf(const Problem& problem) {
  Json out = problem.extra.IsObject() ? problem.extra : Json::MakeObject();
  if (!problem.id.empty()) out.Set("id", problem.id);
  if (!problem.task.empty()) out.Set("task", problem.task);
  out.Set("prompt", problem.prompt);
  if (!problem.messages.empty()) out.Set("messages", MessagesOf(problem.messages));
  if (problem.answers.size() == 1) out.Set("answer", problem.answers[0]);
  if (problem.answers.size() > 1) {
    Json answers = Json::MakeArray();
    for (const std::string& answer : problem.answers) answers.Append(answer);
    out.Set("answer", std::move(answers));
  }
  if (!problem.verification_info.IsNull()) out.Set("verification_info", problem.verification_info);
  return out;
}

std::string RequestJson(const std::vector<SampleRef>& samples, bool with_token_ids) {
  std::string problems, list;
  const Group* last = nullptr;
  size_t count = 0;
  for (const SampleRef& ref : samples) {
    if (ref.group != last) {
      if (count++ > 0) problems.push_back(',');
      ColumnsOf(ref.group->problem).AppendTo(&problems);
      last = ref.group;
    }
    if (!list.empty()) list.push_back(',');
    AppendSample(ref, count - 1, with_token_ids, &list);
  }
  return StrCat("{\"problems\":[", problems, "],\"samples\":[", list, "]}");
}

}  // namespace assay::own
