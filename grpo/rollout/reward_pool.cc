#include "grpo/rollout/reward_pool.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace assay {

using Clock = std::chrono::steady_clock;

// Shared with the threads, which may outlive the pool.
struct RewardPool::State {
  // What a thread scores at a time.
  struct Batch {
    Clock::time_point started;
    int groups = 0;
    bool given_up = false;  // its thread is replaced
  };
  struct Task {
    Group group;
    GroupScore score;
    std::shared_ptr<Batch> batch;  // once it is running
    bool done = false;
  };
  std::shared_ptr<const Rubric> rubric;
  Options options;
  std::mutex mutex;
  std::condition_variable work, finished;
  std::vector<std::shared_ptr<Task>> tasks;  // of this round, by ticket
  std::deque<std::shared_ptr<Task>> queue;
  bool closing = false;

  // As many groups as the rubric's verifiers like to see at once; mutex held, the queue not empty.
  std::vector<std::shared_ptr<Task>> Take() {
    const auto batch = std::make_shared<Batch>();
    batch->started = Clock::now();
    std::vector<std::shared_ptr<Task>> taken;
    size_t samples = 0;
    do {
      taken.push_back(queue.front());
      queue.pop_front();
      taken.back()->batch = batch;
      ++batch->groups;
      samples += taken.back()->group.samples.size();
    } while (!queue.empty() && samples < static_cast<size_t>(rubric->BatchSamples()));
    return taken;
  }

  // A group has its time whatever else it is scored with.
  bool TooLong(const Batch& batch) const {
    const std::chrono::duration<double> allowed(options.timeout_s * batch.groups);
    return options.timeout_s > 0 && Clock::now() - batch.started >= allowed;
  }

  static void Work(const std::shared_ptr<State>& state) {
    std::unique_lock<std::mutex> lock(state->mutex);
    while (true) {
      state->work.wait(lock, [&] { return state->closing || !state->queue.empty(); });
      if (state->closing) return;
      const std::vector<std::shared_ptr<Task>> taken = state->Take();
      lock.unlock();
      std::vector<const Group*> groups;
      for (const auto& task : taken) groups.push_back(&task->group);
      std::vector<GroupScore> scores = state->rubric->ScoreGroups(groups);
      lock.lock();
      const std::shared_ptr<Batch> batch = taken[0]->batch;
      if (batch->given_up) return;
      // Also what nobody waited for meanwhile is late: whether a group has rewards goes by the clock,
      // not by when Collect looks.
      const bool late = state->TooLong(*batch);
      for (size_t i = 0; i < taken.size(); ++i) {
        taken[i]->score = late ? state->Late(taken[i]->group) : std::move(scores[i]);
        taken[i]->done = true;
      }
      state->finished.notify_all();
    }
  }

  static void Start(const std::shared_ptr<State>& state) {
    std::thread([state] { Work(state); }).detach();
  }

  GroupScore Late(const Group& group) const {
    const std::string detail = "scoring took longer than reward.timeout_s";
    if (options.timeout_fails)
      return Unscored(group, Verdict::Fail("reward_timeout", detail), Reward(0.0));
    return Unscored(group, Verdict::Fault("reward_timeout", detail), Reward());
  }

  // Shaped as Rubric::Score would have it: a verdict for each term.
  GroupScore Unscored(const Group& group, const Verdict& verdict, Reward reward) const {
    GroupScore score;
    for (const RubricTerm& term : rubric->spec().terms) score.labels.push_back(term.label);
    if (score.labels.empty())
      score.labels = {group.problem.task.empty() ? "none" : group.problem.task};
    const size_t terms = score.labels.size();
    for (size_t i = 0; i < group.samples.size(); ++i) {
      SampleScore sample;
      sample.verdicts.assign(terms, verdict);
      sample.reward = reward;
      score.samples.push_back(std::move(sample));
    }
    return score;
  }
};

RewardPool::RewardPool(std::shared_ptr<const Rubric> rubric, const Options& options)
    : state_(std::make_shared<State>()) {
  state_->rubric = std::move(rubric);
  state_->options = options;
  for (int i = 0; i < options.threads; ++i) State::Start(state_);
}

RewardPool::~RewardPool() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->closing = true;
  state_->work.notify_all();
}

size_t RewardPool::Submit(Group group) {
  auto task = std::make_shared<State::Task>();
  task->group = std::move(group);
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->tasks.push_back(task);
  state_->queue.push_back(task);
  state_->work.notify_one();
  return state_->tasks.size() - 1;
}

std::vector<GroupScore> RewardPool::Collect(const std::function<bool()>& cancelled) {
  std::unique_lock<std::mutex> lock(state_->mutex);
  for (const auto& task : state_->tasks) {
    while (!task->done) {
      state_->finished.wait_for(lock, std::chrono::milliseconds(50));
      const bool all = cancelled && cancelled();
      if (all) state_->queue.clear();
      for (const auto& other : state_->tasks) {
        const bool late = other->batch != nullptr && state_->TooLong(*other->batch);
        if (other->done || !(all || late)) continue;
        other->score = late ? state_->Late(other->group)
                            : state_->Unscored(
                                  other->group,
                                  Verdict::Fault("cancelled", "the run was interrupted"), Reward());
        other->done = true;
        if (other->batch != nullptr && !std::exchange(other->batch->given_up, true))
          State::Start(state_);
      }
    }
  }
  std::vector<GroupScore> scores;
  for (const auto& task : state_->tasks) scores.push_back(std::move(task->score));
  state_->tasks.clear();
  return scores;
}

}  // namespace assay
