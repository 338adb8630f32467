// logic: who is tallest, from neighbours in a line; and islanders who always lie or never do. Each has exactly one solution.
#include <algorithm>

#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

const std::vector<std::string>& Names() {
  static const std::vector<std::string> kNames = {"Ada",  "Bela", "Cem",  "Dora", "Emil",
                                                  "Finn", "Gita", "Hugo", "Ines", "Jana"};
  return kNames;
}

std::vector<std::string> SomeNames(int64_t count, Rng* rng) {
  std::vector<std::string> names = Names();
  rng->Shuffle(&names);
  names.resize(static_cast<size_t>(count));
  return names;
}

// Neighbours in the order, told in any order: together they fix it.
DrawnProblem DrawOrder(int64_t people, Rng* rng) {
  DrawnProblem problem;
  const std::vector<std::string> order = SomeNames(people, rng);
  std::vector<std::string> clues;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    clues.push_back(rng->Below(2) == 0 ? StrCat(order[i], " is taller than ", order[i + 1], ".")
                                       : StrCat(order[i + 1], " is shorter than ", order[i], "."));
  }
  rng->Shuffle(&clues);
  for (const std::string& clue : clues)
    StrAppend(&problem.prompt, problem.prompt.empty() ? "" : " ", clue);
  const bool tallest = rng->Below(2) == 0;
  StrAppend(&problem.prompt, " Who is the ", tallest ? "tallest" : "shortest",
            "? Answer with the name.");
  problem.answer = tallest ? order.front() : order.back();
  return problem;
}

// Speaker `by` says that `of` is a knight, or a knave.
struct Claim {
  size_t by, of;
  bool knight;
};

// How many ways of being knights fit all claims and the fact that is known; `fit` is one of them.
int CountFits(const std::vector<Claim>& claims, size_t people, size_t known, bool known_knight,
              uint32_t* fit) {
  int count = 0;
  for (uint32_t world = 0; world < (1U << people); ++world) {
    if (((world >> known & 1U) != 0) != known_knight) continue;
    const bool fits = std::all_of(claims.begin(), claims.end(), [&](const Claim& claim) {
      const bool speaker = (world >> claim.by & 1U) != 0, subject = (world >> claim.of & 1U) != 0;
      return speaker == (subject == claim.knight);
    });
    if (fits) *fit = world, ++count;
  }
  return count;
}

// Claims about each other always fit in two ways (turn everybody round); a fact about one of them leaves one.
DrawnProblem DrawIslanders(int64_t people, Rng* rng) {
  const auto n = static_cast<size_t>(people);
  std::vector<Claim> claims;
  uint32_t fit = 0;
  size_t known = 0;
  bool known_knight = false;
  do {
    claims.clear();
    for (size_t by = 0; by + 1 < n; ++by) {
      size_t of = rng->Below(n - 1);
      if (of >= by) ++of;
      claims.push_back({by, of, rng->Below(2) == 0});
    }
    known = rng->Below(n);
    known_knight = rng->Below(2) == 0;
  } while (CountFits(claims, n, known, known_knight, &fit) != 1);
  const std::vector<std::string> names = SomeNames(people, rng);
  DrawnProblem problem;
  problem.prompt =
      "On an island live knights, who always tell the truth, and knaves, who always lie.";
  for (const Claim& claim : claims) {
    StrAppend(&problem.prompt, " ", names[claim.by], " says: \"", names[claim.of], " is a ",
              claim.knight ? "knight" : "knave", ".\"");
  }
  StrAppend(&problem.prompt, " It is known that ", names[known], " is a ",
            known_knight ? "knight" : "knave", ".");
  size_t asked = rng->Below(n - 1);
  if (asked >= known) ++asked;
  StrAppend(&problem.prompt, " Is ", names[asked], " a knight or a knave? Answer with one word.");
  problem.answer = (fit >> asked & 1U) != 0 ? "knight" : "knave";
  return problem;
}

}  // namespace

// Odd levels: an order of level + 2 people. Even levels: level / 2 + 2 islanders.
DrawnProblem DrawLogic(int64_t level, std::string_view /*language*/, Rng* rng) {
  DrawnProblem problem =
      level % 2 == 1 ? DrawOrder(level + 2, rng) : DrawIslanders(level / 2 + 2, rng);
  problem.task = "exact";
  problem.options.Set(
      "exact", Json().Set("from", "auto").Set("ignore_case", true).Set("ignore_punctuation", true));
  problem.content = problem.prompt;
  return problem;
}

}  // namespace assay
