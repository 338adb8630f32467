#include "verifiers/redteam/corpus.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "verifiers/redteam/careless.h"
#include "verifiers/redteam/corpus_text.h"
#include "verifiers/redteam/layers.h"

namespace assay::redteam {

const std::vector<std::string>& Categories() {
  static const std::vector<std::string> kAll = {
      "early_exit", "fake_object",    "monkeypatch", "read_tests", "forge_result", "kill_signal",
      "file_read",  "file_write",     "network",     "daemon",     "persistence",  "resource_bomb",
      "timing",     "kernel_surface", "output",      "objects",    "honest"};
  return kAll;
}

namespace {

constexpr const char* kBreaches[] = {"passes",    "says",   "loot",        "touched",
                                     "connected", "killed", "worker_lost", "leftover"};

std::vector<std::string> Strings(const Json& row, std::string_view key) {
  std::vector<std::string> list;
  const Json* value = row.Find(key);
  if (value == nullptr || !value->IsArray()) return list;
  for (const Json& item : *value->AsArray()) {
    if (item.IsString()) list.push_back(*item.AsString());
  }
  return list;
}

Json Value(const Json& row, std::string_view key) {
  const Json* value = row.Find(key);
  return value == nullptr ? Json() : *value;
}

// "" or what is wrong with it.
std::string Problem(const Attack& attack) {
  const auto& categories = Categories();
  if (attack.id.empty() || attack.program.empty() || attack.why.empty())
    return "no id, program or why";
  if (std::find(categories.begin(), categories.end(), attack.category) == categories.end())
    return StrCat("unknown category '", attack.category, "'");
  if (std::find(std::begin(kBreaches), std::end(kBreaches), attack.breach) == std::end(kBreaches))
    return StrCat("unknown breach '", attack.breach, "'");
  if (attack.layers.empty()) return "no layer";
  for (const std::string& layer : attack.layers) {
    if (FindLayer(layer) == nullptr) return StrCat("unknown layer '", layer, "'");
  }
  if (attack.honest() && attack.wrong.empty()) return "an honest program without its wrong sibling";
  bool asked = !attack.tests.IsNull();
  if ((attack.breach == "passes") != asked) return "tests are for attacks that pass them";
  if (asked && !IsCarelessJudge(attack.judge))
    return StrCat("unknown careless judge '", attack.judge, "'");
  return "";
}

}  // namespace

Result<std::vector<Attack>> ReadCorpus(std::string_view jsonl) {
  std::vector<Attack> corpus;
  std::set<std::string> ids;
  int64_t number = 0;
  for (std::string_view line : SplitChar(jsonl, '\n')) {
    ++number;
    if (Trim(line).empty()) continue;
    auto bad = [&](std::string_view what) {
      return Error{ErrorCode::kInput, StrCat("corpus line ", number, ": ", what),
                   "docs/redteam.md says what a line holds"};
    };
    Result<Json> row = ParseJson(line);
    if (!row.ok()) return bad(row.error().message);
    Attack attack;
    for (auto [key, field] : {std::pair{"id", &attack.id},
                              {"category", &attack.category},
                              {"language", &attack.language},
                              {"program", &attack.program},
                              {"before", &attack.before},
                              {"before_language", &attack.before_language},
                              {"wrong", &attack.wrong},
                              {"judge", &attack.judge},
                              {"breach", &attack.breach},
                              {"why", &attack.why},
                              {"needs", &attack.needs}}) {
      *field = std::string(row->StringOr(key, ""));
    }
    if (attack.before_language.empty()) attack.before_language = attack.language;
    attack.layers = Strings(*row, "layers");
    attack.allow = Strings(*row, "allow");
    attack.tests = Value(*row, "tests");
    attack.limits = Value(*row, "limits");
    attack.twin_limits = Value(*row, "twin_limits");
    if (std::string problem = Problem(attack); !problem.empty())
      return bad(StrCat(attack.id, ": ", problem));
    if (!ids.insert(attack.id).second) return bad(StrCat("a second '", attack.id, "'"));
    corpus.push_back(std::move(attack));
  }
  return corpus;
}

std::string_view BuiltInCorpus() { return kCorpusText; }

}  // namespace assay::redteam
