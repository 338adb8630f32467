#include "cli/serve/work_pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/text.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

struct Job {
  WorkItem item;
  bool started = false;
  WorkPlan plan;
  size_t next = 0;      // piece to hand out
  size_t finished = 0;  // pieces
  double seconds = 0;   // of threads
  HttpResponse failure;
  bool failed = false;
};

HttpResponse Unexpected(const std::string& what) {
  return HttpError(500, StrCat("internal error: ", what));
}

// The weight of the newest request in the average.
constexpr double kNewest = 0.05;

}  // namespace

struct WorkPool::Impl {
  mutable std::mutex mutex;
  std::condition_variable ready;
  bool stopping = false;
  int64_t waiting_max = 0;
  int64_t waiting = 0;
  int64_t running = 0;
  double seconds_per_request = 0;
  // Whose turn it is, first to last, each with at least one job that has something to hand out.
  std::list<std::string> turns;
  std::unordered_map<std::string, std::deque<std::shared_ptr<Job>>> jobs;
  std::vector<std::thread> threads;

  // Puts a job at the end of its client's queue.
  void Queue(std::shared_ptr<Job> job) {
    std::deque<std::shared_ptr<Job>>& queue = jobs[job->item.client];
    if (queue.empty()) turns.push_back(job->item.client);
    queue.push_back(std::move(job));
  }

  std::shared_ptr<Job> TakeTurn() {
    const std::string client = std::move(turns.front());
    turns.pop_front();
    const auto found = jobs.find(client);
    std::shared_ptr<Job> job = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) {
      jobs.erase(found);
    } else {
      turns.push_back(client);
    }
    return job;
  }

  bool Gone(const Job& job) const { return job.item.gone != nullptr && job.item.gone->load(); }

  void Finish(const std::shared_ptr<Job>& job);
  void StartJob(const std::shared_ptr<Job>& job, std::unique_lock<std::mutex>* lock);
  void RunPiece(const std::shared_ptr<Job>& job, size_t piece, std::unique_lock<std::mutex>* lock);
  void Loop();
};

// Without the lock: nothing else looks at the job any longer.
void WorkPool::Impl::Finish(const std::shared_ptr<Job>& job) {
  HttpResponse response;
  try {
    response = job->failed                       ? std::move(job->failure)
               : job->plan.finish && !Gone(*job) ? job->plan.finish()
                                                 : HttpResponse();
  } catch (const std::exception& error) {
    response = Unexpected(error.what());
  }
  job->item.done(std::move(response));
}

void WorkPool::Impl::StartJob(const std::shared_ptr<Job>& job, std::unique_lock<std::mutex>* lock) {
  job->started = true;
  lock->unlock();
  PlanOrResponse read = HttpResponse();
  try {
    if (!Gone(*job)) read = job->item.start();
  } catch (const std::exception& error) {
    read = Unexpected(error.what());
  }
  if (std::holds_alternative<HttpResponse>(read)) {
    job->failed = true;
    job->failure = std::move(std::get<HttpResponse>(read));
  } else {
    job->plan = std::move(std::get<WorkPlan>(read));
  }
  if (job->failed || job->plan.pieces == 0) {
    Finish(job);
    lock->lock();
    return;
  }
  lock->lock();
  // The first piece at once, by this thread: a request of one piece does not queue twice.
  job->next = 1;
  if (job->plan.pieces > 1) {
    Queue(job);
    ready.notify_one();
  }
  RunPiece(job, 0, lock);
}

void WorkPool::Impl::RunPiece(const std::shared_ptr<Job>& job, size_t piece,
                              std::unique_lock<std::mutex>* lock) {
  lock->unlock();
  const Clock::time_point begin = Clock::now();
  std::string problem;
  try {
    if (!Gone(*job)) job->plan.run(piece);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  lock->lock();
  if (!problem.empty() && !job->failed) {
    job->failed = true;
    job->failure = Unexpected(problem);
  }
  job->seconds += seconds;
  if (++job->finished < job->plan.pieces) return;
  seconds_per_request += kNewest * (job->seconds - seconds_per_request);
  lock->unlock();
  Finish(job);
  lock->lock();
}

void WorkPool::Impl::Loop() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    ready.wait(lock, [this] { return stopping || !turns.empty(); });
    if (stopping) return;
    const std::shared_ptr<Job> job = TakeTurn();
    ++running;
    if (!job->started) {
      --waiting;
      StartJob(job, &lock);
    } else {
      const size_t piece = job->next++;
      if (job->next < job->plan.pieces) {
        Queue(job);
        ready.notify_one();
      }
      RunPiece(job, piece, &lock);
    }
    --running;
  }
}

WorkPool::WorkPool(int threads, int64_t waiting_max) : impl_(std::make_unique<Impl>()) {
  impl_->waiting_max = waiting_max;
  for (int i = 0; i < std::max(threads, 1); ++i)
    impl_->threads.emplace_back([impl = impl_.get()] { impl->Loop(); });
}

WorkPool::~WorkPool() {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->ready.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

bool WorkPool::Push(WorkItem item) {
  auto job = std::make_shared<Job>();
  job->item = std::move(item);
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    if (impl_->waiting >= impl_->waiting_max) return false;
    ++impl_->waiting;
    impl_->Queue(std::move(job));
  }
  impl_->ready.notify_one();
  return true;
}

WorkLoad WorkPool::Load() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return {impl_->waiting, impl_->running, static_cast<int>(impl_->threads.size()),
          impl_->seconds_per_request};
}

int WorkPool::RetryAfterSeconds() const {
  const WorkLoad load = Load();
  const double seconds =
      static_cast<double>(load.waiting) * load.seconds_per_request / std::max(load.threads, 1) / 2;
  return static_cast<int>(std::clamp(seconds, 1.0, 60.0));
}

}  // namespace assay
