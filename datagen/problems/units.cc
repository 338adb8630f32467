// units: lengths, masses, times and speeds turned into other units; answers are whole numbers.
#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

struct Unit {
  std::string_view en, de;
  int64_t in_base;  // so many of the smallest of its kind
};
using Ladder = std::vector<Unit>;

const std::vector<Ladder>& Ladders() {
  static const std::vector<Ladder> kLadders = {
      {{"millimetres", "Millimeter", 1},
       {"centimetres", "Zentimeter", 10},
       {"metres", "Meter", 1000},
       {"kilometres", "Kilometer", 1000000}},
      {{"grams", "Gramm", 1}, {"kilograms", "Kilogramm", 1000}, {"tonnes", "Tonnen", 1000000}},
      {{"seconds", "Sekunden", 1},
       {"minutes", "Minuten", 60},
       {"hours", "Stunden", 3600},
       {"days", "Tage", 86400}},
      {{"millilitres", "Milliliter", 1}, {"litres", "Liter", 1000}}};
  return kLadders;
}

std::string_view NameOf(const Unit& unit, std::string_view language) {
  return language == "de" ? unit.de : unit.en;
}

}  // namespace

// Level 1: one unit into the next smaller one. Level 2: any two units of a kind. Level 3: two parts added up first. Level 4: a speed
// over a time.
DrawnProblem DrawUnits(int64_t level, std::string_view language, Rng* rng) {
  DrawnProblem problem;
  problem.task = "math";
  const bool german = language == "de";
  if (level == 4) {
    const int64_t metres = DrawBetween(2, 40, rng), minutes = DrawBetween(2, 90, rng);
    problem.content = StrCat(metres, "m/s for ", minutes);
    problem.prompt = FillIn(
        german ? "Ein Zug fährt {v} Meter in der Sekunde. Wie viele Meter fährt er in {t} Minuten?"
               : "A train goes {v} metres every second. How many metres does it go in {t} minutes?",
        {{"v", StrCat(metres)}, {"t", StrCat(minutes)}});
    problem.steps = {StrCat(minutes, "*60=", minutes * 60),
                     StrCat(metres, "*", minutes * 60, "=", metres * minutes * 60)};
    problem.answer = StrCat(metres * minutes * 60);
    return problem;
  }
  const Ladder& ladder = DrawOne(Ladders(), rng);
  const auto top = static_cast<int64_t>(ladder.size()) - 1;
  const int64_t from = DrawBetween(1, top, rng);
  const int64_t to = level == 1 ? from - 1 : DrawBetween(0, from - 1, rng);
  const Unit &large = ladder[static_cast<size_t>(from)], &small = ladder[static_cast<size_t>(to)];
  const int64_t amount = DrawBetween(2, 99, rng), factor = large.in_base / small.in_base;
  int64_t value = amount * factor;
  problem.steps = {StrCat(amount, "*", factor, "=", value)};
  std::string amount_text = StrCat(amount, " ", NameOf(large, language));
  if (level == 3) {
    const int64_t more = DrawBetween(1, std::min<int64_t>(factor - 1, 99), rng);
    StrAppend(&amount_text, german ? " und " : " and ", more, " ", NameOf(small, language));
    problem.steps.push_back(StrCat(value, "+", more, "=", value + more));
    value += more;
  }
  problem.content = StrCat(small.en, " in ", amount, " ", large.en, " ", value);
  problem.prompt =
      FillIn(german ? "Wie viele {small} sind {amount}?" : "How many {small} are {amount}?",
             {{"small", std::string(NameOf(small, language))}, {"amount", amount_text}});
  problem.answer = StrCat(value);
  return problem;
}

}  // namespace assay
