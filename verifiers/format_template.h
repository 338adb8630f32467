// The tags of a reply's form: which families of models write reasoning and answer how, and whether a reply keeps to one of them from its
// first to its last byte. Only the exact tags count; each stands exactly once. Pure; thread-safe; linear time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace assay {

// One part of a reply. Without tags: all that is left.
struct FormSection {
  std::string_view open, close;
  bool close_optional = false;  // templates cut the last mark off
};

struct FormTemplate {
  std::string_view name;
  std::vector<FormSection> sections;  // the last is the answer
};

// think, think_answer, reasoning_answer, magistral, seed_oss, open_thoughts, gpt_oss.
const std::vector<FormTemplate>& FormTemplates();

// What an answer must be.
enum class AnswerForm { kAny, kBoxed, kCode, kJson };

struct FormMatch {
  Verdict verdict;          // reasons: docs/reasons.md, format
  std::string_view answer;  // inside of the reply, if it passes
};
// `reply` starts where the form starts: whoever prefilled a tag puts it in front.
FormMatch MatchForm(std::string_view reply, const FormTemplate& form);

// Of the form's tags, and of keeping to it, the share that a reply which does not keep to it has: tags that stand exactly once.
double TagShare(std::string_view reply, const FormTemplate& form);

// Passes if `answer` is of that form: one box that is not empty; one closed code block that is not empty; JSON and nothing else (a fence
// around it is taken off).
Verdict MatchAnswer(std::string_view answer, AnswerForm form);

// Nothing in it that would show: white space, marks without a letter, fillers.
bool ShowsNothing(std::string_view text);

}  // namespace assay
