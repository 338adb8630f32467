#include <algorithm>

#include "core/text.h"
#include "verifiers/instructions/constraint.h"
#include "verifiers/words.h"

namespace assay {
namespace {

using Parameters = ConstraintParameters;

// Small letters, white space of any amount one space.
std::string Plain(std::string_view text) {
  std::string out;
  for (std::string_view token : TokensOf(text)) StrAppend(&out, out.empty() ? "" : " ", token);
  return LowerCase(out);
}

// The prompt and, behind it, something else.
bool RepeatThenAnswer(const ReplyText& reply, const Parameters& p) {
  const std::string text = Plain(reply.Text()), prompt = Plain(p.Text("prompt_to_repeat"));
  return StartsWith(text, prompt) &&
         !StripPunctuation(std::string_view(text).substr(prompt.size())).empty();
}

bool CopyOnly(const ReplyText& reply, const Parameters& p) {
  return Plain(reply.Text()) == Plain(p.Text("prompt_to_repeat"));
}

bool CopySeveral(const ReplyText& reply, const Parameters& p) {
  const std::string prompt = Plain(p.Text("prompt_to_repeat"));
  int64_t count = 0;
  std::string_view rest = reply.Text();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find("******"), rest.size());
    const std::string one = Plain(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 6, rest.size()));
    if (one.empty()) continue;
    if (one != prompt) return false;
    ++count;
  }
  return count == p.Number("N");
}

// All words but the first, which is another one.
bool RepeatChanged(const ReplyText& reply, const Parameters& p) {
  const std::vector<std::string_view> prompt = TokensOf(p.Text("prompt_to_repeat"));
  const std::vector<std::string_view>& words = reply.Tokens();
  return !prompt.empty() && prompt.size() == words.size() && prompt[0] != words[0] &&
         std::equal(prompt.begin() + 1, prompt.end(), words.begin() + 1);
}

// Words from n_start up to n_end, as the published checker counts them.
bool RepeatSpan(const ReplyText& reply, const Parameters& p) {
  const std::string prompt = LowerCase(p.Text("prompt_to_repeat"));
  const std::vector<std::string_view> words = TokensOf(prompt);
  const std::vector<std::string_view> own = TokensOf(reply.Small());
  const auto size = static_cast<int64_t>(words.size());
  const int64_t begin = std::clamp<int64_t>(p.Number("n_start"), 0, size);
  const int64_t end = std::clamp<int64_t>(p.Number("n_end"), begin, size);
  return end > begin && own.size() == static_cast<size_t>(end - begin) &&
         std::equal(own.begin(), own.end(), words.begin() + begin);
}

}  // namespace

const std::vector<ConstraintKind>& CopyConstraints() {
  static const std::vector<ConstraintKind> kKinds = {
      {"combination:repeat_prompt", "prompt_to_repeat=text", RepeatThenAnswer,
       "it repeats the request first and then goes on"},
      {"repeat:repeat_change", "prompt_to_repeat=text", RepeatChanged,
       "it repeats the request with another first word"},
      {"repeat:repeat_span", "prompt_to_repeat=text n_start=number n_end=number", RepeatSpan,
       "it copies the request's words from n_start up to n_end"},
      {"copy:copying_simple", "prompt_to_repeat=text", CopyOnly,
       "it is the request and nothing else"},
      {"copy:copy", "prompt_to_repeat=text", CopyOnly, "it is the request and nothing else"},
      {"copy:copying_multiple", "prompt_to_repeat=text N=number", CopySeveral,
       "it is the request N times, parted by ******"}};
  return kKinds;
}

}  // namespace assay
