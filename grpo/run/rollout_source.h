// RolloutSource: where a GRPO run's batches come from, scored. Problems sampled by the policy itself or by a server, or groups that
// somebody sampled before; with dynamic sampling, drawn again until they teach something. Scoring goes on in the pool's threads
// while others are still sampled. One thread, but for a batch that is drawn ahead.
#pragma once

#include <c10/core/Stream.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
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
  ~RolloutSource();
  RolloutSource(const RolloutSource&) = delete;
  RolloutSource& operator=(const RolloutSource&) = delete;

  // Reads the problems, or the groups sampled elsewhere, and looks at all prompts' lengths; tells the user what was left out and what has
  // no reference. Errors: LoadProblems', LoadGroups', EncodePrompts'; kInput when there are none.
  Status Load();
  // Problems (or groups) of one epoch.
  int64_t count() const {
    return static_cast<int64_t>(outside_.empty() ? problems_.size() : outside_.size());
  }
  // Tokens of the longest prompt; 0 where groups were sampled elsewhere.
  int64_t longest_prompt() const;
  // Generates and scores the batch that comes after `run->at.drawn` draws; moves nothing of the run. After an interrupt the error is of
  // no interest: the same draws give the same batch when the run goes on.
  Result<Rollouts> Next();
  // Begins to draw the batch that comes after `drawn` draws in a thread of its own, with a copy of the policy as it is now; the next
  // call of Next waits for it. Until then nothing else may sample or score: Settle waits without taking it. Errors: PushWeights'.
  Status Ahead(int64_t drawn);
  void Settle() const;

 private:
  // A group on its way into the batch.
  struct Drawn {
    ScoredGroup text;
    RolloutGroup tokens;
  };
  using DrawnGroups = Result<std::vector<Drawn>>;
  using Scores = Result<std::vector<GroupScore>>;
  // Problems (or groups) to draw, and the number of each draw, which its seeds come from.
  struct Draws {
    std::vector<int64_t> places, numbers;
  };
  // A batch that is drawn while the caller does something else.
  struct Coming {
    int64_t first_draw = 0;
    size_t count = 0;
    std::future<DrawnGroups> groups;
  };
  Status LoadPrompts();
  size_t GroupsOfBatch() const;
  bool OwnSampler() const { return outside_.empty() && recipe_.train.server.url.empty(); }
  Status FollowPolicy();
  Result<Model> Snapshot() const;
  DrawnGroups Draw(int64_t first_draw, size_t count);
  DrawnGroups DrawMine(const Model& policy, int64_t first_draw, size_t count);
  DrawnGroups Share(DrawnGroups mine, size_t count) const;
  DrawnGroups FromPolicy(const Model& policy, const Draws& draws);
  DrawnGroups FromServer(const Draws& draws);
  DrawnGroups FromFile(const Draws& draws);
  std::vector<Drawn> Prompts(const std::vector<int64_t>& places) const;
  Result<Drawn> FromOutside(Group group) const;
  bool GivesUp() const;
  Scores CollectScores() const;
  void TakeScores(const std::vector<size_t>& tickets, std::vector<GroupScore> scores,
                  std::vector<Drawn>* groups) const;
  void FillRewards(Drawn* drawn) const;

  const GrpoRecipe& recipe_;
  TrainingRun* run_;
  std::vector<Problem> problems_;
  std::vector<std::vector<int64_t>> prompts_;  // of problems_, as tokens
  std::vector<Group> outside_;
  std::optional<DrawOrder> order_;
  // The optimiser steps whose weights sample: our own sampler's, or what the server was last told to load.
  int64_t sampler_step_ = 0;
  bool pushed_ = false;                // the server was told to load anything yet
  std::optional<c10::Stream> stream_;  // on a GPU: of what is drawn ahead
  std::atomic<bool> given_up_ = false;
  std::optional<Coming> coming_;  // last: its thread uses the others
};

}  // namespace assay
