#include "grpo/tokenizer/chat_engine.h"

#include <utility>

#include "core/text.h"
#include "sandbox/sandbox.h"

namespace assay {
namespace {

constexpr char kNoJinja[] =
    "chat templates need Jinja2 for Python, which the sandbox does not find";

// Reads one request from stdin, writes one list of {"text"} or {"error"} to stdout. The environment is what transformers' chat template
// code sets up: sandboxed, blocks trimmed, loop controls, the `generation` tag, its tojson, raise_exception and strftime_now.
constexpr char kProgram[] = R"PY(
import datetime, json, sys
try:
    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print(json.dumps({"missing": True}))
    sys.exit(0)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return mark + caller() + mark


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(form):
    return datetime.datetime(2024, 7, 26).strftime(form)


def named(message):
    """Without keys whose value is null; reasoning under the two names that templates look for, whichever a row has it under."""
    message = {key: value for key, value in message.items() if value is not None}
    told = next((message[key] for key in ("reasoning_content", "thinking", "reasoning") if message.get(key) is not None), None)
    return message if told is None else {"thinking": told, **message, "reasoning_content": told}


def text_and_ranges(marked):
    """What stands between two marks, in bytes of the text without them."""
    text, ranges, place = "", [], 0
    for number, piece in enumerate(marked.split(mark) if mark else [marked]):
        end = place + len(piece.encode())
        if number % 2 == 1:
            ranges.append([place, end])
        text, place = text + piece, end
    return text, ranges


# What {% generation %} encloses stands between two of these while ranges are asked for: a text that nothing of the request holds.
mark = ""
asked = sys.stdin.read()
request = json.loads(asked)
unheard = "\U0010fffe"
while unheard in asked:
    unheard += "\U0010ffff"
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = strftime_now
answers = []
template = failure = None
try:
    template = environment.from_string(request["template"])
except Exception as error:
    failure = f"{type(error).__name__}: {error}"
for item in request["items"]:
    if template is None:
        answers.append({"error": failure})
        continue
    try:
        variables = {**request["specials"], **(item["kwargs"] or {})}
        variables.update(messages=[named(message) for message in item["messages"]], tools=item["tools"], documents=variables.get("documents"),
                         add_generation_prompt=item["add_generation_prompt"])
        answer = {"text": template.render(**variables)}
        if request["ranges"]:
            mark = unheard
            text, ranges = text_and_ranges(template.render(**variables))
            mark = ""
            if text == answer["text"]:  # else the template does something to the marks
                answer["ranges"] = ranges
        answers.append(answer)
    except Exception as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps({"answers": answers}))
)PY";

Error NoJinja() {
  return {ErrorCode::kUnavailable, kNoJinja,
          "install it for /usr/bin/python3: apt install python3-jinja2"};
}

// Ranges as the box gave them: half-open, ascending, within the text; anything else is none.
ByteRanges RangesOf(const Json& answer, size_t size) {
  const Json* given = answer.Find("ranges");
  if (given == nullptr || !given->IsArray()) return {};
  ByteRanges ranges;
  for (const Json& one : *given->AsArray()) {
    const Json::Array* pair = one.AsArray();
    if (pair == nullptr || pair->size() != 2) return {};
    const int64_t* begin = (*pair)[0].AsInt();
    const int64_t* end = (*pair)[1].AsInt();
    const auto last = ranges.empty() ? int64_t{0} : static_cast<int64_t>(ranges.back().second);
    if (begin == nullptr || end == nullptr || *begin < last || *end < *begin ||
        *end > static_cast<int64_t>(size)) {
      return {};
    }
    ranges.emplace_back(*begin, *end);
  }
  return ranges;
}

Result<std::string> TextOf(const Json& answer) {
  if (const Json* text = answer.Find("text"); text != nullptr && text->IsString())
    return *text->AsString();
  return Error{ErrorCode::kInput,
               StrCat("the chat template refuses these messages: ",
                      Shorten(answer.StringOr("error", "no answer"), 300)),
               ""};
}

}  // namespace

struct ChatEngine::Impl {
  std::unique_ptr<Sandbox> sandbox;
};

ChatEngine::ChatEngine() : impl_(std::make_unique<Impl>()) {}
ChatEngine::~ChatEngine() = default;

Result<std::shared_ptr<const ChatEngine>> ChatEngine::Shared() {
  static const Result<std::shared_ptr<const ChatEngine>>* const shared = [] {
    const auto make = []() -> Result<std::shared_ptr<const ChatEngine>> {
      SandboxConfig config;
      config.preimport = {"json", "datetime", "jinja2.sandbox"};
      Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::Create(config);
      if (!sandbox.ok()) {
        return Error{
            ErrorCode::kUnavailable,
            StrCat("chat templates are rendered in the sandbox: ", sandbox.error().message),
            sandbox.error().hint};
      }
      std::shared_ptr<ChatEngine> engine(new ChatEngine);
      engine->impl_->sandbox = std::move(*sandbox);
      // Jinja2 may be missing: better known here than with the first row.
      ChatInput input;
      input.messages = Json::MakeArray();
      auto tried = engine->Render("", Json::MakeObject(), {input});
      if (!tried.ok()) return tried.error();
      return std::shared_ptr<const ChatEngine>(std::move(engine));
    };
    return new Result<std::shared_ptr<const ChatEngine>>(make());
  }();
  return *shared;
}

Result<Json> ChatEngine::Ask(const std::string& source, const Json& specials,
                             const std::vector<ChatInput>& inputs, bool ranges,
                             int64_t cpu_ms) const {
  Json items = Json::MakeArray();
  for (const ChatInput& input : inputs) {
    items.Append(Json::MakeObject()
                     .Set("messages", input.messages)
                     .Set("tools", input.tools)
                     .Set("kwargs", input.kwargs)
                     .Set("add_generation_prompt", input.add_generation_prompt));
  }
  Job job;
  job.source = kProgram;
  job.stdin_bytes = Json::MakeObject()
                        .Set("template", source)
                        .Set("specials", specials)
                        .Set("items", items)
                        .Set("ranges", ranges)
                        .Dump();
  job.limits.cpu_ms = cpu_ms;
  job.limits.output_bytes = 256 << 20;
  job.limits.memory_mib = 1024;
  const RunResult run = impl_->sandbox->Run(job);
  if (run.cause == Cause::kFault) {
    return Error{ErrorCode::kUnavailable,
                 StrCat("the sandbox could not render the chat template: ", run.fault),
                 "`assay doctor` says what is wrong"};
  }
  if (!run.ok()) {
    return Error{ErrorCode::kInput,
                 StrCat("rendering the chat template was ended: ", CauseName(run.cause), " ",
                        Shorten(Trim(run.stderr_bytes), 300)),
                 "the template of this tokenizer does not end, or is no template"};
  }
  Result<Json> answer = ParseJson(run.stdout_bytes);
  if (answer.ok() && answer->BoolOr("missing", false)) return NoJinja();
  const Json* answers = answer.ok() ? answer->Find("answers") : nullptr;
  if (answers == nullptr || !answers->IsArray() || answers->AsArray()->size() != inputs.size()) {
    return Error{ErrorCode::kInput, "the chat template's box gave no answer that can be read", ""};
  }
  return *answers;
}

Result<std::vector<Result<std::string>>> ChatEngine::Render(const std::string& source,
                                                            const Json& specials,
                                                            const std::vector<ChatInput>& inputs,
                                                            int64_t cpu_ms) const {
  Result<Json> answers = Ask(source, specials, inputs, /*ranges=*/false, cpu_ms);
  if (!answers.ok()) return answers.error();
  std::vector<Result<std::string>> texts;
  for (const Json& one : *answers->AsArray()) texts.push_back(TextOf(one));
  return texts;
}

Result<ByteRanges> ChatEngine::Generated(const std::string& source, const Json& specials,
                                         const ChatInput& input) const {
  Result<Json> answers = Ask(source, specials, {input}, /*ranges=*/true, kCpuMs);
  if (!answers.ok()) return answers.error();
  const Json& answer = answers->AsArray()->front();
  const Result<std::string> text = TextOf(answer);
  if (!text.ok()) return text.error();
  return RangesOf(answer, text->size());
}

}  // namespace assay
