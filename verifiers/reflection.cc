#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

constexpr size_t kChecksMax = 100;  // that evidence lists

// What begins a self-check, in small letters.
constexpr std::string_view kPhrases[] = {"wait",
                                         "hold on",
                                         "let me check",
                                         "let me double-check",
                                         "let me double check",
                                         "let me verify",
                                         "let me re-check",
                                         "let me recheck",
                                         "let me recalculate",
                                         "let me reconsider",
                                         "let me rethink",
                                         "let's check",
                                         "let's verify",
                                         "let's double-check",
                                         "on second thought",
                                         "i made a mistake",
                                         "that's not right",
                                         "that is not right",
                                         "that can't be right",
                                         "this is wrong",
                                         "that's wrong",
                                         "going back",
                                         "to verify",
                                         "double-checking",
                                         "hmm",
                                         "等等",
                                         "等一下",
                                         "让我检查",
                                         "让我再",
                                         "检查一下",
                                         "验证一下",
                                         "不对",
                                         "重新计算",
                                         "我错了",
                                         "待って",
                                         "確認して",
                                         "잠깐",
                                         "다시 확인",
                                         "espera",
                                         "un momento",
                                         "comprobemos",
                                         "vamos a comprobar",
                                         "attends",
                                         "vérifions",
                                         "moment mal",
                                         "überprüfen wir",
                                         "prüfen wir",
                                         "подожди",
                                         "проверим",
                                         "aspetta",
                                         "verifichiamo"};

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

struct Mention {
  size_t at = 0;
  std::string_view text;
};

// Results that a reply states on its way: what stands in a box, behind "answer is" or "answer:", or behind a line's last "=".
std::vector<Mention> StatedResults(std::string_view text) {
  std::vector<Mention> out;
  for (size_t at = 0; at < text.size() && out.size() < 10000; ++at) {
    const std::string_view rest = text.substr(at);
    size_t begin = 0;
    if (rest[0] == '\\' && StartsWith(rest, "\\boxed{")) {
      begin = 7;
    } else if (rest[0] == 'a' && (StartsWith(rest, "answer is ") || StartsWith(rest, "answer: "))) {
      begin = rest[6] == ':' ? 8 : 10;
    } else if (rest[0] == '=' && rest.size() > 1 && rest[1] == ' ') {
      begin = 2;
    }
    if (begin == 0) continue;
    const std::string_view value = rest.substr(begin, 60);
    size_t end = value.find_first_of("\n}=,;");
    end = std::min(end, value.size());
    // A full stop ends it, a decimal point does not.
    for (size_t i = 0; i + 1 < end; ++i) {
      if (value[i] == '.' && (value[i + 1] == ' ' || value[i + 1] == '\n')) end = i;
    }
    std::string_view stated = value.substr(0, end);
    while (!stated.empty() &&
           std::string_view(" .$*").find(stated.back()) != std::string_view::npos)
      stated.remove_suffix(1);
    while (!stated.empty() &&
           std::string_view(" $*").find(stated.front()) != std::string_view::npos)
      stated.remove_prefix(1);
    if (!stated.empty()) out.push_back({at, stated});
  }
  return out;
}

// `reflection`: how often a reply looks at its own work again, and whether that helped.
struct ReflectionJudge {
  struct Settings {
    int64_t enough = 1;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("reflection");
    table.Add("enough", &s->enough, "so many self-checks score 1, fewer their share")
        .Range(1, 1000);
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  ReflectionJudge(const Settings& s, const Problem& problem) : settings(s) {
    for (const std::string& answer : problem.answers) golds.push_back(Plain(answer));
  }

  static std::string Plain(std::string_view text) {
    std::string out;
    for (char c : LowerCase(text)) {
      if (c != ' ' && c != '$') out.push_back(c);
    }
    return out;
  }

  Verdict operator()(const Sample& sample) const {
    const std::string small = LowerCase(sample.text);
    const std::vector<Mention> checks = Checks(small);
    const double score =
        std::min(1.0, static_cast<double>(checks.size()) / static_cast<double>(settings.enough));
    Json list = Json::MakeArray();
    for (size_t i = 0; i < std::min(checks.size(), kChecksMax); ++i)
      list.Append(
          Json().Set("byte", static_cast<int64_t>(checks[i].at)).Set("text", checks[i].text));
    Verdict verdict =
        score >= 1 ? Verdict::Pass("ok", score)
                   : Verdict::Fail("no_reflection",
                                   StrCat("it checks itself ", checks.size(), " times"), score);
    verdict.evidence = Json()
                           .Set("checks", static_cast<int64_t>(checks.size()))
                           .Set("turn", Turn(small, checks))
                           .Set("where", std::move(list));
    return verdict;
  }

  // Phrases where a word begins and ends; two within one clause are one check.
  static std::vector<Mention> Checks(std::string_view small) {
    std::vector<Mention> found;
    for (size_t at = 0; at < small.size(); ++at) {
      if (at > 0 && IsWordByte(small[at - 1]) && static_cast<unsigned char>(small[at]) < 0x80)
        continue;
      for (std::string_view phrase : kPhrases) {
        if (small[at] != phrase[0] || !StartsWith(small.substr(at), phrase)) continue;
        const size_t end = at + phrase.size();
        const bool ascii = static_cast<unsigned char>(phrase.back()) < 0x80;
        if (ascii && end < small.size() && IsWordByte(small[end]) && phrase != "hmm") continue;
        if (found.empty() || at - found.back().at > 40) found.push_back({at, phrase});
        at = end - 1;
        break;
      }
    }
    return found;
  }

  // From what was stated before the first check and at the end: "wrong_to_right", "right_to_wrong", "kept", or "none" where that is
  // not known.
  std::string Turn(std::string_view small, const std::vector<Mention>& checks) const {
    if (golds.empty() || checks.empty()) return "none";
    const std::vector<Mention> stated = StatedResults(small);
    const Mention* before = nullptr;
    for (const Mention& one : stated) {
      if (one.at < checks[0].at) before = &one;
    }
    if (before == nullptr || stated.back().at < checks[0].at) return "none";
    const bool was = Right(before->text), is = Right(stated.back().text);
    if (was == is) return "kept";
    return is ? "wrong_to_right" : "right_to_wrong";
  }

  bool Right(std::string_view text) const {
    return std::find(golds.begin(), golds.end(), Plain(text)) != golds.end();
  }

  Settings settings;
  std::vector<std::string> golds;
};

}  // namespace

std::vector<OptionInfo> ReflectionOptionInfos() {
  return TextVerifierOptionInfos<ReflectionJudge>();
}
Result<std::unique_ptr<Verifier>> MakeReflectionVerifier(const Json& options,
                                                         const VerifierEnv& env) {
  return MakeTextVerifier<ReflectionJudge>(options, env);
}

}  // namespace assay
