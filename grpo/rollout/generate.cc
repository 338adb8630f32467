#include "grpo/rollout/generate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/model/torch_error.h"
#include "grpo/rollout/cuda_decoder.h"
#include "grpo/rollout/decoder.h"
#include "grpo/rollout/sampler.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Error Usage(std::string message) { return Error{ErrorCode::kUsage, std::move(message), ""}; }

Status CheckSampling(const SamplingParams& s, const Tokenizer* tokenizer) {
  if (!(s.temperature >= 0) || !std::isfinite(s.temperature))
    return Usage(StrCat("temperature ", s.temperature, " is below 0"));
  if (!(s.top_p > 0 && s.top_p <= 1)) return Usage(StrCat("top_p ", s.top_p, " is not in (0, 1]"));
  if (s.top_k < 0) return Usage(StrCat("top_k ", s.top_k, " is below 0"));
  if (!(s.min_p >= 0 && s.min_p < 1)) return Usage(StrCat("min_p ", s.min_p, " is not in [0, 1)"));
  if (!(s.repetition_penalty > 0) || !std::isfinite(s.repetition_penalty)) {
    return Usage(StrCat("repetition_penalty ", s.repetition_penalty, " is not positive"));
  }
  if (s.max_new_tokens < 1)
    return Usage(StrCat("max_new_tokens ", s.max_new_tokens, " is below 1"));
  for (const std::string& stop : s.stop) {
    if (stop.empty()) return Usage("a stop string is empty");
    if (tokenizer == nullptr) return Usage("stop strings need a tokenizer");
  }
  return {};
}

Status CheckRequests(const Model& model, const std::vector<GenerateRequest>& requests,
                     const SamplingParams& sampling) {
  const ModelConfig& c = model.config;
  for (size_t r = 0; r < requests.size(); ++r) {
    const std::vector<int64_t>& ids = requests[r].prompt_ids;
    if (ids.empty()) return Error{ErrorCode::kInput, StrCat("prompt ", r, " is empty"), ""};
    for (int64_t id : ids) {
      if (id < 0 || id >= c.vocab_size) {
        return Error{ErrorCode::kInput,
                     StrCat("prompt ", r, " has token id ", id, ", the model's vocabulary has ",
                            c.vocab_size),
                     "model and tokenizer do not belong together"};
      }
    }
    const auto longest = static_cast<int64_t>(ids.size()) + sampling.max_new_tokens;
    if (longest > c.max_position) {
      return Error{ErrorCode::kInput,
                   StrCat("prompt ", r, " has ", ids.size(), " tokens and may grow by ",
                          sampling.max_new_tokens, ", the model's limit is ", c.max_position),
                   "shorten the prompt or lower max_new_tokens"};
    }
  }
  return {};
}

// Length of the longest end of `text` that a stop string could start with.
size_t PartialStop(std::string_view text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops) {
    for (size_t length = std::min(stop.size() - 1, text.size()); length > longest; --length) {
      if (EndsWith(text, std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

// On the device: steps between two looks, and prompt tokens computed at one time.
constexpr int64_t kStepsAtOnce = 16;
constexpr int64_t kDevicePrefill = 32768;
// Rows side by side on a CPU where nobody said how many.
constexpr int64_t kRowsOnCpu = 64;

// One sample on its way.
struct Row {
  size_t request = 0;
  size_t sample = 0;
  int64_t prompt_length = 0;
  Completion completion;
  Rng rng{0};
  std::vector<int64_t> seen;  // distinct ids so far, for the penalty
  std::vector<bool> seen_bits;
  std::vector<float> scratch;
  Draw draw;  // of the step at hand
  // On the device:
  int64_t slot = 0;
  int64_t first_look = 0;  // the first look that tells of this row
  int64_t promised = 0;    // tokens that it has once everything launched is done
  std::string text;        // decoded so far
  size_t sent = 0;         // bytes of it that on_text got
  std::string pending;     // an unfinished character
};

class Generation {
 public:
  Generation(const Model& model, const Tokenizer* tokenizer,
             const std::vector<GenerateRequest>& requests, const GenerateOptions& options)
      : model_(model),
        tokenizer_(tokenizer),
        requests_(requests),
        options_(options),
        sampling_(options.sampling) {
    stop_ids_ = sampling_.stop_ids;
    if (stop_ids_.empty()) stop_ids_ = model.config.eos_ids;
    if (stop_ids_.empty() && tokenizer != nullptr && tokenizer->eos_id() >= 0)
      stop_ids_ = {tokenizer->eos_id()};
    draw_params_ = {sampling_.temperature,
                    sampling_.top_p,
                    sampling_.top_k,
                    sampling_.min_p,
                    sampling_.repetition_penalty,
                    tokenizer == nullptr ? 0 : tokenizer->vocab_size()};
    for (size_t r = 0; r < requests.size(); ++r) {
      results_.emplace_back(requests[r].seeds.size());
      for (size_t s = 0; s < requests[r].seeds.size(); ++s) waiting_.push_back({r, s});
    }
  }

  Result<std::vector<std::vector<Completion>>> Run(GenerateStats* stats) {
    if (waiting_.empty()) return std::move(results_);
    Status done = CudaDecoder::Supports(model_) ? DecodeOnDevice() : DecodeStepByStep();
    if (!done.ok()) return done.error();
    if (stats != nullptr) *stats = stats_;
    return std::move(results_);
  }

 private:
  struct Waiting {
    size_t request;
    size_t sample;
  };

  // --- a step at a time, tokens drawn by this program: the CPU's way

  Status DecodeStepByStep() {
    const int64_t rows = options_.max_rows > 0 ? options_.max_rows : kRowsOnCpu;
    const auto slots = std::min<int64_t>(rows, static_cast<int64_t>(waiting_.size()));
    Decoder decoder(model_, slots, LongestPrompt() + sampling_.max_new_tokens);
    while (!waiting_.empty() || !rows_.empty()) {
      if (options_.cancelled && options_.cancelled())
        return Error{ErrorCode::kLimit, "cancelled", ""};
      const double start = Seconds();
      Admit(&decoder, slots);
      const double admitted = Seconds();
      stats_.prefill_s += admitted - start;
      if (rows_.empty()) continue;
      Step(&decoder);
      stats_.decode_s += Seconds() - admitted;
    }
    return {};
  }

  // Free slots are filled; prompts are computed as their first sample enters and dropped after their last.
  void Admit(Decoder* decoder, int64_t slots) {
    while (static_cast<int64_t>(rows_.size()) < slots && !waiting_.empty()) {
      if (prompts_.count(waiting_.front().request) == 0)
        PrefillNext(decoder, slots - static_cast<int64_t>(rows_.size()));
      const Waiting next = waiting_.front();
      waiting_.pop_front();
      const PrefilledPrompt& prompt = prompts_.at(next.request);
      decoder->Place(prompt, static_cast<int64_t>(rows_.size()));
      rows_.push_back(StartRow(next));
      DrawFor(&rows_.back(), prompt.logits.data_ptr<float>());
      if (next.sample + 1 == requests_[next.request].seeds.size()) prompts_.erase(next.request);
      if (Accept(&rows_.back())) Finish(&rows_.back()), rows_.pop_back();
    }
  }

  // The prompts of the next `free` samples, as many as fit into one pass.
  void PrefillNext(Decoder* decoder, int64_t free) {
    std::vector<size_t> which;
    std::vector<std::vector<int64_t>> prompts;
    int64_t tokens = 0;
    for (size_t i = 0; i < waiting_.size() && static_cast<int64_t>(i) < free; ++i) {
      const size_t request = waiting_[i].request;
      if (prompts_.count(request) > 0 || (!which.empty() && which.back() == request)) continue;
      const auto length = static_cast<int64_t>(requests_[request].prompt_ids.size());
      if (!which.empty() && tokens + length > options_.prefill_tokens) break;
      tokens += length;
      which.push_back(request);
      prompts.push_back(requests_[request].prompt_ids);
    }
    std::vector<PrefilledPrompt> made = decoder->Prefill(prompts);
    for (size_t i = 0; i < which.size(); ++i) prompts_.emplace(which[i], std::move(made[i]));
    stats_.prompt_tokens += tokens;
  }

  // --- many steps at a time, tokens drawn on the device; this program looks at them one launch behind

  // A prompt on the device.
  struct Placed {
    int64_t place = 0;
    size_t unfinished = 0;  // samples
  };

  Status DecodeOnDevice() {
    const int64_t rows = options_.max_rows > 0
                             ? options_.max_rows
                             : CudaDecoder::RowsThatFit(model_, LongestPrompt(), FewestSamples(),
                                                        sampling_.max_new_tokens);
    const auto slots = std::min<int64_t>(rows, static_cast<int64_t>(waiting_.size()));
    CudaDecoder decoder(model_, DeviceShape(slots), draw_params_, stop_ids_);
    int64_t launched = 0, read = 0;
    while (!waiting_.empty() || !rows_.empty()) {
      if (options_.cancelled && options_.cancelled())
        return Error{ErrorCode::kLimit, "cancelled", ""};
      const double start = Seconds();
      AdmitToDevice(&decoder, launched);
      const double admitted = Seconds();
      stats_.prefill_s += admitted - start;
      std::vector<int64_t> active;
      int64_t steps = 0;
      for (const Row& row : rows_) {
        if (row.promised >= sampling_.max_new_tokens) continue;
        active.push_back(row.slot);
        steps = std::max(steps, std::min(kStepsAtOnce, sampling_.max_new_tokens - row.promised));
      }
      for (Row& row : rows_) row.promised += steps;
      if (steps > 0 || launched == read) decoder.Launch(active, steps), ++launched;
      stats_.steps += steps;
      if (launched - read == 2 || steps == 0) TakeLook(decoder.Read(), read++);
      stats_.decode_s += Seconds() - admitted;
    }
    return {};
  }

  int64_t LongestPrompt() const {
    size_t longest = 0;
    for (const GenerateRequest& r : requests_) longest = std::max(longest, r.prompt_ids.size());
    return static_cast<int64_t>(longest);
  }

  // Of a prompt that has any.
  int64_t FewestSamples() const {
    size_t fewest = 0;
    for (const GenerateRequest& r : requests_) {
      if (!r.seeds.empty())
        fewest = fewest == 0 ? r.seeds.size() : std::min(fewest, r.seeds.size());
    }
    return static_cast<int64_t>(std::max<size_t>(1, fewest));
  }

  CudaDecoder::Shape DeviceShape(int64_t slots) {
    CudaDecoder::Shape shape;
    shape.slots = slots;
    shape.prompt_capacity = LongestPrompt();
    // Twice what full slots need: a group's last rows hold its prompt while the next groups enter.
    const int64_t group = FewestSamples();
    shape.places = std::min<int64_t>(static_cast<int64_t>(requests_.size()),
                                     2 * ((slots + group - 1) / group) + 1);
    shape.max_new = sampling_.max_new_tokens;
    shape.min_new = sampling_.min_new_tokens;
    shape.steps_at_once = kStepsAtOnce;
    for (int64_t i = slots; i-- > 0;) free_slots_.push_back(i);
    for (int64_t i = shape.places; i-- > 0;) free_places_.push_back(i);
    return shape;
  }

  // Free slots are filled, as far as there are places for their prompts.
  void AdmitToDevice(CudaDecoder* decoder, int64_t launched) {
    std::vector<CudaDecoder::Entry> entries;
    while (!free_slots_.empty() && !waiting_.empty()) {
      const size_t request = waiting_.front().request;
      if (placed_.count(request) == 0 && !PlacePrompts(decoder)) break;
      Row row = StartRow(waiting_.front());
      waiting_.pop_front();
      row.slot = free_slots_.back();
      free_slots_.pop_back();
      row.first_look = launched;
      row.promised = 1;
      entries.push_back(
          {row.slot, placed_.at(request).place, &requests_[request].prompt_ids, row.rng.Save()});
      rows_.push_back(std::move(row));
    }
    decoder->Enter(entries);
  }

  // The prompts of the next rows for the free slots, as many as fit into one pass and into the free places; false: none.
  bool PlacePrompts(CudaDecoder* decoder) {
    std::vector<std::vector<int64_t>> prompts;
    std::vector<int64_t> places;
    int64_t tokens = 0;
    for (size_t i = 0; i < waiting_.size() && i < free_slots_.size(); ++i) {
      const size_t request = waiting_[i].request;
      if (placed_.count(request) > 0) continue;
      const auto length = static_cast<int64_t>(requests_[request].prompt_ids.size());
      if (free_places_.empty()) break;
      if (!prompts.empty() && tokens + length > kDevicePrefill) break;
      tokens += length;
      prompts.push_back(requests_[request].prompt_ids);
      places.push_back(free_places_.back());
      free_places_.pop_back();
      placed_[request] = {places.back(), requests_[request].seeds.size()};
    }
    if (prompts.empty()) return false;
    decoder->Prefill(prompts, places);
    stats_.prompt_tokens += tokens;
    return true;
  }

  void TakeLook(const CudaDecoder::Look& look, int64_t number) {
    for (size_t i = rows_.size(); i-- > 0;) {
      Row& row = rows_[i];
      if (row.first_look > number || !TakeTokens(look, &row)) continue;
      Finish(&row);
      free_slots_.push_back(row.slot);
      Placed& prompt = placed_.at(row.request);
      if (--prompt.unfinished == 0) {
        free_places_.push_back(prompt.place);
        placed_.erase(row.request);
      }
      if (i + 1 < rows_.size()) rows_[i] = std::move(rows_.back());
      rows_.pop_back();
    }
  }

  // What was drawn for the row since the last look; true if it is finished.
  bool TakeTokens(const CudaDecoder::Look& look, Row* row) {
    for (auto t = static_cast<int64_t>(row->completion.ids.size()); t < look.counts[row->slot];
         ++t) {
      const int64_t at = row->slot * look.ring + t % look.ring;
      row->draw = {look.tokens[at], look.logprobs[at]};
      if (Accept(row)) return true;
    }
    return false;
  }

  // --- what both have in common

  Row StartRow(const Waiting& next) const {
    Row row;
    row.request = next.request;
    row.sample = next.sample;
    const std::vector<int64_t>& prompt = requests_[next.request].prompt_ids;
    row.prompt_length = static_cast<int64_t>(prompt.size());
    row.completion.seed = requests_[next.request].seeds[next.sample];
    row.rng = Rng(row.completion.seed, "tokens");
    if (sampling_.repetition_penalty != 1.0) {
      row.seen_bits.assign(static_cast<size_t>(model_.config.vocab_size), false);
      for (int64_t id : prompt) See(&row, id);
    }
    return row;
  }

  static void See(Row* row, int64_t id) {
    if (row->seen_bits.empty() || row->seen_bits[static_cast<size_t>(id)]) return;
    row->seen_bits[static_cast<size_t>(id)] = true;
    row->seen.push_back(id);
  }

  void DrawFor(Row* row, const float* logits) const {
    static const std::vector<int64_t> none;
    const bool early = static_cast<int64_t>(row->completion.ids.size()) < sampling_.min_new_tokens;
    row->draw = DrawToken(logits, model_.config.vocab_size, draw_params_, row->seen,
                          early ? stop_ids_ : none, &row->rng, &row->scratch);
  }

  void Step(Decoder* decoder) {
    std::vector<int64_t> tokens;
    std::vector<int64_t> positions;
    for (const Row& row : rows_) {
      tokens.push_back(row.completion.ids.back());
      positions.push_back(Length(row) - 1);
    }
    const at::Tensor logits = decoder->Step(tokens, positions);
    const float* data = logits.data_ptr<float>();
    at::parallel_for(0, static_cast<int64_t>(rows_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        DrawFor(&rows_[static_cast<size_t>(i)], data + i * model_.config.vocab_size);
    });
    ++stats_.steps;
    for (size_t i = rows_.size(); i-- > 0;) {
      if (!Accept(&rows_[i])) continue;
      Finish(&rows_[i]);
      // The last row takes the free place, so that rows in use stay together.
      if (i + 1 < rows_.size()) {
        decoder->Move(static_cast<int64_t>(rows_.size()) - 1, static_cast<int64_t>(i),
                      Length(rows_.back()) - 1);
        rows_[i] = std::move(rows_.back());
      }
      rows_.pop_back();
    }
  }

  static int64_t Length(const Row& row) {
    return row.prompt_length + static_cast<int64_t>(row.completion.ids.size());
  }

  // Takes the drawn token; true if the row is finished (its reason is set then).
  bool Accept(Row* row) {
    Completion& c = row->completion;
    const int64_t id = row->draw.token;
    c.ids.push_back(id);
    c.logprobs.push_back(row->draw.logprob);
    ++stats_.new_tokens;
    See(row, id);
    if (std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end()) {
      c.finish_reason = "stop";
      return true;
    }
    if (tokenizer_ != nullptr && TakeText(row, id)) {
      c.finish_reason = "stop";
      return true;
    }
    if (static_cast<int64_t>(c.ids.size()) < sampling_.max_new_tokens) return false;
    c.finish_reason = "length";
    return true;
  }

  // Appends the token's text and hands on what is safe; true if a stop string is complete (the text is cut then).
  bool TakeText(Row* row, int64_t id) {
    if (tokenizer_->IsSpecial(id)) return false;
    const size_t before = row->text.size();
    if (before == 0) {
      row->text =
          tokenizer_->Decode({id});  // without a leading space that the tokenizer's family adds
    } else {
      row->text += tokenizer_->TokenBytes(id);
    }
    size_t first = std::string::npos;
    for (const std::string& stop : sampling_.stop) {
      const size_t from = before + 1 > stop.size() ? before + 1 - stop.size() : 0;
      first = std::min(first, row->text.find(stop, from));
    }
    if (first != std::string::npos) {
      row->text.resize(first);
      return true;
    }
    if (options_.on_text) Send(row, row->text.size() - PartialStop(row->text, sampling_.stop));
    return false;
  }

  void Send(Row* row, size_t until) const {
    if (until <= row->sent) return;
    const std::string whole = TakeWholeUtf8(
        &row->pending, std::string_view(row->text).substr(row->sent, until - row->sent));
    row->sent = until;
    if (!whole.empty()) options_.on_text(row->request, row->sample, whole);
  }

  void Finish(Row* row) {
    if (options_.on_text) {
      Send(row, row->text.size());
      if (!row->pending.empty()) options_.on_text(row->request, row->sample, row->pending);
    }
    row->completion.text = std::move(row->text);
    Completion& done = results_[row->request][row->sample];
    done = std::move(row->completion);
    if (options_.on_finish) options_.on_finish(row->request, row->sample, done);
  }

  const Model& model_;
  const Tokenizer* tokenizer_;
  const std::vector<GenerateRequest>& requests_;
  const GenerateOptions& options_;
  const SamplingParams& sampling_;
  DrawParams draw_params_;
  std::vector<int64_t> stop_ids_;
  std::deque<Waiting> waiting_;
  std::map<size_t, PrefilledPrompt> prompts_;
  std::vector<Row> rows_;  // row i is row i of the decoder's cache
  std::vector<std::vector<Completion>> results_;
  GenerateStats stats_;
  // On the device: rows of rows_ stand in slots of their own.
  std::vector<int64_t> free_slots_, free_places_;
  std::map<size_t, Placed> placed_;  // by request
};

Sample ToSample(Completion completion, const std::string& model_name) {
  Sample sample;
  sample.text = std::move(completion.text);
  sample.finish_reason = std::move(completion.finish_reason);
  sample.model = model_name;
  sample.seed = static_cast<int64_t>(completion.seed);
  sample.token_ids = std::move(completion.ids);
  sample.logprobs.assign(completion.logprobs.begin(), completion.logprobs.end());
  return sample;
}

}  // namespace

Result<std::vector<std::vector<Completion>>> Generate(const Model& model,
                                                      const Tokenizer* tokenizer,
                                                      const std::vector<GenerateRequest>& requests,
                                                      const GenerateOptions& options,
                                                      GenerateStats* stats) {
  if (options.max_rows < 0 || options.prefill_tokens < 1)
    return Usage("max_rows and prefill_tokens must be positive");
  if (Status s = CheckSampling(options.sampling, tokenizer); !s.ok()) return s.error();
  if (Status s = CheckRequests(model, requests, options.sampling); !s.ok()) return s.error();
  return CatchTorch("generating", [&]() -> Result<std::vector<std::vector<Completion>>> {
    at::NoGradGuard no_grad;
    return Generation(model, tokenizer, requests, options).Run(stats);
  });
}

std::vector<uint64_t> SampleSeeds(uint64_t run_seed, uint64_t index, int64_t count) {
  Rng rng(run_seed, "samples", index);
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < count; ++i)
    seeds.push_back(rng.Next() >> 1);  // fits a signed 64-bit field of a record
  return seeds;
}

Result<std::vector<int64_t>> PromptIds(const Tokenizer& tokenizer, const Problem& problem) {
  EncodeOptions options;
  std::string text = problem.prompt;
  if (!problem.messages.empty()) {
    Result<std::string> chat = tokenizer.chat().Render(PromptInput(problem));
    if (!chat.ok()) return chat.error();
    text = std::move(chat).value();
  } else {
    const std::string_view bos = tokenizer.TokenBytes(tokenizer.bos_id());
    options.add_bos = tokenizer.adds_bos() && (bos.empty() || !StartsWith(text, bos));
  }
  std::vector<int64_t> ids = tokenizer.Encode(text, options);
  if (ids.empty())
    return Error{ErrorCode::kInput, "the prompt is empty", "give the row a 'prompt'"};
  return ids;
}

Result<std::vector<Group>> GenerateGroups(const Model& model, const Tokenizer& tokenizer,
                                          const std::string& model_name,
                                          const std::vector<Problem>& problems, int64_t samples,
                                          uint64_t seed, const GenerateOptions& options,
                                          GenerateStats* stats) {
  std::vector<GenerateRequest> requests;
  for (size_t i = 0; i < problems.size(); ++i) {
    Result<std::vector<int64_t>> ids = PromptIds(tokenizer, problems[i]);
    if (!ids.ok())
      return Error{ids.error().code,
                   StrCat("problem '", problems[i].id, "': ", ids.error().message),
                   ids.error().hint};
    requests.push_back({std::move(ids).value(), SampleSeeds(seed, i, samples)});
  }
  Result<std::vector<std::vector<Completion>>> made =
      Generate(model, &tokenizer, requests, options, stats);
  if (!made.ok()) return made.error();
  std::vector<Group> groups;
  for (size_t i = 0; i < problems.size(); ++i) {
    Group group;
    group.problem = problems[i];
    for (Completion& completion : (*made)[i])
      group.samples.push_back(ToSample(std::move(completion), model_name));
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace assay
