// Generation into a store: from a server that speaks OpenAI's form (Python's http.server in a process of its own), and from a command.
#include "datagen/generate/generate_run.h"

#include <fstream>
#include <thread>

#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

// Answers with "reply SEED to PROMPT"; every third request fails with 429 first; asks for no more than two choices are honoured.
constexpr const char* kServer = R"py(
import http.server, json, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    count = 0
    seen = {}
    lock = threading.Lock()
    def log_message(self, *a): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        prompt = body['messages'][-1]['content']
        with Handler.lock:
            Handler.count += 1
            tries = Handler.seen[prompt] = Handler.seen.get(prompt, 0) + 1
        if self.headers.get('Authorization') != 'Bearer secret' or 'refuse' in prompt:
            self.send_response(400); self.end_headers(); self.wfile.write(b'{"error":{"message":"no"}}'); return
        broken = {'half': b'{"choices": [{"mess', 'error': b'{"error": {"message": "overloaded"}}', 'none': b'{"choices": []}'}
        for word, answer in broken.items():
            if word in prompt and (tries == 1 or 'always' in prompt):
                self.send_response(200); self.send_header('Content-Length', str(len(answer))); self.end_headers(); self.wfile.write(answer); return
        if 'one only' in prompt and body['n'] > 1:
            self.send_response(400); self.send_header('Content-Length', '0'); self.end_headers(); return
        if 'nobody' in prompt:
            self.send_response(401); self.send_header('Content-Length', '0'); self.end_headers(); return
        if tries == 1 and len(prompt) % 3 == 0:
            self.send_response(429); self.send_header('Retry-After', '0'); self.end_headers(); return
        choices = [{'index': i, 'message': {'role': 'assistant', 'content': f"reply {i} to {prompt}"}, 'finish_reason': 'stop'}
                   for i in range(min(2, body['n']))]
        answer = {'model': 'served', 'choices': choices, 'usage': {'prompt_tokens': 7, 'completion_tokens': 11 * len(choices)}}
        if 'uncounted' in prompt: answer['usage'] = None
        answer = json.dumps(answer).encode()
        self.send_response(200); self.send_header('Content-Length', str(len(answer))); self.end_headers(); self.wfile.write(answer)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
open(sys.argv[1] + '.part', 'w').write(str(server.server_port))
import os; os.rename(sys.argv[1] + '.part', sys.argv[1])
threading.Timer(60, lambda: os._exit(0)).start()
server.serve_forever()
)py";

class GenerateRunTest : public StoreFixture {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }
  // The server's base; it ends with the test or after a minute.
  std::string StartServer() {
    const std::string script = File("server.py", kServer), port = folder_ + "/port";
    std::system(
        StrCat("/usr/bin/python3 ", script, " ", port, " & echo $! > ", folder_, "/pid").c_str());
    for (int i = 0; i < 300 && !std::filesystem::exists(port); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return StrCat("http://127.0.0.1:", *ReadFile(port), "/v1/");
  }
  ~GenerateRunTest() override {
    if (std::filesystem::exists(folder_ + "/pid"))
      std::system(StrCat("kill $(cat ", folder_, "/pid)").c_str());
  }
  GenerateRunOptions Options(const std::string& problems) {
    GenerateRunOptions options;
    options.files = {problems};
    options.generator.model = "m";
    options.generator.samples = 3;
    options.generator.key = "secret";
    options.workers = 4;
    options.tool_version = "0.1.0";
    return options;
  }
  std::vector<StoredGroup> Groups(Store* store) {
    std::vector<StoredGroup> groups;
    EXPECT_TRUE(store
                    ->ForEachGroup(1, true,
                                   [&](const StoredGroup& group) -> Status {
                                     groups.push_back(group);
                                     return {};
                                   })
                    .ok());
    return groups;
  }
};

TEST_F(GenerateRunTest, AnEndpointFillsTheStoreAndIsAskedOnce) {
  std::string rows;
  for (int i = 0; i < 20; ++i)
    StrAppend(&rows,
              Json()
                  .Set("id", i)
                  .Set("question", StrCat("q", std::string(static_cast<size_t>(i), 'x')))
                  .Set("answer", "4")
                  .Dump(),
              "\n");
  GenerateRunOptions options = Options(File("p.jsonl", rows));
  options.generator.endpoint = StartServer();
  auto store = OpenStore();
  Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(summary->samples, 60);
  EXPECT_EQ(summary->failed, 0) << summary->first_failure;
  EXPECT_EQ(summary->completion_tokens, 20 * 33);
  const std::vector<StoredGroup> groups = Groups(store.get());
  ASSERT_EQ(groups.size(), 20u);
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(groups[i].problem.id, StrCat(i));
    ASSERT_EQ(groups[i].samples.size(), 3u);
    EXPECT_EQ(groups[i].samples[1].sample.text, StrCat("reply 1 to q", std::string(i, 'x')));
    EXPECT_EQ(groups[i].samples[0].sample.model, "served");
    EXPECT_NE(groups[i].samples[0].sample.seed, groups[i].samples[2].sample.seed);
  }
  EXPECT_TRUE(store->FindRun("default")->finished);
  summary = GenerateIntoStore(store.get(), options);
  EXPECT_EQ(summary->skipped, 20);
  EXPECT_EQ(summary->samples, 0);
  options.generator.temperature = 0;
  EXPECT_EQ(GenerateIntoStore(store.get(), options).error().code, ErrorCode::kUsage);
}

TEST_F(GenerateRunTest, RefusedRequestsAreCountedAndAskedAgain) {
  GenerateRunOptions options = Options(
      File("p.jsonl", "{\"question\":\"refuse this\"}\n{\"question\":\"good\"}\n{\"x\":1}\n"));
  options.generator.endpoint = StartServer();
  options.generator.retries = 1;
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->problems, 1);
  EXPECT_EQ(summary->failed, 1);
  EXPECT_EQ(summary->bad_rows, 1);
  EXPECT_EQ(summary->first_failure.find("secret"), std::string::npos);
  EXPECT_FALSE(store->FindRun("default")->finished);
}

TEST_F(GenerateRunTest, BrokenAnswersAreAskedForAgain) {
  GenerateRunOptions options = Options(
      File("p.jsonl",
           "{\"question\":\"a half\"}\n{\"question\":\"an error\"}\n{\"question\":\"has none\"}\n"
           "{\"question\":\"uncounted\"}\n{\"question\":\"one only\"}\n"
           "{\"question\":\"always half\"}\n"));
  options.generator.endpoint = StartServer();
  options.generator.retries = 1;
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->samples, 15) << summary->first_failure;
  EXPECT_EQ(summary->failed, 1);
  EXPECT_NE(summary->first_failure.find("has no choices"), std::string::npos);
  EXPECT_EQ(summary->uncounted, 2);  // of three samples, two at a time
  EXPECT_NE(summary->ToText().find("no tokens were counted for 2 answers"), std::string::npos);
}

TEST_F(GenerateRunTest, WhereNobodyAnswersTheRestIsNotAsked) {
  std::string rows = "{\"question\":\"good\"}\n";
  for (int i = 0; i < 200; ++i) StrAppend(&rows, "{\"question\":\"nobody ", i, "\"}\n");
  GenerateRunOptions options = Options(File("p.jsonl", rows));
  options.generator.endpoint = StartServer();
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary->gave_up);
  EXPECT_EQ(summary->problems, 1);
  EXPECT_EQ(summary->failed, 20);
  EXPECT_FALSE(store->FindRun("default")->finished);
}

constexpr const char* kCommand =
    "/usr/bin/python3 -uc 'import sys, json\n"
    "for line in sys.stdin:\n"
    "    r = json.loads(line)\n"
    "    print(json.dumps({\"completions\": [str(r[\"prompt\"]) + str(i) for i in "
    "range(r[\"n\"])]}))'";

TEST_F(GenerateRunTest, ACommandAnswersLines) {
  GenerateRunOptions options = Options(
      File("p.jsonl", "{\"id\":\"a\",\"prompt\":\"x\"}\n{\"id\":\"b\",\"prompt\":\"y\"}\n"));
  options.generator.command = kCommand;
  options.workers = 2;
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  const std::vector<StoredGroup> groups = Groups(store.get());
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].samples[2].sample.text, "y2");
}

TEST_F(GenerateRunTest, ACommandThatFailsIsNoCrash) {
  for (const char* command : {"exit 3", "echo no json", "sleep 100", "cat > /dev/null"}) {
    GenerateRunOptions options =
        Options(File("p.jsonl", "{\"prompt\":\"x\"}\n{\"prompt\":\"y\"}\n"));
    options.generator.command = command;
    options.generator.timeout_s = 0.3;
    options.workers = 1;
    std::filesystem::remove(path_);
    auto store = OpenStore();
    const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
    ASSERT_TRUE(summary.ok()) << command;
    EXPECT_EQ(summary->failed, 2) << command;
  }
}

// A command that ends after each answer, and once before it.
TEST_F(GenerateRunTest, ACommandThatEndsIsStartedAgain) {
  GenerateRunOptions options =
      Options(File("p.jsonl", "{\"prompt\":\"x\"}\n{\"prompt\":\"y\"}\n{\"prompt\":\"z\"}\n"));
  const std::string mark = folder_ + "/mark";
  options.generator.command = StrCat("read line; [ -e ", mark, " ] || { touch ", mark,
                                     "; exit 1; }; echo '{\"completions\": [\"one\"]}'");
  options.workers = 1;
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(summary->problems, 3) << summary->first_failure;
  EXPECT_EQ(summary->failed, 0);
}

// An answer that comes too late is not taken for the next problem's.
TEST_F(GenerateRunTest, ALateAnswerIsNobodys) {
  GenerateRunOptions options =
      Options(File("p.jsonl", "{\"prompt\":\"slow\"}\n{\"prompt\":\"fast\"}\n"));
  options.generator.command =
      "while read line; do case \"$line\" in *slow*) sleep 3; echo '{\"completions\": "
      "[\"slow\"]}';; *) echo '{\"completions\": [\"fast\"]}';; esac; done";
  options.generator.timeout_s = 2;
  options.workers = 1;
  auto store = OpenStore();
  const Result<GenerateSummary> summary = GenerateIntoStore(store.get(), options);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->failed, 1);
  const std::vector<StoredGroup> groups = Groups(store.get());
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].samples[0].sample.text, "fast");
}

TEST_F(GenerateRunTest, FewShotsStandBeforeTheProblem) {
  const Result<std::vector<Message>> examples =
      ReadExamples(File("shots.jsonl",
                        "{\"prompt\": \"1+1?\", \"completion\": \"2\"}\n{\"messages\": [{\"role\": "
                        "\"user\", \"content\": \"2+2?\"}, {\"role\": \"assistant\", \"content\": "
                        "\"4\"}]}\n"));
  ASSERT_TRUE(examples.ok()) << examples.error().message;
  ASSERT_EQ(examples->size(), 4u);
  EXPECT_EQ((*examples)[2].content, "2+2?");
  EXPECT_EQ((*examples)[3].role, "assistant");
  EXPECT_EQ(ReadExamples(File("bad.jsonl", "{\"prompt\": \"x\"}\n")).error().code,
            ErrorCode::kInput);
}

TEST_F(GenerateRunTest, RequestsAreSpaced) {
  GenerateRunOptions options =
      Options(File("p.jsonl", "{\"prompt\":\"x\"}\n{\"prompt\":\"y\"}\n{\"prompt\":\"z\"}\n"));
  options.generator.command = kCommand;
  options.generator.requests_per_minute = 120;
  auto store = OpenStore();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(GenerateIntoStore(store.get(), options).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1000));
}

}  // namespace
}  // namespace assay
