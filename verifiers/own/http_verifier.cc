// `http`: a judge at an endpoint. Requests of all groups at hand go out side by side, equal ones once; what was answered is kept.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "core/http_post.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/content_cache.h"
#include "verifiers/own/host_judge.h"
#include "verifiers/own/judge_api.h"
#include "verifiers/own/own_verifiers.h"

namespace assay {
namespace {

using own::Judgement;
using own::SampleRef;

constexpr size_t kReplyBytesMax = 256 << 10;
constexpr int64_t kAnswerBytesMax = 8 << 20;
// So many requests in a row without an answer, and further ones are tried once each instead of waiting for their turns.
constexpr int kDownInARow = 8;

struct Settings {
  own::JudgeSettings judge;
  std::string template_file;
  std::string key_env;
  int64_t batch = 16;
  int64_t concurrency = 16;
  double timeout_s = 120;
  int64_t retries = 4;
  double back_off_s = 0.5;
  double pass_at = 0.5;
  bool cache = true;
};

void AddJudgeOptions(own::JudgeSettings* s, Options* table) {
  using own::JudgeKind;
  table->Add("url", &s->url, "the endpoint; for an OpenAI-style server its address up to /v1");
  table->Add(
      "api", &s->api,
      ChoiceNames<JudgeKind>{
          {"chat", JudgeKind::kChat}, {"pooling", JudgeKind::kPooling}, {"json", JudgeKind::kJson}},
      "a chat model that is asked for a score; a reward model (vLLM's /pooling); plain JSON");
  table->Add("model", &s->model, "the model's name at the endpoint");
  table->Add("system", &s->system, "chat: a system message");
  table->Add("template", &s->judge_template,
             "chat: what is asked, with {prompt}, {completion}, {answer} and columns of the row in "
             "braces; none: a general one");
  table->Add("score_pattern", &s->score_pattern,
             "chat: a regular expression (RE2) whose first group is the score; the last match "
             "counts; none: a line Score: NUMBER");
  table->Add("score_min", &s->score_min, "the judge's lowest score, which is worth 0").Finite();
  table->Add("score_max", &s->score_max, "the judge's highest score, which is worth 1").Finite();
  table->Add("answer_only", &s->answer_only, "what stands before </think> is not shown");
  table->Add("request", &s->request, "further keys of every request (max_tokens, seed, ..)");
}

Options Table(Settings* s) {
  Options table = VerifierOptions("http");
  AddJudgeOptions(&s->judge, &table);
  table.Add("template_file", &s->template_file,
            "a file that holds the template, from the rubric's folder on");
  table.Add("key_env", &s->key_env,
            "the environment variable that holds the key; none: no key is sent");
  table.Add("batch", &s->batch, "plain JSON: samples a request").Range(1, 4096);
  table.Add("concurrency", &s->concurrency, "requests at once").Range(1, 1024);
  table.Add("timeout_s", &s->timeout_s, "the most that one attempt may take, seconds")
      .Range(0.05, 86400);
  table
      .Add("retries", &s->retries,
           "attempts after the first, where nobody answers, or with 429 or 5xx")
      .Range(0, 100);
  table.Add("back_off_s", &s->back_off_s, "seconds before the first of them; doubles up to 30")
      .Range(0, 30);
  table.Add("pass_at", &s->pass_at, "a score from here on passes").Range(0, 1);
  table.Add("cache", &s->cache, "the same question is asked once");
  return table;
}

// Bounds how many requests are under way, over all threads.
class Gate {
 public:
  explicit Gate(int64_t places) : places_(places) {}
  void Enter() {
    std::unique_lock<std::mutex> lock(mutex_);
    freed_.wait(lock, [this] { return places_ > 0; });
    --places_;
  }
  void Leave() {
    std::lock_guard<std::mutex> lock(mutex_);
    ++places_;
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  int64_t places_;
};

// One request and the samples that it judges.
struct Question {
  std::vector<SampleRef> samples;
  std::vector<std::vector<Verdict*>> into;  // of each sample: itself and its equals
};

class HttpVerifier : public Verifier {
 public:
  HttpVerifier(Settings settings, HttpPostOptions http,
               std::unique_ptr<sandbox::ContentCache> cache)
      : s_(std::move(settings)),
        url_(own::JudgeUrl(s_.judge)),
        http_(std::move(http)),
        cache_(std::move(cache)),
        gate_(s_.concurrency) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    return std::move(VerifyGroups({{&group, row_options}})[0]);
  }

  std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const override {
    std::vector<std::vector<Verdict>> out;
    out.reserve(requests.size());
    std::vector<Question> questions;
    std::map<std::string, std::vector<Verdict*>*> asked;
    for (const VerifyRequest& request : requests) {
      const size_t count = request.group->samples.size();
      out.emplace_back(count);
      if (request.row_options != nullptr) {
        out.back() = own::NoRowOptions("http", count);
        continue;
      }
      for (size_t i = 0; i < count; ++i)
        AddSample({request.group, i}, &out.back()[i], &questions, &asked);
    }
    AskAll(&questions);
    return out;
  }

  int64_t BatchSamples() const override {
    const int64_t each = s_.judge.api == own::JudgeKind::kJson ? s_.batch : 1;
    return std::max<int64_t>(2, 2 * s_.concurrency * each);
  }
  std::vector<std::string> Notes() const override { return complaints_.Sentences(url_); }

 private:
  void AddSample(const SampleRef& ref, Verdict* into, std::vector<Question>* questions,
                 std::map<std::string, std::vector<Verdict*>*>* asked) const {
    if (ref.group->samples[ref.sample].text.size() > kReplyBytesMax) {
      *into = Verdict::Fail("judge_too_long",
                            StrCat("the reply is longer than ", kReplyBytesMax, " bytes"));
      return;
    }
    const size_t most = s_.judge.api == own::JudgeKind::kJson ? static_cast<size_t>(s_.batch) : 1;
    // Pointers into a question's list stay good: it is reserved once.
    std::string alone = own::JudgeRequest(s_.judge, {ref});
    const auto [place, first] = asked->try_emplace(std::move(alone), nullptr);
    if (!first) {
      place->second->push_back(into);
      return;
    }
    if (questions->empty() || questions->back().samples.size() >= most) {
      questions->emplace_back();
      questions->back().into.reserve(most);
    }
    questions->back().samples.push_back(ref);
    place->second = &questions->back().into.emplace_back(1, into);
  }

  void AskAll(std::vector<Question>* questions) const {
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t at = next++; at < questions->size(); at = next++) Ask((*questions)[at]);
    };
    std::vector<std::thread> helpers;
    const size_t wanted = std::min(questions->size(), static_cast<size_t>(s_.concurrency));
    try {
      while (helpers.size() + 1 < wanted) helpers.emplace_back(work);
    } catch (const std::system_error&) {
      // Fewer threads are slower, that is all.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
  }

  void Ask(const Question& question) const {
    const auto start = std::chrono::steady_clock::now();
    const size_t count = question.samples.size();
    const std::string body = own::JudgeRequest(s_.judge, question.samples);
    std::optional<std::vector<Judgement>> judgements;
    std::optional<Verdict> refusal;
    Result<HttpAnswer> answer = Answer(body);
    if (!answer.ok()) {
      refusal = Verdict::Fault("judge_down", answer.error().message);
    } else if (answer->status < 200 || answer->status >= 300) {
      refusal = Refusal(*answer, count);
    } else {
      judgements = own::ReadJudgements(s_.judge, answer->body, count);
    }
    // One sample may have spoilt the answer for the others.
    const bool apart = count > 1 && !judgements && (!refusal || refusal->outcome == Outcome::kFail);
    for (size_t i = 0; apart && i < count; ++i) Ask({{question.samples[i]}, {question.into[i]}});
    if (apart) return;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    for (size_t i = 0; i < count; ++i) {
      Verdict verdict = refusal ? *refusal : VerdictOf(judgements ? &(*judgements)[i] : nullptr);
      verdict.ms = took.count() / static_cast<double>(count);
      for (Verdict* into : question.into[i]) *into = verdict;
      if (verdict.outcome == Outcome::kFault) complaints_.Add(verdict.reason, verdict.detail);
    }
  }

  Verdict VerdictOf(const Judgement* judgement) const {
    if (judgement == nullptr) {
      const char* said = "the endpoint's answer is not of the agreed form";
      return JudgesHarmlessReply() ? Verdict::Fail("judge_nonsense", said)
                                   : Verdict::Fault("judge_refused", said);
    }
    if (judgement->kind == Judgement::Kind::kNone)
      return Verdict::Abstain("not_applicable", "the judge gave null");
    Verdict verdict;
    if (judgement->kind == Judgement::Kind::kNonsense) {
      verdict = Verdict::Fail("judge_nonsense", "the judge's answer holds no score of the range");
    } else if (judgement->score >= s_.pass_at) {
      verdict = Verdict::Pass("ok", judgement->score);
    } else {
      verdict = Verdict::Fail("low_score", "", judgement->score);
    }
    verdict.evidence = judgement->evidence;
    return verdict;
  }

  // From the cache, or asked for.
  Result<HttpAnswer> Answer(const std::string& body, bool anew = false) const {
    const std::string key = StrCat(url_, "\n", body);
    if (cache_ != nullptr && !anew) {
      if (std::optional<std::string> kept = cache_->Find(key))
        return HttpAnswer{200, std::move(*kept)};
    }
    HttpPostOptions http = http_;
    if (down_in_a_row_ >= kDownInARow) http.retries = 0;
    gate_.Enter();
    Result<HttpAnswer> answer = HttpPost(url_, body, http);
    gate_.Leave();
    if (answer.ok()) {
      down_in_a_row_ = 0;
      if (cache_ != nullptr && answer->status >= 200 && answer->status < 300)
        cache_->Keep(key, answer->body);
    } else {
      ++down_in_a_row_;
    }
    return answer;
  }

  // A reply that the endpoint will not read is the reply's doing, if it reads a harmless one.
  Verdict Refusal(const HttpAnswer& answer, size_t count) const {
    const std::string said =
        StrCat("status ", answer.status, ": ", SanitizeUtf8(answer.body.substr(0, 300)));
    const bool about_it = answer.status == 400 || answer.status == 413 || answer.status == 422;
    if (!about_it || (count == 1 && !JudgesHarmlessReply()))
      return Verdict::Fault("judge_refused", said);
    return Verdict::Fail("judge_rejects_reply", said);
  }

  bool JudgesHarmlessReply() const {
    Group group;
    group.problem.prompt = "What is 2 + 2?";
    group.problem.answers = {"4"};
    group.samples.emplace_back().text = "4";
    const Result<HttpAnswer> answer =
        Answer(own::JudgeRequest(s_.judge, {{&group, 0}}), /*anew=*/true);
    return answer.ok() && answer->status >= 200 && answer->status < 300 &&
           own::ReadJudgements(s_.judge, answer->body, 1).has_value();
  }

  const Settings s_;
  const std::string url_;
  const HttpPostOptions http_;
  const std::unique_ptr<sandbox::ContentCache> cache_;
  mutable Gate gate_;
  mutable std::atomic<int> down_in_a_row_{0};
  mutable own::Complaints complaints_;
};

Status ReadTemplate(const VerifierEnv& env, Settings* s) {
  if (s->template_file.empty()) return {};
  if (!s->judge.judge_template.empty()) {
    return Error{ErrorCode::kUsage,
                 "verifier 'http': 'template' and 'template_file' are both given",
                 "use one of them"};
  }
  Result<std::string> text = ReadFile(own::PathFrom(env.folder, s->template_file), 1 << 20);
  if (!text.ok()) return text.error();
  s->judge.judge_template = std::move(*text);
  return {};
}

Result<HttpPostOptions> PostOptions(const Settings& s, const VerifierEnv& env) {
  HttpPostOptions http;
  http.timeout_s = s.timeout_s;
  http.retries = s.retries;
  http.back_off_s = s.back_off_s;
  http.max_bytes = kAnswerBytesMax;
  http.cancelled = env.interrupted;
  if (s.key_env.empty()) return http;
  const char* key = std::getenv(s.key_env.c_str());
  if (key == nullptr || key[0] == '\0') {
    return Error{ErrorCode::kUsage,
                 StrCat("the environment variable '", s.key_env, "' that key_env names is not set"),
                 "export it, or leave key_env out"};
  }
  http.bearer = key;
  return http;
}

}  // namespace

std::vector<OptionInfo> HttpOptionInfos() {
  Settings settings;
  return Table(&settings).Infos();
}

Result<std::unique_ptr<Verifier>> MakeHttpVerifier(const Json& options, const VerifierEnv& env) {
  Settings s;
  if (Status status = Table(&s).Read(options); !status.ok()) return status.error();
  if (Status status = ReadTemplate(env, &s); !status.ok()) return status.error();
  if (Status status = own::CheckJudge(s.judge); !status.ok()) return status.error();
  Result<HttpPostOptions> http = PostOptions(s, env);
  if (!http.ok()) return http.error();
  std::unique_ptr<sandbox::ContentCache> cache;
  if (s.cache && env.cache_verdicts) {
    sandbox::ContentCacheOptions kept;
    if (!env.cache_folder.empty()) kept.folder = env.cache_folder + "/judged";
    Result<std::unique_ptr<sandbox::ContentCache>> opened = sandbox::ContentCache::Open(kept);
    if (!opened.ok()) return opened.error();
    cache = std::move(*opened);
  }
  return std::unique_ptr<Verifier>(
      std::make_unique<HttpVerifier>(std::move(s), std::move(*http), std::move(cache)));
}

}  // namespace assay
