#include "verifiers/format_template.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace assay {
namespace {

struct Tag {
  std::string_view text;
  bool optional = false;
};

std::vector<Tag> TagsOf(const FormTemplate& form) {
  std::vector<Tag> tags;
  for (const FormSection& section : form.sections) {
    if (section.open.empty()) continue;
    tags.push_back({section.open});
    tags.push_back({section.close, section.close_optional});
  }
  return tags;
}

// How often, two at most: more makes no difference.
int Count(std::string_view text, std::string_view tag, size_t* first) {
  *first = text.find(tag);
  if (*first == std::string_view::npos) return 0;
  return text.find(tag, *first + tag.size()) == std::string_view::npos ? 1 : 2;
}

bool IsBlankLetter(UChar32 c) {
  // Letters and symbols that draw nothing: Hangul fillers, the blank of Braille, object replacement.
  return c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0 || c == 0x2800 || c == 0xFFFC ||
         c == 0x1D159;
}

// The content of the only \boxed{..}; nothing if there is none, several, or it does not end.
std::optional<std::string_view> OnlyBox(std::string_view text) {
  static constexpr std::string_view kBox = "\\boxed{";
  size_t at = 0;
  if (Count(text, kBox, &at) != 1) return std::nullopt;
  int depth = 1;
  const size_t begin = at + kBox.size();
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return text.substr(begin, i - begin);
    }
  }
  return std::nullopt;
}

// The content of the only block between lines that start with ```.
std::optional<std::string_view> OnlyBlock(std::string_view text) {
  std::vector<std::pair<size_t, size_t>> fences;  // where its line begins and ends
  for (size_t line = 0; line <= text.size();) {
    const size_t end = std::min(text.find('\n', line), text.size());
    if (StartsWith(Trim(text.substr(line, end - line)), "```")) fences.emplace_back(line, end);
    line = end + 1;
  }
  if (fences.size() != 2 || fences[0].second >= fences[1].first) return std::nullopt;
  if (Trim(text.substr(fences[1].first, fences[1].second - fences[1].first)) != "```")
    return std::nullopt;
  return text.substr(fences[0].second, fences[1].first - fences[0].second);
}

}  // namespace

const std::vector<FormTemplate>& FormTemplates() {
  static const std::vector<FormTemplate> kForms = {
      {"think", {{"<think>", "</think>"}, {}}},
      {"think_answer", {{"<think>", "</think>"}, {"<answer>", "</answer>"}}},
      {"reasoning_answer", {{"<reasoning>", "</reasoning>"}, {"<answer>", "</answer>"}}},
      {"magistral", {{"[THINK]", "[/THINK]"}, {}}},
      {"seed_oss", {{"<seed:think>", "</seed:think>"}, {}}},
      {"open_thoughts",
       {{"<|begin_of_thought|>", "<|end_of_thought|>"},
        {"<|begin_of_solution|>", "<|end_of_solution|>"}}},
      {"gpt_oss",
       {{"<|channel|>analysis<|message|>", "<|end|>"},
        {"<|start|>assistant<|channel|>final<|message|>", "<|return|>", true}}}};
  return kForms;
}

bool ShowsNothing(std::string_view text) {
  const char* bytes = text.data();
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t i = 0; i < size;) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, size, c);
    if (c < 0) return false;
    const uint32_t hidden = U_GC_Z_MASK | U_GC_CC_MASK | U_GC_CF_MASK | U_GC_M_MASK;
    if ((U_GET_GC_MASK(c) & hidden) == 0 && !IsBlankLetter(c)) return false;
  }
  return true;
}

double TagShare(std::string_view reply, const FormTemplate& form) {
  int have = 0, all = 1;  // the one is for keeping to the form
  for (const Tag& tag : TagsOf(form)) {
    if (tag.optional) continue;
    size_t first = 0;
    ++all;
    if (Count(reply, tag.text, &first) == 1) ++have;
  }
  return static_cast<double>(have) / all;
}

FormMatch MatchForm(std::string_view reply, const FormTemplate& form) {
  size_t at = 0;  // all before is accounted for
  for (const Tag& tag : TagsOf(form)) {
    size_t first = 0;
    const int count = Count(reply, tag.text, &first);
    if (count == 0 && !tag.optional)
      return {Verdict::Fail("tag_missing", StrCat("there is no ", tag.text)), {}};
    if (count > 1)
      return {Verdict::Fail("tag_repeated", StrCat(tag.text, " stands more than once")), {}};
    if (count == 0) continue;
    if (first < at)
      return {Verdict::Fail("tag_out_of_order", StrCat(tag.text, " comes too early")), {}};
    at = first + tag.text.size();
  }
  at = 0;
  std::string_view answer;
  for (size_t i = 0; i < form.sections.size(); ++i) {
    const FormSection& section = form.sections[i];
    size_t begin = at, end = reply.size();
    at = reply.size();
    if (!section.open.empty()) {
      const size_t open = reply.find(section.open);
      if (!Trim(reply.substr(begin, open - begin)).empty()) {
        return {Verdict::Fail("text_outside_tags", StrCat("text stands before ", section.open)),
                {}};
      }
      begin = open + section.open.size();
      end = std::min(reply.find(section.close), reply.size());
      at = std::min(end + section.close.size(), reply.size());
    }
    const bool last = i + 1 == form.sections.size();
    answer = reply.substr(begin, end - begin);
    if (ShowsNothing(answer))
      return {last ? Verdict::Fail("empty_answer", "the answer is empty")
                   : Verdict::Fail("empty_reasoning", "the reasoning is empty"),
              {}};
  }
  if (!Trim(reply.substr(at)).empty())
    return {Verdict::Fail("text_outside_tags", "text stands behind the last tag"), {}};
  return {Verdict::Pass(), answer};
}

Verdict MatchAnswer(std::string_view answer, AnswerForm form) {
  switch (form) {
    case AnswerForm::kAny:
      return Verdict::Pass();
    case AnswerForm::kBoxed: {
      const std::optional<std::string_view> box = OnlyBox(answer);
      if (box && !ShowsNothing(*box)) return Verdict::Pass();
      return Verdict::Fail("answer_form", "the answer has no box, an empty one or several");
    }
    case AnswerForm::kCode: {
      const std::optional<std::string_view> block = OnlyBlock(answer);
      if (block && !ShowsNothing(*block)) return Verdict::Pass();
      return Verdict::Fail("answer_form", "the answer has no closed code block, or several");
    }
    case AnswerForm::kJson: {
      const std::optional<std::string_view> block = OnlyBlock(Trim(answer));
      const bool fenced = block && StartsWith(Trim(answer), "```") && EndsWith(Trim(answer), "```");
      const Result<Json> json = ParseJson(std::string(Trim(fenced ? *block : answer)));
      if (json.ok() && (json->IsObject() || json->IsArray())) return Verdict::Pass();
      return Verdict::Fail("answer_form", "the answer is no JSON object or list");
    }
  }
  return Verdict::Pass();
}

}  // namespace assay
