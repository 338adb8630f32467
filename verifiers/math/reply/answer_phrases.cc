#include "verifiers/math/reply/answer_phrases.h"

namespace assay::math {
namespace {

constexpr const char* kLanguages[][2] = {
    {"english", "en"}, {"chinese", "zh"}, {"spanish", "es"},  {"french", "fr"},
    {"german", "de"},  {"russian", "ru"}, {"japanese", "ja"}, {"portuguese", "pt"},
    {"italian", "it"}, {"korean", "ko"},  {"arabic", "ar"},   {"hindi", "hi"}};

// Letters with accents and non-Latin ones are found as they are written here: a capital needs a row of its own.
constexpr PhraseEntry kPhrases[] = {
    {"\\boxed", Phrase::kBox, ""},
    {"\\fbox", Phrase::kBox, ""},
    {"\\framebox", Phrase::kBox, ""},
    {"\boxed", Phrase::kBox, ""},  // what a non-raw Python string makes of \boxed
    {"####", Phrase::kHash, ""},
    {"answer", Phrase::kAnswer, "en"},
    {"final answer", Phrase::kFinal, "en"},
    {"final result", Phrase::kFinal, "en"},
    {"final value", Phrase::kFinal, "en"},
    {"ans:", Phrase::kAnswer, "en"},
    {"ans.", Phrase::kAnswer, "en"},
    {"correct option", Phrase::kAnswer, "en"},
    {"correct choice", Phrase::kAnswer, "en"},
    {"a:", Phrase::kLetterA, ""},
    {"result:", Phrase::kLabel, "en"},
    {"solution:", Phrase::kLabel, "en"},
    {"resultado:", Phrase::kLabel, "es"},
    {"résultat :", Phrase::kLabel, "fr"},
    {"ergebnis:", Phrase::kLabel, "de"},
    {"lösung:", Phrase::kLabel, "de"},
    {"результат:", Phrase::kLabel, "ru"},
    {"结果：", Phrase::kLabel, "zh"},
    {"結果：", Phrase::kLabel, "ja"},
    {"答案", Phrase::kAnswer, "zh"},
    {"答：", Phrase::kAnswer, "zh"},
    {"答:", Phrase::kAnswer, "zh"},
    {"最终答案", Phrase::kFinal, "zh"},
    {"最终结果", Phrase::kFinal, "zh"},
    {"respuesta", Phrase::kAnswer, "es"},
    {"respuesta final", Phrase::kFinal, "es"},
    {"resultado final", Phrase::kFinal, "es"},
    {"réponse", Phrase::kAnswer, "fr"},
    {"reponse", Phrase::kAnswer, "fr"},
    {"Réponse", Phrase::kAnswer, "fr"},
    {"réponse finale", Phrase::kFinal, "fr"},
    {"résultat final", Phrase::kFinal, "fr"},
    {"antwort", Phrase::kAnswer, "de"},
    {"endergebnis", Phrase::kFinal, "de"},
    {"endgültige antwort", Phrase::kFinal, "de"},
    {"ответ", Phrase::kAnswer, "ru"},
    {"Ответ", Phrase::kAnswer, "ru"},
    {"ОТВЕТ", Phrase::kAnswer, "ru"},
    {"окончательный ответ", Phrase::kFinal, "ru"},
    {"答え", Phrase::kAnswer, "ja"},
    {"解答", Phrase::kAnswer, "ja"},
    {"回答", Phrase::kAnswer, "ja"},
    {"正解", Phrase::kAnswer, "ja"},
    {"最終的な答え", Phrase::kFinal, "ja"},
    {"resposta", Phrase::kAnswer, "pt"},
    {"risposta", Phrase::kAnswer, "it"},
    {"정답", Phrase::kAnswer, "ko"},
    {"الإجابة", Phrase::kAnswer, "ar"},
    {"الجواب", Phrase::kAnswer, "ar"},
    {"उत्तर", Phrase::kAnswer, "hi"},
    {"<think", Phrase::kThinkOpen, ""},
    {"<thought", Phrase::kThinkOpen, ""},
    {"<reason", Phrase::kThinkOpen, ""},
    {"<|begin_of_thought|", Phrase::kThinkOpen, ""},
    {"◁think▷", Phrase::kThinkOpen, ""},
    {"</think", Phrase::kThinkClose, ""},
    {"</thought", Phrase::kThinkClose, ""},
    {"</reason", Phrase::kThinkClose, ""},
    {"<|end_of_thought|", Phrase::kThinkClose, ""},
    {"◁/think▷", Phrase::kThinkClose, ""},
    {"<|im_start|>", Phrase::kChatEnd, ""},
    {"<|im_end|>", Phrase::kChatEnd, ""},
    {"<|endoftext|>", Phrase::kChatEnd, ""},
    {"<|end_of_text|>", Phrase::kChatEnd, ""},
    {"<|eot_id|>", Phrase::kChatEnd, ""},
};

}  // namespace

std::span<const PhraseEntry> AnswerPhrases() { return kPhrases; }

std::string_view LanguageCode(std::string_view name) {
  for (const auto& row : kLanguages) {
    if (name == row[0] || name == row[1]) return row[1];
  }
  return "";
}

}  // namespace assay::math
