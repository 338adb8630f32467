// model_parity [--save FOLDER] GGUF|FOLDER FILE..: compares this model and tokenizer with recorded values of a reference
// implementation, and saves the model again if asked (for the way back). FILE is JSON with any of: tokenizer_cases, prompts
// (texts, ids, logits, log-probs, greedy continuations, gradients), weights, hidden_states_plain_en. Prints one JSON line a section
// (section, cases, max_error, failed) and exits 1 if a section is out of tolerance, 2 if nothing could be compared. Calls what
// the trainer calls: LoadModel, Forward, ComputeTokenLogprobs, Generate.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/model/model.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"

namespace assay {
namespace {

constexpr double kLogitTolerance = 2e-3;
constexpr double kRelativeTolerance = 1e-4;  // norms, sums, hidden states

// One section's tally; the first failures are named on stderr.
class Section {
 public:
  explicit Section(std::string name) : name_(std::move(name)) {}

  // |got - want| <= tolerance * max(1, scale).
  void Near(const std::string& what, double got, double want, double tolerance,
            double scale = 1.0) {
    const double error = std::abs(got - want) / std::max(1.0, std::abs(scale));
    if (!(error <= max_error_)) max_error_ = error;
    if (!(error <= tolerance)) Fail(StrCat(what, ": got ", got, ", want ", want));
  }
  void Equal(const std::string& what, const std::vector<int64_t>& got,
             const std::vector<int64_t>& want) {
    if (got == want) return;
    size_t at = 0;
    while (at < got.size() && at < want.size() && got[at] == want[at]) ++at;
    Fail(StrCat(what, ": ids differ from place ", at, " on (", got.size(), " and ", want.size(),
                " of them)"));
  }
  void Text(const std::string& what, std::string_view got, std::string_view want) {
    if (got != want)
      Fail(StrCat(what, ": got '", Shorten(got, 60), "', want '", Shorten(want, 60), "'"));
  }
  void Fail(const std::string& message) {
    case_failed_ = true;
    if (++messages_ <= 5) std::fprintf(stderr, "%s: %s\n", name_.c_str(), message.c_str());
  }
  void EndCase() {
    ++cases_;
    failed_ += case_failed_ ? 1 : 0;
    case_failed_ = false;
  }
  // Prints the line; true if all was well. Sections without cases print nothing.
  bool Finish(int64_t* sections) const {
    if (cases_ == 0) return true;
    ++*sections;
    Json line = Json::MakeObject();
    line.Set("section", name_)
        .Set("cases", cases_)
        .Set("max_error", max_error_)
        .Set("failed", failed_);
    std::printf("%s\n", line.Dump().c_str());
    return failed_ == 0;
  }

 private:
  std::string name_;
  int64_t cases_ = 0;
  int64_t failed_ = 0;
  int64_t messages_ = 0;
  double max_error_ = 0;
  bool case_failed_ = false;
};

std::vector<int64_t> Ids(const Json* json) {
  std::vector<int64_t> ids;
  if (json == nullptr || !json->IsArray()) return ids;
  for (const Json& item : *json->AsArray()) ids.push_back(item.IsInt() ? *item.AsInt() : -1);
  return ids;
}

std::vector<double> Numbers(const Json* json) {
  std::vector<double> numbers;
  if (json == nullptr || !json->IsArray()) return numbers;
  for (const Json& item : *json->AsArray()) numbers.push_back(item.NumberOr(NAN));
  return numbers;
}

const Json::Array& Items(const Json& file, const char* key) {
  static const Json::Array* const empty = new Json::Array();
  const Json* found = file.Find(key);
  return found != nullptr && found->IsArray() ? *found->AsArray() : *empty;
}

std::vector<double> Doubles(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kDouble).to(at::kCPU).contiguous().flatten();
  return std::vector<double>(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
}

void NearAll(Section* section, const std::string& what, const std::vector<double>& got,
             const std::vector<double>& want, double tolerance) {
  if (got.size() < want.size())
    return section->Fail(StrCat(what, ": ", got.size(), " values, want ", want.size()));
  for (size_t i = 0; i < want.size(); ++i)
    section->Near(StrCat(what, "[", i, "]"), got[i], want[i], tolerance);
}

bool CheckTokenizer(const LoadedModel& loaded, const Json& file, int64_t* sections) {
  Section section("tokenizer");
  auto one = [&](const Json& item) {
    const std::string text(item.StringOr("text", ""));
    const std::vector<int64_t> ids = Ids(item.Find("ids"));
    if (loaded.tokenizer == nullptr)
      return section.Fail("the model has no tokenizer"), section.EndCase();
    section.Equal(StrCat("'", Shorten(text, 40), "'"), loaded.tokenizer->Encode(text), ids);
    const std::string decoded = loaded.tokenizer->Decode(ids);
    section.Text("decoded", decoded, item.StringOr("decoded", text));
    section.EndCase();
  };
  for (const char* key : {"tokenizer_cases", "prompts"}) {
    for (const Json& item : Items(file, key)) {
      if (item.Find("text") != nullptr) one(item);
    }
  }
  return section.Finish(sections);
}

bool CheckWeights(const Model& model, const Json& file, int64_t* sections) {
  Section section("weights");
  const std::vector<NamedTensor> weights = NamedWeights(model);
  const Json* wanted = file.Find("weights");
  if (wanted == nullptr || !wanted->IsObject()) return true;
  for (const Json::Member& member : *wanted->AsObject()) {
    const auto found = std::find_if(weights.begin(), weights.end(),
                                    [&](const NamedTensor& w) { return w.name == member.key; });
    if (found == weights.end()) {
      section.Fail(StrCat(member.key, " is missing"));
    } else {
      const Json& want = member.value;
      section.Equal(member.key, found->tensor.sizes().vec(), Ids(want.Find("shape")));
      const at::Tensor exact = found->tensor.to(at::kDouble);
      const double norm = want.DoubleOr("l2", NAN);
      section.Near(member.key + " sum", exact.sum().item<double>(), want.DoubleOr("sum", NAN), 1e-6,
                   norm);
      section.Near(member.key + " l2", exact.norm().item<double>(), norm, 1e-6, norm);
      NearAll(&section, member.key,
              Doubles(exact.flatten().narrow(0, 0, std::min<int64_t>(8, exact.numel()))),
              Numbers(want.Find("first8")), 1e-7);
    }
    section.EndCase();
  }
  return section.Finish(sections);
}

bool CheckHiddenStates(const Model& model, const Json& file, int64_t* sections) {
  Section section("hidden_states");
  const Json::Array& layers = Items(file, "hidden_states_plain_en");
  const Json* prompt = nullptr;
  for (const Json& item : Items(file, "prompts")) {
    if (item.StringOr("name", "") == "plain_en") prompt = &item;
  }
  if (layers.empty() || prompt == nullptr) return true;
  std::vector<at::Tensor> states;
  ForwardOptions options;
  options.hidden_states = &states;
  Forward(model, PackRows({Ids(prompt->Find("ids"))}, model.device()), options);
  for (const Json& item : layers) {
    const int64_t layer = item.IntOr("layer", -1);
    if (layer < 0 || layer >= static_cast<int64_t>(states.size())) {
      section.Fail(StrCat("no layer ", layer));
    } else {
      const std::vector<double> last = Doubles(states[static_cast<size_t>(layer)][-1]);
      double squares = 0;
      for (double value : last) squares += value * value;
      const double norm = item.DoubleOr("l2_last", NAN);
      section.Near(StrCat("layer ", layer, " l2"), std::sqrt(squares), norm, kRelativeTolerance,
                   norm);
      const std::vector<double> want = Numbers(item.Find("first8_last"));
      for (size_t i = 0; i < want.size() && i < last.size(); ++i) {
        section.Near(StrCat("layer ", layer, "[", i, "]"), last[i], want[i], kRelativeTolerance,
                     norm);
      }
    }
    section.EndCase();
  }
  return section.Finish(sections);
}

void CheckLastLogits(Section* section, const std::string& name, const at::Tensor& logits,
                     const Json& item) {
  const auto top = logits.topk(10);
  std::vector<int64_t> want_ids;
  std::vector<double> want_values;
  for (const Json& pair : Items(item, "last_top10")) {
    if (!pair.IsArray() || pair.AsArray()->size() != 2) continue;
    want_ids.push_back((*pair.AsArray())[0].IsInt() ? *(*pair.AsArray())[0].AsInt() : -1);
    want_values.push_back((*pair.AsArray())[1].NumberOr(NAN));
  }
  const at::Tensor ids = std::get<1>(top).contiguous();
  std::vector<int64_t> got_ids(ids.data_ptr<int64_t>(), ids.data_ptr<int64_t>() + ids.numel());
  if (!want_ids.empty()) section->Equal(name + " top-10", got_ids, want_ids);
  NearAll(section, name + " top-10 logits", Doubles(std::get<0>(top)), want_values,
          kLogitTolerance);
  NearAll(section, name + " first logits", Doubles(logits.narrow(0, 0, 8)),
          Numbers(item.Find("logits_first8_last_pos")), kLogitTolerance);
  const at::Tensor z = logits.to(at::kDouble);
  const at::Tensor logp = at::log_softmax(z, 0);
  auto near = [&](const char* key, double got, double tolerance, double scale) {
    const Json* want = item.Find(key);
    if (want != nullptr)
      section->Near(StrCat(name, " ", key), got, want->NumberOr(NAN), tolerance, scale);
  };
  near("last_logsumexp", z.logsumexp(0).item<double>(), kLogitTolerance, 1);
  near("last_mean", z.mean().item<double>(), kLogitTolerance, 1);
  near("last_entropy", -(logp.exp() * logp).sum().item<double>(), kLogitTolerance, 1);
  near("last_l2", z.norm().item<double>(), kRelativeTolerance, z.norm().item<double>());
}

// Log-probs of `next` after `before`, by the path that training uses.
std::vector<double> LogprobsOf(const Model& model, const std::vector<int64_t>& before,
                               const std::vector<int64_t>& next) {
  const ScoredBatch batch = PackGroups({{before, {next}}}, model.device());
  return Doubles(ScoreTokens(model, batch, {}, {}).logp_M);
}

bool CheckPrompts(const Model& model, const Json& file, int64_t* sections) {
  Section logits("last_logits");
  Section all_logits("all_logits");
  Section prompt_logps("prompt_logprobs");
  Section completion_logps("completion_logprobs");
  for (const Json& item : Items(file, "prompts")) {
    const std::string name(item.StringOr("name", "?"));
    const std::vector<int64_t> ids = Ids(item.Find("ids"));
    if (ids.empty()) continue;
    const at::Tensor hidden = Forward(model, PackRows({ids}, model.device()));
    CheckLastLogits(&logits, name, Logits(model, hidden[-1]).to(at::kCPU), item);
    logits.EndCase();
    const Json::Array& rows = Items(item, "logits");
    for (size_t t = 0; t < rows.size() && t < ids.size(); ++t) {
      const at::Tensor row = Logits(model, hidden[static_cast<int64_t>(t)]);
      NearAll(&all_logits, StrCat(name, " ", t), Doubles(row), Numbers(&rows[t]), kLogitTolerance);
      all_logits.EndCase();
    }
    const std::vector<double> want = Numbers(item.Find("prompt_token_logps"));
    if (!want.empty() && ids.size() > 1) {
      NearAll(&prompt_logps, name, LogprobsOf(model, {ids[0]}, {ids.begin() + 1, ids.end()}), want,
              kLogitTolerance);
      prompt_logps.EndCase();
    }
    const std::vector<int64_t> completion = Ids(item.Find("completion_ids"));
    if (!completion.empty()) {
      NearAll(&completion_logps, name, LogprobsOf(model, ids, completion),
              Numbers(item.Find("completion_token_logps")), kLogitTolerance);
      completion_logps.EndCase();
    }
  }
  const bool a = logits.Finish(sections);
  const bool b = all_logits.Finish(sections) & prompt_logps.Finish(sections);
  return completion_logps.Finish(sections) && a && b;
}

// Gradients of the sum of a prompt's log-probs, with and without checkpoints.
bool CheckGradients(const Model& source, const Json& file, int64_t* sections) {
  Section section("gradients");
  at::AutoGradMode enable(true);
  for (const Json& item : Items(file, "prompts")) {
    const Json* wanted = item.Find("gradients");
    const std::vector<int64_t> ids = Ids(item.Find("ids"));
    if (wanted == nullptr || !wanted->IsObject() || ids.size() < 2) continue;
    for (const bool checkpoint : {false, true}) {
      Model model = CloneModel(source);
      TieHead(&model);
      SetTrainable(&model, true);
      ForwardOptions forward;
      forward.checkpoint = checkpoint;
      const ScoredBatch batch =
          PackGroups({{{ids[0]}, {{ids.begin() + 1, ids.end()}}}}, model.device());
      ScoreTokens(model, batch, forward, {}).logp_M.sum().backward();
      const std::vector<NamedTensor> weights = NamedWeights(model);
      for (const NamedTensor& weight : weights) {
        const Json* want = wanted->Find(weight.name);
        if (want == nullptr) {
          section.Fail(weight.name + " has no gradient in the reference");
        } else {
          const at::Tensor got = weight.tensor.grad().defined()
                                     ? weight.tensor.grad().to(at::kDouble).flatten()
                                     : at::zeros({weight.tensor.numel()}, at::kDouble);
          const double norm = want->DoubleOr("l2", NAN);
          section.Near(weight.name + " sum", got.sum().item<double>(), want->DoubleOr("sum", NAN),
                       kRelativeTolerance, norm);
          section.Near(weight.name + " l2", got.norm().item<double>(), norm, kRelativeTolerance,
                       norm);
          const std::vector<double> first = Numbers(want->Find("first8"));
          const std::vector<double> ours = Doubles(got);
          for (size_t i = 0; i < first.size() && i < ours.size(); ++i)
            section.Near(StrCat(weight.name, "[", i, "]"), ours[i], first[i], kRelativeTolerance,
                         norm);
        }
        section.EndCase();
      }
      if (wanted->AsObject()->size() != weights.size())
        section.Fail(StrCat(weights.size(), " weights, the reference has ",
                            wanted->AsObject()->size(), " gradients"));
    }
  }
  return section.Finish(sections);
}

// All prompts in one call, so that rows of unequal length share the batch.
Result<bool> CheckGreedy(const LoadedModel& loaded, const Json& file, int64_t* sections) {
  Section section("greedy");
  std::vector<GenerateRequest> requests;
  std::vector<const Json*> items;
  for (const Json& item : Items(file, "prompts")) {
    if (item.Find("greedy32_ids") == nullptr) continue;
    requests.push_back({Ids(item.Find("ids")), {0}});
    items.push_back(&item);
  }
  if (items.empty()) return true;
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.sampling.max_new_tokens = 32;
  options.max_rows = 3;  // fewer than prompts: rows must leave and enter
  Result<std::vector<std::vector<Completion>>> made =
      Generate(loaded.model, loaded.tokenizer.get(), requests, options);
  if (!made.ok()) return made.error();
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string name(items[i]->StringOr("name", "?"));
    section.Equal(name, (*made)[i][0].ids, Ids(items[i]->Find("greedy32_ids")));
    section.EndCase();
  }
  return section.Finish(sections);
}

// 0, 1 or an error.
Result<int> Run(const std::string& model_path, const std::string& save_folder,
                const std::vector<std::string>& files) {
  Result<LoadedModel> loaded = LoadModel(model_path);
  if (!loaded.ok()) return loaded.error();
  if (!save_folder.empty()) {
    if (Status s = SaveModel(loaded->model, loaded->tokenizer.get(), save_folder); !s.ok())
      return s.error();
  }
  at::NoGradGuard no_grad;
  bool good = true;
  int64_t sections = 0;
  for (const std::string& path : files) {
    Result<std::string> text = ReadFile(path);
    if (!text.ok()) return text.error();
    Result<Json> file = ParseJson(*text);
    if (!file.ok()) return file.error();
    good &= CheckTokenizer(*loaded, *file, &sections);
    good &= CheckWeights(loaded->model, *file, &sections);
    good &= CheckHiddenStates(loaded->model, *file, &sections);
    good &= CheckPrompts(loaded->model, *file, &sections);
    good &= CheckGradients(loaded->model, *file, &sections);
    Result<bool> greedy = CheckGreedy(*loaded, *file, &sections);
    if (!greedy.ok()) return greedy.error();
    good &= *greedy;
  }
  if (sections == 0)
    return Error{ErrorCode::kInput, "no section to compare",
                 "give a file shaped like golden_smollm2.json"};
  return good ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string save_folder;
  if (arguments.size() > 2 && arguments[0] == "--save") {
    save_folder = arguments[1];
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: model_parity [--save FOLDER] MODEL.gguf|FOLDER FILE.json..\n");
    return 2;
  }
  const std::string model = arguments[0];
  arguments.erase(arguments.begin());
  const assay::Result<int> result = assay::CatchTorch("comparing", [&]() -> assay::Result<int> {
    return assay::Run(model, save_folder, arguments);
  });
  if (result.ok()) return *result;
  std::fprintf(stderr, "error: %s\n\nhint: %s\n", result.error().message.c_str(),
               result.error().hint.c_str());
  return 2;
}
