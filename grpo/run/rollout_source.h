// RolloutSource: where a GRPO run's batches come from, scored. Problems sampled by the policy itself or by a server, or groups that
// somebody sampled before; with dynamic sampling, drawn again until they teach something. Scoring goes on in the pool's threads
// while others are still sampled; everything else is one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/config/recipe.h"
#include "grpo/learn/learner.h"
#include "grpo/run/draw_order.h"
#include "grpo/run/scored_group.h"
#include "grpo/run/training_run.h"

namespace assay {

// One generation batch: groups as tokens with their rewards, and the same groups, in the same order, as text.
struct Rollouts {
  GenerationBatch batch;
  std::vector<ScoredGroup> groups;
  int64_t first_draw = 0;  // problems drawn before this batch
  int64_t drawn = 0;       // problems drawn with it
  int64_t refused = 0;     // groups without variance, put aside by dynamic sampling
  double seconds = 0;      // since the last step, the batch included
};

class RolloutSource {
 public:
  // Both outlive the source.
  RolloutSource(const GrpoRecipe& recipe, TrainingRun* run) : recipe_(recipe), run_(run) {}

  // Reads the problems, or the groups sampled elsewhere, and looks at all prompts' lengths; tells the user what was left out and what has
  // no reference. Errors: LoadProblems', LoadGroups', EncodePrompts'; kInput when there are none.
  Status Load();
  // Problems (or groups) of one epoch.
  int64_t count() const {
    return static_cast<int64_t>(outside_.empty() ? problems_.size() : outside_.size());
  }
  // Generates and scores the batch that comes after `run->at.drawn` draws; moves nothing of the run. After an interrupt the error is of
  // no interest: the same draws give the same batch when the run goes on.
  Result<Rollouts> Next();

 private:
  // A group on its way into the batch.
  struct Drawn {
    ScoredGroup text;
    RolloutGroup tokens;
  };
  using DrawnGroups = Result<std::vector<Drawn>>;
  // Problems (or groups) to draw, and the number of each draw, which its seeds come from.
  struct Draws {
    std::vector<int64_t> places, numbers;
  };
  Status LoadPrompts();
  DrawnGroups Draw(const Model& policy, int64_t first_draw, size_t count);
  DrawnGroups DrawMine(const Model& policy, int64_t first_draw, size_t count);
  DrawnGroups Share(DrawnGroups mine, size_t count) const;
  DrawnGroups FromPolicy(const Model& policy, const Draws& draws);
  DrawnGroups FromServer(const Draws& draws);
  DrawnGroups FromFile(const Draws& draws);
  std::vector<Drawn> Prompts(const std::vector<int64_t>& places) const;
  Result<Drawn> FromOutside(Group group) const;
  void TakeScores(const std::vector<size_t>& tickets, std::vector<GroupScore> scores,
                  std::vector<Drawn>* groups) const;
  void FillRewards(Drawn* drawn) const;

  const GrpoRecipe& recipe_;
  TrainingRun* run_;
  std::vector<Problem> problems_;
  std::vector<std::vector<int64_t>> prompts_;  // of problems_, as tokens
  std::vector<Group> outside_;
  std::optional<DrawOrder> order_;
};

}  // namespace assay
