// assay redteam: our own attack corpus against this machine's sandbox and judge; with --twins also each attack with its layers
// switched off, to show that it bites.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/redteam/redteam.h"

namespace assay {
namespace {

using redteam::Attack;
using redteam::Fate;
using redteam::Finding;
using redteam::Team;

struct RedteamFlags {
  bool twins = false;
  bool json = false;
  bool list = false;
  std::vector<std::string> categories;
  std::vector<std::string> languages;
  std::string only;
  std::string corpus;
};

struct Outcomes {
  Finding attack;
  Finding twin;
};

struct Tally {
  int64_t attacks = 0, stopped = 0, breached = 0, unavailable = 0, twins = 0, twins_bite = 0,
          twins_unavailable = 0;

  void Add(const Outcomes& outcomes, bool with_twin) {
    ++attacks;
    Fate fate = outcomes.attack.fate;
    ++(fate == Fate::kStopped ? stopped : fate == Fate::kBreached ? breached : unavailable);
    if (!with_twin) return;
    ++twins;
    twins_bite += outcomes.twin.fate == Fate::kBreached;
    twins_unavailable += outcomes.twin.fate == Fate::kUnavailable;
  }
  // Twins that could run and show nothing.
  int64_t twins_blunt() const { return twins - twins_bite - twins_unavailable; }

  Json ToJson(bool with_twins) const {
    Json json = Json::MakeObject();
    json.Set("attacks", attacks).Set("stopped", stopped).Set("breached", breached);
    json.Set("unavailable", unavailable);
    if (with_twins) {
      json.Set("twins", twins).Set("twins_bite", twins_bite);
      json.Set("twins_unavailable", twins_unavailable);
    }
    return json;
  }
};

bool Wanted(const RedteamFlags& flags, const Attack& attack) {
  auto among = [](const std::vector<std::string>& list, const std::string& name) {
    return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
  };
  return among(flags.categories, attack.category) && among(flags.languages, attack.language) &&
         StartsWith(attack.id, flags.only);
}

Result<std::vector<Attack>> Chosen(const RedteamFlags& flags) {
  for (const std::string& category : flags.categories) {
    const auto& known = redteam::Categories();
    if (std::find(known.begin(), known.end(), category) == known.end()) {
      return Error{ErrorCode::kUsage, StrCat("unknown category '", category, "'"),
                   DidYouMean(category, known)};
    }
  }
  std::string text;
  if (!flags.corpus.empty()) {
    Result<std::string> read = ReadFile(flags.corpus, size_t{64} << 20);
    if (!read.ok()) return read.error();
    text = std::move(read).value();
  }
  Result<std::vector<Attack>> corpus =
      redteam::ReadCorpus(flags.corpus.empty() ? redteam::BuiltInCorpus() : text);
  if (!corpus.ok()) return corpus.error();
  std::vector<Attack> chosen;
  for (Attack& attack : *corpus) {
    if (Wanted(flags, attack)) chosen.push_back(std::move(attack));
  }
  if (chosen.empty())
    return Error{ErrorCode::kUsage, "no attack is left to run", "see `assay redteam --list`"};
  return chosen;
}

// Hands out numbers in a given order, to several threads.
class Queue {
 public:
  explicit Queue(std::vector<size_t> order) : order_(std::move(order)) {}
  bool Next(size_t* index) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (at_ == order_.size()) return false;
    *index = order_[at_++];
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<size_t> order_;
  size_t at_ = 0;
};

// Twins that want the same layers off follow each other: a weakened sandbox is started once for all of them.
std::vector<size_t> TwinOrder(const std::vector<Attack>& attacks) {
  std::vector<size_t> order(attacks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return attacks[a].layers < attacks[b].layers; });
  return order;
}

struct Campaign {
  std::vector<Attack> attacks;
  std::vector<Outcomes> outcomes;
  Tier tier = Tier::kNone;
  double seconds = 0;
};

Status RunCampaign(Context* context, bool twins, Campaign* campaign) {
  SandboxConfig config;
  config.isolation = context->global.isolation;
  config.python = context->global.python;
  const size_t wanted =
      std::min(campaign->attacks.size(), static_cast<size_t>(std::max(context->global.Jobs(), 1)));
  std::vector<std::unique_ptr<Team>> teams;
  for (size_t i = 0; i < wanted; ++i) {
    Result<std::unique_ptr<Team>> team = Team::Create(config);
    if (!team.ok()) return team.error();
    teams.push_back(std::move(team).value());
  }
  campaign->tier = teams[0]->sandbox()->tier();
  campaign->outcomes.resize(campaign->attacks.size());
  const std::vector<LanguageInfo> languages = teams[0]->sandbox()->Languages();
  std::vector<size_t> order(campaign->attacks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Queue attacks(order), twin_queue(twins ? TwinOrder(campaign->attacks) : std::vector<size_t>());
  auto work = [&](Team* team, Queue* queue, bool twin) {
    for (size_t i; !context->interrupted && queue->Next(&i);) {
      const Attack& attack = campaign->attacks[i];
      Finding finding;
      finding.how = redteam::MissingFor(attack, languages, campaign->tier);
      if (finding.how.empty()) finding = twin ? team->RunTwin(attack) : team->RunAttack(attack);
      (twin ? campaign->outcomes[i].twin : campaign->outcomes[i].attack) = std::move(finding);
    }
  };
  const auto start = std::chrono::steady_clock::now();
  for (bool twin : {false, true}) {
    std::vector<std::thread> threads;
    for (auto& team : teams)
      threads.emplace_back(work, team.get(), twin ? &twin_queue : &attacks, twin);
    for (std::thread& thread : threads) thread.join();
  }
  campaign->seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {};
}

Json ToJson(const Campaign& campaign, bool twins) {
  std::map<std::string, Tally> categories, languages;
  Tally total;
  Json results = Json::MakeArray();
  for (size_t i = 0; i < campaign.attacks.size(); ++i) {
    const Attack& attack = campaign.attacks[i];
    const Outcomes& outcomes = campaign.outcomes[i];
    for (Tally* tally : {&categories[attack.category], &languages[attack.language], &total})
      tally->Add(outcomes, twins);
    Json layers = Json::MakeArray();
    for (const std::string& layer : attack.layers) layers.Append(layer);
    Json result = Json::MakeObject()
                      .Set("id", attack.id)
                      .Set("category", attack.category)
                      .Set("language", attack.language)
                      .Set("layers", std::move(layers));
    result.Set("outcome", FateName(outcomes.attack.fate))
        .Set("how", SanitizeUtf8(outcomes.attack.how));
    result.Set("ms", outcomes.attack.ms);
    if (twins) {
      const char* bites = outcomes.twin.fate == Fate::kBreached  ? "bites"
                          : outcomes.twin.fate == Fate::kStopped ? "blunt"
                                                                 : "unavailable";
      result.Set("twin", Json::MakeObject()
                             .Set("outcome", bites)
                             .Set("how", SanitizeUtf8(outcomes.twin.how))
                             .Set("ms", outcomes.twin.ms));
    }
    results.Append(std::move(result));
  }
  Json by_category = Json::MakeArray(), by_language = Json::MakeObject();
  for (const std::string& name : redteam::Categories()) {
    if (categories.count(name) == 0) continue;
    Json line = Json::MakeObject().Set("category", name);
    const Json tally = categories[name].ToJson(twins);
    for (const Json::Member& member : *tally.AsObject()) line.Set(member.key, member.value);
    by_category.Append(std::move(line));
  }
  for (const auto& [name, tally] : languages) by_language.Set(name, tally.ToJson(twins));
  return Json::MakeObject()
      .Set("isolation", TierName(campaign.tier))
      .Set("seconds", campaign.seconds)
      .Set("total", total.ToJson(twins))
      .Set("categories", std::move(by_category))
      .Set("languages", std::move(by_language))
      .Set("results", std::move(results));
}

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string Cell(int64_t number) {
  std::string text = StrCat(number);
  return std::string(text.size() < 12 ? 12 - text.size() : 0, ' ') + text;
}

std::string Row(const std::string& name, const Tally& tally, bool twins) {
  std::string line = StrCat(Padded(name, 16), Cell(tally.attacks), Cell(tally.stopped),
                            Cell(tally.breached), Cell(tally.unavailable));
  if (twins) StrAppend(&line, Cell(tally.twins_bite));
  return line + "\n";
}

std::string ToText(const Campaign& campaign, bool twins) {
  std::map<std::string, Tally> categories;
  Tally total;
  std::map<std::string, int64_t> missing;
  std::string bad;
  for (size_t i = 0; i < campaign.attacks.size(); ++i) {
    const Attack& attack = campaign.attacks[i];
    const Outcomes& outcomes = campaign.outcomes[i];
    categories[attack.category].Add(outcomes, twins);
    total.Add(outcomes, twins);
    if (outcomes.attack.fate == Fate::kUnavailable) ++missing[outcomes.attack.how];
    if (outcomes.attack.fate == Fate::kBreached)
      StrAppend(&bad, "BREACHED  ", attack.id, ": ", attack.why, ": ", outcomes.attack.how, "\n");
    if (twins && outcomes.twin.fate == Fate::kStopped)
      StrAppend(&bad, "BLUNT     ", attack.id,
                ": gets nothing with its layers off: ", outcomes.twin.how, "\n");
  }
  std::string text =
      StrCat(Padded("category", 16), "     attacks     stopped    breached unavailable",
             twins ? "  twins bite" : "", "\n");
  for (const std::string& name : redteam::Categories()) {
    if (categories.count(name) != 0) text += Row(name, categories[name], twins);
  }
  text += Row("all", total, twins) + bad;
  for (const auto& [why, count] : missing)
    StrAppend(&text, "unavailable here: ", count, ": ", why, "\n");
  return text;
}

int RunRedteam(Context* context, const RedteamFlags& flags) {
  Campaign campaign;
  Result<std::vector<Attack>> attacks = Chosen(flags);
  if (!attacks.ok()) return Fail(*context, attacks.error());
  campaign.attacks = std::move(attacks).value();
  if (flags.list) {
    std::string text;
    for (const Attack& attack : campaign.attacks)
      StrAppend(&text, Padded(attack.id, 20), Padded(attack.language, 12), attack.why, "\n");
    return context->Output(text);
  }
  if (Status run = RunCampaign(context, flags.twins, &campaign); !run.ok())
    return Fail(*context, run.error());
  if (context->interrupted) return kExitInterrupted;
  const bool json = flags.json || context->global.json();
  if (int code = context->Output(json ? ToJson(campaign, flags.twins).Dump()
                                      : ToText(campaign, flags.twins));
      code != kExitOk)
    return code;
  Tally total;
  for (const Outcomes& outcomes : campaign.outcomes) total.Add(outcomes, flags.twins);
  Note(*context,
       StrCat(total.stopped, " of ", total.attacks, " attacks stopped, ", total.breached,
              " got through, ", total.unavailable, " cannot run here; ",
              FixedDigits(campaign.seconds, 1), " s, isolation '", TierName(campaign.tier), "'"));
  if (flags.twins)
    Note(*context, StrCat(total.twins_bite, " of ", total.twins,
                          " twins get through once their layers are off"));
  return total.breached == 0 && total.twins_blunt() == 0 ? kExitOk : kExitGate;
}

}  // namespace

void AddRedteamCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<RedteamFlags>();
  CLI::App* command = app->add_subcommand("redteam",
                                          "Attack this machine's sandbox and judge with the "
                                          "built-in corpus. Exit 1 if anything gets through");
  command->add_flag("--twins", flags->twins,
                    "Also run each attack with its layers switched off: it must get through then");
  command->add_flag("--json", flags->json, "The same as --output-format json");
  command->add_flag("--list", flags->list, "Print the attacks and run nothing");
  command->add_option("--category", flags->categories, "Only these categories")->delimiter(',');
  command->add_option("--language", flags->languages, "Only programs in these languages")
      ->delimiter(',');
  command->add_option("--only", flags->only, "Only attacks whose id starts so");
  command->add_option("--corpus", flags->corpus, "Another corpus (JSON Lines, docs/redteam.md)")
      ->type_name("FILE");
  command->callback([context, flags] {
    context->run = [context, flags] { return RunRedteam(context, *flags); };
  });
}

}  // namespace assay
