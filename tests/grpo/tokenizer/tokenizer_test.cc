// Tokenizers: merges in order, pre-splits, special tokens, any bytes there and back, chat templates, saving and loading.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/tokenizer/chat_template.h"
#include "grpo/tokenizer/pretokenizer.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {
namespace {

using Ids = std::vector<int64_t>;

// GPT-2's writing of a byte as a character.
std::string ByteText(unsigned char byte) {
  uint32_t next = 256;
  for (uint32_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const uint32_t code = printable ? b : next++;
    if (b != byte) continue;
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
  }
  return "";
}

// A byte-level tokenizer.json: ids 0..255 are the bytes, then the merges' results, then added tokens.
Json ByteLevelJson(const std::vector<std::pair<std::string, std::string>>& merges,
                   const std::vector<std::string>& added, const std::string& pre_tokenizer,
                   const std::string& normalizer = "null") {
  Json vocab = Json::MakeObject();
  for (int b = 0; b < 256; ++b) vocab.Set(ByteText(static_cast<unsigned char>(b)), b);
  Json lines = Json::MakeArray();
  int64_t next = 256;
  for (const auto& [left, right] : merges) {
    vocab.Set(left + right, next++);
    lines.Append(Json(Json::Array{Json(left), Json(right)}));
  }
  Json tokens = Json::MakeArray();
  for (const std::string& text : added) {
    Json token = Json::MakeObject();
    tokens.Append(token.Set("id", next++).Set("content", text).Set("special", true));
  }
  Json model = Json::MakeObject();
  model.Set("type", "BPE").Set("vocab", vocab).Set("merges", lines);
  Json json = Json::MakeObject();
  json.Set("added_tokens", tokens).Set("normalizer", *ParseJson(normalizer));
  json.Set("pre_tokenizer", *ParseJson(pre_tokenizer)).Set("model", model);
  return json.Set("decoder", *ParseJson(R"({"type": "ByteLevel"})"));
}

constexpr char kGpt2[] = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
constexpr char kNoSplit[] =
    R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";

std::shared_ptr<const Tokenizer> Make(const Json& json, const std::string& config = "null") {
  Result<std::shared_ptr<const Tokenizer>> made = Tokenizer::FromJson(json, *ParseJson(config));
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? *made : nullptr;
}

TEST(Bpe, LowestRankFirstThenLeftmost) {
  // Ranks: bc 0, ab 1, aa 2. "abc" joins bc first; "aaa" joins the left pair.
  const auto tok = Make(ByteLevelJson({{"b", "c"}, {"a", "b"}, {"a", "a"}}, {}, kNoSplit));
  EXPECT_EQ(tok->Encode("abc"), (Ids{'a', 256}));
  EXPECT_EQ(tok->Encode("abab"), (Ids{257, 257}));
  EXPECT_EQ(tok->Encode("aaa"), (Ids{258, 'a'}));
  EXPECT_EQ(tok->Encode("aaaa"), (Ids{258, 258}));
}

TEST(Bpe, MergesOfMerges) {
  const auto tok = Make(ByteLevelJson({{"a", "b"}, {"ab", "ab"}, {"abab", "c"}}, {}, kNoSplit));
  EXPECT_EQ(tok->Encode("ababc"), (Ids{258}));
  EXPECT_EQ(tok->Encode("abababc"), (Ids{257, 256, 'c'}));
}

TEST(Bpe, PiecesAreNotMergedAcross) {
  const auto tok = Make(ByteLevelJson({{"a", "b"}, {"1", "2"}}, {}, kGpt2));
  EXPECT_EQ(tok->Encode("ab"), (Ids{256}));
  EXPECT_EQ(tok->Encode("a b"), (Ids{'a', ' ', 'b'}));
  const auto digits = Make(ByteLevelJson(
      {{"1", "2"}}, {},
      R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
          {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]})"));
  EXPECT_EQ(digits->Encode("12"), (Ids{'1', '2'}));
}

TEST(Bpe, SpecialTokensFirstAndLongest) {
  const auto tok = Make(ByteLevelJson({}, {"<a>", "<a>b", "<end>"}, kGpt2),
                        R"({"eos_token": {"content": "<end>"}})");
  EXPECT_EQ(tok->Encode("x<a>b<a>"), (Ids{'x', 257, 256}));
  EXPECT_EQ(tok->Encode("<a>", {.special = false}), (Ids{'<', 'a', '>'}));
  EXPECT_EQ(tok->eos_id(), 258);
  EXPECT_EQ(tok->pad_id(), 258);
  EXPECT_TRUE(tok->IsSpecial(257));
  EXPECT_EQ(tok->Decode({'x', 258}, true), "x");
  EXPECT_EQ(tok->Decode({'x', 258}), "x<end>");
  EXPECT_EQ(tok->Decode({'x', 9999, -1}), "x");
}

TEST(Bpe, AnyBytesThereAndBack) {
  const auto tok = Make(ByteLevelJson({{"a", "b"}, {"ab", "c"}, {"Ġ", "a"}}, {"<s>"}, kGpt2));
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const uint64_t length = rng.Below(60);
    for (uint64_t i = 0; i < length; ++i) {
      switch (rng.Below(4)) {
        case 0:
          text.push_back(static_cast<char>(rng.Below(256)));
          break;
        case 1:
          text += "abc ";
          break;
        case 2:
          text += "é日👍";
          break;
        default:
          text += "<s>";
          break;
      }
    }
    EXPECT_EQ(tok->Decode(tok->Encode(text)), text);
    EXPECT_EQ(tok->Decode(tok->Encode(text, {.special = false})), text);
  }
}

TEST(Bpe, NfcOnlyWhereAsked) {
  const std::string decomposed = "e\xCC\x81";  // e and a combining acute
  const auto plain = Make(ByteLevelJson({}, {}, kGpt2));
  const auto nfc = Make(ByteLevelJson({}, {}, kGpt2, R"({"type": "NFC"})"));
  EXPECT_EQ(plain->Decode(plain->Encode(decomposed)), decomposed);
  EXPECT_EQ(nfc->Decode(nfc->Encode(decomposed)), "\xC3\xA9");
  EXPECT_EQ(nfc->Decode(nfc->Encode("\xFF" + decomposed + "\xCC")), "\xFF\xC3\xA9\xCC");
}

// Ten times the text may take ten-odd times as long, not a hundred times.
TEST(Bpe, HostileTextTakesNoQuadraticTime) {
  const auto tok =
      Make(ByteLevelJson({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}}, {"<a>"}, kGpt2));
  for (const std::string& unit : {std::string("a"), std::string(" "), std::string("\xFF"),
                                  std::string("<"), std::string("1")}) {
    auto seconds = [&](size_t count) {
      std::string text;
      for (size_t i = 0; i < count; ++i) text += unit;
      const auto start = std::chrono::steady_clock::now();
      EXPECT_EQ(tok->Decode(tok->Encode(text)).size(), text.size());
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const double small = std::min(seconds(50000), seconds(50000));
    EXPECT_LT(std::min(seconds(500000), seconds(500000)), 50 * (small + 0.01))
        << "unit '" << unit << "'";
  }
}

TEST(PreTokenizer, FamiliesSplitAsTheyShould) {
  auto split = [](const char* pattern, std::string_view text) {
    std::vector<std::string> pieces;
    for (std::string_view p :
         (*PreTokenizer::Make({{pattern, SplitBehavior::kIsolated, false}}))->Split(text))
      pieces.emplace_back(p);
    return pieces;
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(split(kGpt2Pattern, "I'll  go 42x!"),
            (Pieces{"I", "'ll", " ", " go", " 42", "x", "!"}));
  EXPECT_EQ(split(kLlama3Pattern, "I'LL 12345\n\n x"),
            (Pieces{"I", "'LL", " ", "123", "45", "\n\n", " x"}));
  EXPECT_EQ(split(kQwen2Pattern, "a 12"), (Pieces{"a", " ", "1", "2"}));
  // U+180E is no white space (any more); U+3000 and U+0085 are.
  EXPECT_EQ(split(R"(\s+)",
                  "a\xE1\xA0\x8E"
                  "b"),
            (Pieces{"a\xE1\xA0\x8E"
                    "b"}));
  EXPECT_EQ(split(R"(\s+)",
                  "a\xE3\x80\x80\xC2\x85"
                  "b"),
            (Pieces{"a", "\xE3\x80\x80\xC2\x85", "b"}));
}

TEST(PreTokenizer, BehavioursAndBadPatterns) {
  auto split = [](SplitBehavior behavior, bool invert) {
    std::string joined;
    for (std::string_view p : (*PreTokenizer::Make({{"-", behavior, invert}}))->Split("a--b"))
      StrAppend(&joined, p, "|");
    return joined;
  };
  EXPECT_EQ(split(SplitBehavior::kIsolated, false), "a|-|-|b|");
  EXPECT_EQ(split(SplitBehavior::kRemoved, false), "a|b|");
  EXPECT_EQ(split(SplitBehavior::kRemoved, true), "-|-|");
  EXPECT_EQ(split(SplitBehavior::kMergedWithPrevious, false), "a-|-|b|");
  EXPECT_EQ(split(SplitBehavior::kMergedWithNext, false), "a|-|-b|");
  EXPECT_FALSE(PreTokenizer::Make({{"(", SplitBehavior::kIsolated, false}}).ok());
}

TEST(Toys, CharactersAndWords) {
  const auto characters = *Tokenizer::Characters("0123456789+= é");
  EXPECT_EQ(characters->Decode(characters->Encode("12+3= é")), "12+3= é");
  EXPECT_EQ(characters->Encode("<bos>1<eos>"), (Ids{1, 7, 2}));
  EXPECT_EQ(characters->Encode("z"), (Ids{3}));
  EXPECT_EQ(characters->Decode(characters->Encode("<think>1</think>2"), true), "<think>1</think>2");
  EXPECT_EQ(characters->eos_id(), 2);
  const auto words = *Tokenizer::Words({"the", " cat", " sat"});
  EXPECT_EQ(words->Encode("the cat sat").size(), 3u);
  EXPECT_EQ(words->Decode(words->Encode("the sat cat hat")), "the sat cat hat");
}

TEST(Toys, SavedAndLoadedTheSame) {
  const std::string folder = testing::TempDir() + "/assay_toy_tokenizer";
  std::filesystem::create_directories(folder);
  for (const auto& tok : {*Tokenizer::Characters("abc é"), *Tokenizer::Words({"ab", " c"})}) {
    ASSERT_TRUE(tok->Save(folder).ok());
    Result<std::shared_ptr<const Tokenizer>> again = Tokenizer::Load(folder);
    ASSERT_TRUE(again.ok()) << again.error().message;
    for (const char* text : {"", "ab c", "<bos>abc é<eos>", "zz a", "ab  c"}) {
      EXPECT_EQ((*again)->Encode(text), tok->Encode(text)) << text;
      EXPECT_EQ((*again)->Decode(tok->Encode(text)), tok->Decode(tok->Encode(text)));
    }
    EXPECT_EQ((*again)->vocab_size(), tok->vocab_size());
    EXPECT_EQ((*again)->eos_id(), tok->eos_id());
    EXPECT_EQ((*again)->IsSpecial(4), tok->IsSpecial(4));
  }
  std::filesystem::remove_all(folder);
}

TEST(Loading, BadFilesAreNamed) {
  auto message = [](const std::string& json) {
    Result<std::shared_ptr<const Tokenizer>> made = Tokenizer::FromJson(*ParseJson(json), Json());
    return made.ok() ? std::string("ok") : made.error().message;
  };
  EXPECT_NE(message("{}").find("no model"), std::string::npos);
  EXPECT_NE(message(R"({"model": {"type": "Unigram"}})").find("'Unigram'"), std::string::npos);
  EXPECT_NE(message(R"({"model": {"vocab": {"a": 0}, "merges": ["a b"]}})").find("'a b'"),
            std::string::npos);
  EXPECT_NE(message(R"({"model": {"vocab": {"a": -4}, "merges": []}})").find("impossible id"),
            std::string::npos);
  EXPECT_NE(
      message(R"({"normalizer": {"type": "Lowercase"}, "model": {"vocab": {}, "merges": []}})")
          .find("'Lowercase'"),
      std::string::npos);
  EXPECT_FALSE(Tokenizer::Load("/nonexistent").ok());
}

TEST(Streaming, WholeCharactersOnly) {
  std::string pending;
  EXPECT_EQ(TakeWholeUtf8(&pending, "a\xE6"), "a");
  EXPECT_EQ(TakeWholeUtf8(&pending, "\x97"), "");
  EXPECT_EQ(TakeWholeUtf8(&pending,
                          "\xA5"
                          "b"),
            "日b");
  EXPECT_EQ(TakeWholeUtf8(&pending, "\xFF"), "\xFF");
  EXPECT_EQ(TakeWholeUtf8(&pending, "\x80\x80\x80\x80"), "\x80\x80\x80\x80");
  EXPECT_EQ(pending, "");
}

std::string Render(const ChatTemplate& chat, const std::vector<Message>& messages,
                   bool prompt = true) {
  Result<std::string> text = RenderChat(chat, messages, prompt, "<B>", "<E>");
  return text.ok() ? *text : text.error().message;
}

TEST(Chat, ChatMlWithAndWithoutDefaultSystem) {
  const ChatTemplate plain =
      RecognizeChatTemplate("{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}");
  EXPECT_EQ(plain.format, ChatFormat::kChatMl);
  EXPECT_EQ(Render(plain, {{"user", "hi"}}),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  const ChatTemplate with = RecognizeChatTemplate(
      R"({{- '<|im_start|>system\n' }}{{ messages[0] }}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }})");
  EXPECT_EQ(Render(with, {{"user", "hi"}}, false),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n");
  EXPECT_EQ(Render(with, {{"system", "S"}}, false), "<|im_start|>system\nS<|im_end|>\n");
}

TEST(Chat, ThoughtsOfEarlierTurnsAreCut) {
  const ChatTemplate qwen3 =
      RecognizeChatTemplate("<|im_start|> {{ content.split('</think>') }} {{ reasoning_content }}");
  EXPECT_EQ(
      Render(qwen3, {{"user", "a"}, {"assistant", "<think>\nt\n</think>\n\nb"}, {"user", "c"}},
             false),
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_"
      "end|>\n");
  EXPECT_EQ(
      Render(qwen3, {{"user", "a"}, {"assistant", "b"}}, false),
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nb<|im_end|>\n");
}

TEST(Chat, OtherFamilies) {
  const ChatTemplate llama = RecognizeChatTemplate("{{ '<|start_header_id|>' }}");
  EXPECT_EQ(Render(llama, {{"user", " hi "}}),
            "<B><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>"
            "assistant<|end_header_id|>\n\n");
  const ChatTemplate deepseek =
      RecognizeChatTemplate(R"({{ '<｜User｜>' }}</think>{{ '<｜Assistant｜><think>\n' }})");
  EXPECT_EQ(
      Render(deepseek,
             {{"system", "S"}, {"user", "q"}, {"assistant", "<think>x</think>y"}, {"user", "r"}}),
      "<B>S<｜User｜>q<｜Assistant｜>y<E><｜User｜>r<｜Assistant｜><think>\n");
  const ChatTemplate zephyr = RecognizeChatTemplate("<|user|> <|assistant|>");
  EXPECT_EQ(Render(zephyr, {{"user", "q"}}), "<|user|>\nq<E>\n<|assistant|>\n");
}

// The ways in which Llama 2's and Mistral's releases differ.
TEST(Chat, InstFamilies) {
  const std::vector<Message> talk = {
      {"system", "S"}, {"user", "a"}, {"assistant", " b "}, {"user", "c "}};
  const ChatTemplate llama2 = RecognizeChatTemplate(
      R"({% if i == 0 %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + m['content'] %}{% endif %})"
      R"({{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{{ ' ' + content.strip() + ' ' + eos_token }})");
  EXPECT_EQ(llama2.format, ChatFormat::kInst);
  EXPECT_EQ(Render(llama2, talk),
            "<B>[INST] <<SYS>>\nS\n<</SYS>>\n\na [/INST] b <E><B>[INST] c [/INST]");
  const ChatTemplate first = RecognizeChatTemplate(
      R"({{ bos_token }}{{ '[INST] ' + m['content'] + ' [/INST]' }}{{ m['content'] + eos_token + ' ' }})");
  EXPECT_EQ(Render(first, {{"user", "a"}, {"assistant", "b"}, {"user", "c"}}),
            "<B>[INST] a [/INST]b<E> [INST] c [/INST]");
  EXPECT_NE(Render(first, talk).find("no system message"), std::string::npos);
  EXPECT_NE(Render(first, {{"assistant", "b"}}).find("assistant"), std::string::npos);
  const ChatTemplate last = RecognizeChatTemplate(
      R"({{- bos_token }}{%- if loop.last %}{{- "[INST] " + system_message + "\n\n" + m["content"] + "[/INST]" }})"
      R"({{- "[INST] " + m["content"] + "[/INST]" }}{{- "[TOOL_CALLS] [" }}{{- " " + m["content"]|trim + eos_token}})");
  EXPECT_EQ(Render(last, talk), "<B>[INST] a[/INST] b<E>[INST] S\n\nc [/INST]");
  // Turns that are no sums of strings are refused, not guessed.
  EXPECT_EQ(RecognizeChatTemplate("{{ '[INST]' + f(m) + '[/INST]' }}").format, ChatFormat::kNone);
}

TEST(Chat, ErrorsAreErrors) {
  EXPECT_NE(Render({}, {{"user", "x"}}).find("no chat template"), std::string::npos);
  EXPECT_NE(Render(RecognizeChatTemplate("what is this"), {{"user", "x"}}).find("no known family"),
            std::string::npos);
  EXPECT_NE(Render(RecognizeChatTemplate("<|im_start|>"), {{"wizard", "x"}}).find("'wizard'"),
            std::string::npos);
}

}  // namespace
}  // namespace assay
