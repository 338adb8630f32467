#include "python/score_job.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "verifiers/row_options.h"

namespace assay::python {

// Its rows wait as they came; whichever thread takes it reads, scores and frees them.
struct ScoreJob::Unit {
  std::vector<Json> rows;
  ScoredGroup scored;
  bool gathered = false;  // flat rows of a group
  bool done = false;
  std::string error;  // not empty: a row could not be read, so that the group is none
};

namespace {

// How many units a thread takes at a time, if it makes no difference to the verifiers.
constexpr size_t kBatch = 8;

// Rows that go through the sandbox take long: each is worth a thread of its own.
bool IsSlow(const RubricSpec& spec) {
  return spec.terms.empty() ||
         std::any_of(spec.terms.begin(), spec.terms.end(), [](const RubricTerm& term) {
           const VerifierInfo* info = FindVerifier(term.verifier);
           return info != nullptr && info->needs_sandbox;
         });
}

std::string Sentence(const Error& error) {
  return error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
}

// A row may come as a line of JSON Lines. One that is no JSON stays as it is.
Status ParseLine(Json* row) {
  const std::string* line = row->AsString();
  if (line == nullptr) return {};
  Result<Json> parsed = ParseJson(*line);
  if (!parsed.ok()) return parsed.error();
  *row = std::move(*parsed);
  return {};
}

// The group of a row: kInput for a row that is none.
Result<Group> ReadRow(const std::string& input_format, Json row) {
  if (Status status = ParseLine(&row); !status.ok()) return status.error();
  if (!row.IsObject()) return Error{ErrorCode::kInput, "the row is no object", ""};
  if (Status status = ToAssayRow(input_format, &row); !status.ok()) return status.error();
  Result<Group> group = GroupFromJson(row);
  if (!group.ok()) return group;
  if (Status status = CheckRowOptions(group->problem.options); !status.ok()) return status.error();
  return group;
}

// What nobody reads any more once it is scored.
void DropTexts(ScoredGroup* scored) {
  Problem& problem = scored->group.problem;
  problem.prompt = std::string();
  problem.messages = {};
  problem.verification_info = problem.options = Json();
  for (Problem& other : scored->problems) {
    other.prompt = std::string();
    other.messages = {};
    other.verification_info = other.options = Json();
  }
  for (Sample& sample : scored->group.samples) sample = Sample();
}

}  // namespace

ScoreJob::ScoreJob(const Rubric& rubric, ScoreJobOptions options)
    : rubric_(rubric),
      options_(std::move(options)),
      group_field_(options_.group_by, options_.input_format) {}

ScoreJob::~ScoreJob() {
  Stop();
  for (std::thread& thread : threads_) thread.join();
}

void ScoreJob::Start(std::vector<Json> rows) {
  ReadUnits(std::move(rows));
  next_ = 0;
  batch_ = BatchUnits();
  const size_t batches = (units_.size() + batch_ - 1) / batch_;
  const size_t count = std::min(static_cast<size_t>(std::max(options_.threads, 1)), batches);
  working_ = static_cast<int>(count);
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { Work(); });
}

// Never so many that a thread would have nothing to do.
size_t ScoreJob::BatchUnits() const {
  const int64_t wish = rubric_.BatchSamples();
  if (wish == 1 || IsSlow(rubric_.spec())) return 1;
  const auto threads = static_cast<size_t>(std::max(options_.threads, 1));
  const size_t share = std::max(units_.size() / threads, size_t{1});
  return std::min(wish > 0 ? static_cast<size_t>(wish) : kBatch, share);
}

void ScoreJob::ReadUnits(std::vector<Json> rows) {
  units_.clear();
  const size_t first = places_.size();
  places_.resize(first + rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    Unit& unit = units_.emplace_back();
    unit.rows.push_back(std::move(rows[i]));
    unit.scored.rows.push_back(first + i);
  }
  if (!group_field_.empty()) Gather(&units_);
}

// Flat rows of one key, wherever they stand, in the place of the first of them.
void ScoreJob::Gather(std::vector<Unit>* units) const {
  const auto hash = [](const GroupKey& key) { return key.Hash(); };
  std::unordered_map<GroupKey, size_t, decltype(hash)> places(0, hash);
  std::vector<Unit> out;
  for (Unit& unit : *units) {
    GroupKey key;
    (void)ParseLine(
        &unit.rows[0]);  // a line that is no JSON is in no group, and told of when it is read
    size_t at = out.size();
    const bool grouped = group_field_.KeyOfRow(unit.rows[0], &key);
    if (grouped) at = places.try_emplace(key, at).first->second;
    if (at == out.size()) {
      out.push_back(std::move(unit));
      out.back().gathered = grouped;
      continue;
    }
    out[at].rows.push_back(std::move(unit.rows[0]));
    out[at].scored.rows.push_back(unit.scored.rows[0]);
  }
  *units = std::move(out);
}

void ScoreJob::Work() {
  for (;;) {
    const size_t begin = next_.fetch_add(batch_);
    if (begin >= units_.size() || stopped_) break;
    ScoreUnits(&units_[begin], std::min(batch_, units_.size() - begin));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (--working_ == 0) done_.notify_all();
}

bool ScoreJob::ReadUnit(Unit* unit) const {
  ScoredGroup& scored = unit->scored;
  for (Json& row : unit->rows) {
    Result<Group> group = ReadRow(options_.input_format, std::move(row));
    if (!group.ok()) {
      unit->error = Sentence(group.error());
      return false;
    }
    if (unit->rows.size() > 1) scored.problems.push_back(group->problem);
    if (scored.problems.size() <= 1) {
      scored.group = std::move(*group);
    } else {
      scored.group.samples.push_back(std::move(group->samples[0]));
    }
  }
  scored.in_group = unit->gathered && scored.group.flat;
  return true;
}

void ScoreJob::ScoreUnits(Unit* units, size_t count) const {
  std::vector<Unit*> read;
  std::vector<const Group*> groups;
  for (size_t i = 0; i < count; ++i) {
    if (!ReadUnit(&units[i])) continue;
    read.push_back(&units[i]);
    groups.push_back(&units[i].scored.group);
  }
  std::vector<GroupScore> scores = rubric_.ScoreGroups(groups);
  for (size_t i = 0; i < read.size(); ++i) {
    read[i]->scored.score = std::move(scores[i]);
    if (!options_.keep_texts) DropTexts(&read[i]->scored);
    read[i]->done = true;
  }
}

bool ScoreJob::WaitFor(int ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return done_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return working_ == 0; });
}

void ScoreJob::Finish() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (Unit& unit : units_) Keep(&unit);
  units_.clear();
}

void ScoreJob::Keep(Unit* unit) {
  const std::vector<size_t>& rows = unit->scored.rows;
  if (!unit->done) {
    for (size_t row : rows) places_[row].error = unit->error.empty() ? "interrupted" : unit->error;
    return;
  }
  const auto group = static_cast<int64_t>(groups_.size());
  const bool flat = unit->scored.group.flat;
  for (size_t i = 0; i < rows.size(); ++i) {
    places_[rows[i]].group = group;
    places_[rows[i]].sample = flat ? static_cast<int64_t>(i) : -1;
  }
  groups_.push_back(std::move(unit->scored));
}

}  // namespace assay::python
