// Chat templates at work: whatever a template does beyond its family's usual form comes out as Jinja2 renders it, or is an error.
// The templates are made up in the forms that published ones have.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/run/sft_rows.h"
#include "grpo/tokenizer/chat_engine.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

class ChatTemplates : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::shared_ptr<const ChatEngine>> engine = ChatEngine::Shared();
    if (!engine.ok()) GTEST_SKIP() << engine.error().message << ": " << engine.error().hint;
  }
  static ChatInput Input(const std::string& messages, bool prompt = true) {
    ChatInput input;
    input.messages = *ParseJson(messages);
    input.add_generation_prompt = prompt;
    return input;
  }
  static std::string Render(const std::string& source, const ChatInput& input) {
    Json specials = Json::MakeObject();
    specials.Set("bos_token", "<B>").Set("eos_token", "<E>");
    const ChatRenderer renderer(RecognizeChatTemplate(source), "", specials);
    Result<std::string> text = renderer.Render(input);
    return text.ok() ? *text : "error: " + text.error().message;
  }
};

constexpr char kUser[] = R"([{"role": "user", "content": " hi "}])";
constexpr char kTurns[] =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + "
    "'\n' }}{% endfor %}";

TEST_F(ChatTemplates, ADefaultSystemTextWithBracesIsKept) {
  const std::string source =
      std::string(
          R"({%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\nSay \\boxed{}, "please".<|im_end|>\n' }}{%- endif %})") +
      kTurns + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  EXPECT_EQ(Render(source, Input(kUser)),
            "<|im_start|>system\nSay \\boxed{}, \"please\".<|im_end|>\n<|im_start|>user\n hi "
            "<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(ChatTemplates, AnOpenedThoughtIsKept) {
  const std::string source =
      std::string(kTurns) +
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}";
  EXPECT_EQ(Render(source, Input(kUser)),
            "<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n<think>\n");
}

TEST_F(ChatTemplates, BosTrimAndFixedTextAreKept) {
  const std::string source =
      "{{ bos_token }}Note: {% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + "
      "m['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|im_start|>assistant\n' }}{% endif %}";
  EXPECT_EQ(Render(source, Input(kUser)),
            "<B>Note: <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(ChatTemplates, MarksThatAnotherFamilyHasTooAreNoProof) {
  // Tulu's form: only the assistant's turns end in EOS.
  const std::string source =
      "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|assistant|>\n' + m['content'] "
      "+ (eos_token if loop.last else eos_token + '\n') }}{% else %}{{ '<|' + m['role'] + '|>\n' + "
      "m['content'] + '\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|assistant|>\n' }}{% endif %}{# <|user|> #}";
  EXPECT_EQ(RecognizeChatTemplate(source).format, ChatFormat::kZephyr);
  EXPECT_EQ(Render(source, Input(kUser)), "<|user|>\n hi \n<|assistant|>\n");
}

TEST_F(ChatTemplates, ToolsCallsAndVariablesReachTheTemplate) {
  const std::string source =
      "{% if tools %}{{ tools | tojson }}\n{% endif %}{% for m in messages %}[{{ m.role }}]{% if "
      "m.tool_calls %}{% for c in m.tool_calls %}{{ c.function.name }}({{ c.function.arguments | "
      "tojson }}){% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}{% if enable_thinking "
      "is defined and not enable_thinking %}<think></think>{% endif %}";
  ChatInput input = Input(
      R"([{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"b": 2, "a": "é"}}}]}, {"role": "tool", "name": "add", "content": "3"}])");
  input.tools = *ParseJson(R"([{"type": "function", "function": {"name": "add"}}])");
  input.kwargs = *ParseJson(R"({"enable_thinking": false})");
  EXPECT_EQ(Render(source, input),
            "[{\"type\": \"function\", \"function\": {\"name\": \"add\"}}]\n"
            "[user]q[assistant]add({\"b\": 2, \"a\": \"é\"})[tool]3<think></think>");
}

// As transformers' continue_final_message has it.
TEST_F(ChatTemplates, TheStartOfAReplyIsContinued) {
  const std::string source =
      std::string(kTurns) +
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  Problem problem;
  problem.messages = {{"user", "hi"}, {"assistant", "It is "}};
  EXPECT_EQ(Render(source, PromptInput(problem)),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nIt is ");
  const std::string trims =
      "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] | trim + '|' }}{% endfor %}";
  EXPECT_EQ(Render(trims, PromptInput(problem)), "[user]hi|[assistant]It is");
  problem.messages[1].content = " ";  // says only whose turn it is
  EXPECT_EQ(Render(source, PromptInput(problem)),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  problem.messages[1].content = "gone";
  EXPECT_EQ(Render("{{ messages[0]['content'] }}", PromptInput(problem)).substr(0, 6), "error:");
}

TEST_F(ChatTemplates, APromptKeepsItsToolCalls) {
  Problem problem;
  problem.messages.push_back({"user", "add"});
  problem.messages.push_back(
      {"assistant", "",
       *ParseJson(
           R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"f"}}]})")});
  problem.messages.push_back(
      {"tool", "3",
       *ParseJson(R"({"role":"tool","name":"f","content":[{"type":"text","text":"3"}]})")});
  EXPECT_EQ(Render("{% for m in messages %}{{ m['role'] }}:{{ m['content'] }}{% for c in "
                   "m['tool_calls'] or [] %}<{{ c['function']['name'] }}>{% endfor %};{% endfor %}",
                   PromptInput(problem)),
            "user:add;assistant:<f>;tool:3;");
}

TEST_F(ChatTemplates, WhatATemplateRefusesOrCannotDoIsAnError) {
  EXPECT_EQ(Render("{{ raise_exception('no such role') }}", Input(kUser)),
            "error: the chat template refuses these messages: TemplateError: no such role");
  EXPECT_NE(Render("{% for m in %}", Input(kUser)).find("error: "), std::string::npos);
  EXPECT_NE(Render("{{ ''.__class__.__mro__ }}", Input(kUser)).find("SecurityError"),
            std::string::npos);
  EXPECT_NE(Render("", Input(kUser)).find("no chat template"), std::string::npos);
}

TEST_F(ChatTemplates, OneThatDoesNotEndIsEnded) {
  const std::string endless =
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
  const auto engine = ChatEngine::Shared();
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  const auto texts = (*engine)->Render(endless, Json::MakeObject(), {Input(kUser)}, /*cpu_ms=*/300);
  ASSERT_FALSE(texts.ok());
  EXPECT_NE(texts.error().message.find("rendering the chat template was ended: cpu_limit"),
            std::string::npos)
      << texts.error().message;
}

TEST_F(ChatTemplates, TheClockStandsStill) {
  EXPECT_EQ(Render("{{ strftime_now('%d %b %Y') }}", Input(kUser)), "26 Jul 2024");
}

TEST_F(ChatTemplates, TheEndOfATurnIsTheTemplates) {
  Json specials = Json::MakeObject();
  specials.Set("eos_token", "<E>");
  const ChatRenderer chatml(RecognizeChatTemplate(kTurns), "", specials);
  EXPECT_EQ(chatml.ProbeTurns()->last, "<|im_end|>\n");
  const ChatRenderer own(
      RecognizeChatTemplate("{% for m in messages %}{{ m.content + eos_token }}{% endfor %}"), "",
      specials);
  EXPECT_EQ(own.ProbeTurns()->last, "<E>");
}

// --- supervised rows --------------------------------------------------------------------------------------------------

class ChatRows : public ChatTemplates {
 protected:
  // Characters and the marks of the template.
  static std::shared_ptr<const Tokenizer> Make(const std::string& source,
                                               const std::vector<std::string>& marks) {
    Json vocab = Json::MakeObject(), added = Json::MakeArray();
    int64_t id = 0;
    for (char c = '!'; c <= '~'; ++c) vocab.Set(std::string(1, c), id++);
    for (const char* blank : {"\xC4\xA0", "\xC4\x8A"}) vocab.Set(blank, id++);  // space, newline
    for (const std::string& mark : marks)
      added.Append(Json::MakeObject().Set("id", id++).Set("content", mark).Set("special", true));
    Json model = Json::MakeObject();
    model.Set("type", "BPE").Set("vocab", vocab).Set("merges", Json::MakeArray());
    Json json = Json::MakeObject();
    json.Set("model", model).Set("added_tokens", added);
    json.Set("pre_tokenizer",
             Json::MakeObject().Set("type", "ByteLevel").Set("add_prefix_space", false));
    json.Set("decoder", Json::MakeObject().Set("type", "ByteLevel"));
    Json config = Json::MakeObject();
    config.Set("chat_template", source).Set("eos_token", marks.back());
    Result<std::shared_ptr<const Tokenizer>> made = Tokenizer::FromJson(json, config);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? *made : nullptr;
  }
  // What is learned of the row, as text.
  static std::string Learned(const Tokenizer& tokenizer, const SftRow& row) {
    std::string text;
    for (size_t i = row.labels_from; i < row.ids.size(); ++i) {
      if (row.learn.empty() || row.learn[i] != 0) text += tokenizer.TokenBytes(row.ids[i]);
    }
    return text;
  }
};

constexpr char kTalk[] =
    R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}])";

TEST_F(ChatRows, EndInTheTemplatesEndOfTurn) {
  // Llama 3's form: turns end in <|eot_id|>, the tokenizer's EOS is another token.
  const auto tokenizer = Make(
      "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + "
      "m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
      {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>"});
  ASSERT_NE(tokenizer, nullptr);
  SftChat chat;
  chat.messages = *ParseJson(kTalk);
  chat.learned = {1, 3};
  EXPECT_EQ(Learned(*tokenizer, *EncodeChat(*tokenizer, chat, tokenizer->eos_id())),
            "b<|eot_id|>d<|eot_id|>");
  chat.learned = {3};
  EXPECT_EQ(Learned(*tokenizer, *EncodeChat(*tokenizer, chat, tokenizer->eos_id())), "d<|eot_id|>");
}

TEST_F(ChatRows, ThoughtsThatTheTemplateCutsAreLearnedInTheLastTurn) {
  // R1's form: the generation prompt opens <think>, written turns lose what stands before </think>.
  const auto tokenizer = Make(
      "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}{% else %}{{ "
      "'<A>' + m['content'].split('</think>')[-1] + '<E>' }}{% endif %}{% endfor %}{% if "
      "add_generation_prompt %}{{ '<A><think>\n' }}{% endif %}",
      {"<U>", "<A>", "<E>"});
  ASSERT_NE(tokenizer, nullptr);
  SftChat chat;
  chat.messages = *ParseJson(
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>\nx</think>b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "<think>\ny</think>d"}])");
  chat.learned = {1, 3};
  EXPECT_EQ(Learned(*tokenizer, *EncodeChat(*tokenizer, chat, tokenizer->eos_id())),
            "b<E>y</think>d<E>");
}

// Keys without a value are left out, as transformers does: templates ask whether there is content, not what kind.
TEST_F(ChatTemplates, NullIsNoContent) {
  const std::string source =
      "{% for m in messages %}[{{ m.role }}{% if m.content is defined %}:{{ m.content | length "
      "}}{% "
      "endif %}]{% endfor %}";
  EXPECT_EQ(Render(source, Input(R"([{"role": "user", "content": "ab"},
                                     {"role": "assistant", "content": null, "name": null}])")),
            "[user:2][assistant]");
}

std::string LearnedOf(const std::shared_ptr<const Tokenizer>& tokenizer, const char* messages,
                      std::vector<size_t> turns,
                      const std::function<std::string(const Tokenizer&, const SftRow&)>& learned) {
  SftChat chat;
  chat.messages = *ParseJson(messages);
  chat.learned = std::move(turns);
  Result<SftRow> row = EncodeChat(*tokenizer, chat, tokenizer->eos_id());
  return row.ok() ? learned(*tokenizer, *row) : row.error().message;
}

TEST_F(ChatRows, WhatTheTemplateMarksIsLearned) {
  const auto tokenizer = Make(
      "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}{% else "
      "%}<A>{% "
      "generation %}{{ m['content'] }}<E>{% endgeneration %}{{ '\n' }}{% endif %}{% endfor %}{% if "
      "add_generation_prompt %}<A>{% endif %}",
      {"<U>", "<A>", "<E>"});
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(LearnedOf(tokenizer, kTalk, {1, 3}, Learned), "b<E>d<E>");
  EXPECT_EQ(LearnedOf(tokenizer, kTalk, {3}, Learned), "d<E>");
}

// Phi-3's form: the end of a conversation is another one than that of a turn, and holds it; gpt-oss's: the two have nothing in common.
TEST_F(ChatRows, OthersWordsAreNeverLearned) {
  const auto phi = Make(
      "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + '<E>' }}{% endfor %}{% if "
      "add_generation_prompt %}<assistant>{% else %}{{ '<E>' }}{% endif %}",
      {"<user>", "<assistant>", "<E>"});
  EXPECT_EQ(LearnedOf(phi, kTalk, {1, 3}, Learned), "b<E>d<E><E>");
  const auto oss = Make(
      "{% for m in messages %}{{ '<' + m['role'] + '>' }}{% if m['role'] == 'assistant' %}<C>{% "
      "endif "
      "%}{{ m['content'] }}{% if loop.last and m['role'] == 'assistant' %}<R>{% else %}<E>{% endif "
      "%}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
      {"<user>", "<assistant>", "<C>", "<R>", "<E>"});
  EXPECT_EQ(LearnedOf(oss, kTalk, {1, 3}, Learned), "<C>b<E><C>d<R>");
}

// Mistral's form: the system text stands in the user's last turn, so a prompt is written otherwise as soon as more follows.
TEST_F(ChatRows, ASystemTextThatMovesIsNotLearned) {
  const auto tokenizer = Make(
      "{% set ns = namespace(s='') %}{% for m in messages %}{% if m['role'] == 'system' %}{% set "
      "ns.s = m['content'] + ' ' %}{% elif m['role'] == 'user' %}[INST]{% if loop.last %}{{ ns.s "
      "}}{% endif %}{{ m['content'] }}[/INST]{% else %}{{ m['content'] }}<E>{% endif %}{% endfor "
      "%}",
      {"[INST]", "[/INST]", "<E>"});
  EXPECT_EQ(LearnedOf(tokenizer,
                      R"([{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                          {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"},
                          {"role": "assistant", "content": "d"}])",
                      {2, 4}, Learned),
            "b<E>d<E>");
}

// A template that ends turns only where another follows: the last has that end, too. Marks that begin alike are not cut in two.
TEST_F(ChatRows, TheLastTurnEndsAsTheOthersDo) {
  const auto tokenizer = Make(
      "{% for m in messages %}{% if m['role'] == 'user' %}{% if not loop.first %}<E>{% endif %}{{ "
      "'<U>' + m['content'] }}{% else %}<A></think>{{ m['content'] }}{% endif %}{% endfor %}{% if "
      "add_generation_prompt %}<A><think>{% endif %}",
      {"<U>", "<A>", "<think>", "</think>", "<E>"});
  EXPECT_EQ(LearnedOf(tokenizer, kTalk, {1}, Learned), "b<E>");
  EXPECT_EQ(LearnedOf(tokenizer, kTalk, {1, 3}, Learned), "</think>b<E>d<E>");
}

// Qwen3's form writes an empty thought into the last turn alone; Gemma 4's has tools answer within the turn.
TEST_F(ChatRows, TurnsWithToolsAreLearnedWithoutTheAnswers) {
  constexpr char kTools[] =
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
          {"role": "tool", "content": "x"}, {"role": "assistant", "content": "d"}])";
  const auto qwen = Make(
      "{% for m in messages %}{{ '<' + m['role'] + '>' }}{% if loop.last and m['role'] == "
      "'assistant' "
      "%}<T></T>{% endif %}{{ m['content'] + '<E>' }}{% endfor %}{% if add_generation_prompt "
      "%}<assistant>{% endif %}",
      {"<user>", "<assistant>", "<tool>", "<T>", "</T>", "<E>"});
  EXPECT_EQ(LearnedOf(qwen, kTools, {1, 3}, Learned), "b<E><T></T>d<E>");
  const auto gemma = Make(
      "{% for m in messages %}{% if m['role'] == 'tool' %}{{ '<R>' + m['content'] + '</R>' }}{% "
      "else "
      "%}{% if m['role'] == 'user' or messages[loop.index0 - 1].role != 'tool' %}{{ '<' + "
      "m['role'] + "
      "'>' }}{% endif %}{{ m['content'] }}{% if loop.last or m['role'] == 'user' or "
      "messages[loop.index0 + 1].role != 'tool' %}<E>{% endif %}{% endif %}{% endfor %}{% if "
      "add_generation_prompt and messages[-1].role != 'tool' %}<assistant>{% endif %}",
      {"<user>", "<assistant>", "<R>", "</R>", "<E>"});
  EXPECT_EQ(LearnedOf(gemma, kTools, {1, 3}, Learned), "bd<E>");
}

TEST_F(ChatRows, ReasoningAndCallsOfTheLastTurnAreLearned) {
  const auto tokenizer = Make(
      "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}{% else "
      "%}<A>{{ "
      "m['content'] }}{% for c in m['tool_calls'] or [] %}({{ c.function.name }}){% endfor %}<E>{% "
      "endif %}{% endfor %}{% if add_generation_prompt %}{{ '<A><think>\n' }}{% endif %}",
      {"<U>", "<A>", "<E>"});
  EXPECT_EQ(LearnedOf(tokenizer,
                      R"([{"role": "user", "content": "a"},
                          {"role": "assistant", "content": "b", "reasoning_content": "hm\n"}])",
                      {1}, Learned),
            "hm\n</think>\n\nb<E>");
  EXPECT_EQ(LearnedOf(tokenizer,
                      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b",
                          "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}])",
                      {1}, Learned),
            "b(f)<E>");
}

TEST_F(ChatRows, ATemplateWithoutAnEndGetsTheTokenizers) {
  const auto tokenizer = Make(
      "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}{% if "
      "add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
      {"<E>"});
  ASSERT_NE(tokenizer, nullptr);
  SftChat chat;
  chat.messages = *ParseJson(kTalk);
  chat.learned = {3};
  EXPECT_EQ(Learned(*tokenizer, *EncodeChat(*tokenizer, chat, tokenizer->eos_id())), "d\n<E>");
}

}  // namespace
}  // namespace assay
