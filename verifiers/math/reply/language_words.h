// What words around an answer mean, in every language: one class of words each, all languages in one list. (Turns of phrase
// that only English needs stand with the rule that knows them, as in denial.cc.) A word comes from WordAt: lower case,
// apostrophes as '. Of scripts without spaces every sign is a word of its own, so phrases of these are looked for in the text
// instead (HasUnspaced..). The phrases that announce an answer are in answer_phrases.cc.
// Private to reply/; pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay::math {

// ---- verbs and what may stand around them

bool IsCopula(std::string_view word);
// Also words that are a copula in this language and something else in others (the Polish "to").
bool IsCopulaOf(std::string_view word, std::string_view language);
// "in all", behind which a sentence's last value is its total, in languages that need no verb there.
bool IsTotalWord(std::string_view word);
// Languages that may set an answer right behind the word for it ("Cevap 15.", with the verb, if any, at the end).
bool SetsAnswerBehind(std::string_view language);
// Words between a copula and the answer that say nothing.
bool IsFiller(std::string_view word);
// "The answer is correct", "the answer is given by ..": no answer follows.
bool SaysNothing(std::string_view word);
// What "answer 9" may follow and still announce 9: "the answer 9".
bool MayStandBeforeAnswer(std::string_view word);

// ---- denial

bool IsNegation(std::string_view word);
// Also words that deny in this language and say something else in others (the Swahili "si").
bool IsNegationOf(std::string_view word, std::string_view language);
// "no" where "is" might stand: "the answer no longer is".
bool IsNo(std::string_view word);
// A denial that stands at the sentence's end, as in Japanese, Korean, Hindi or Turkish.
bool HasFinalDenial(std::string_view text);
// Where the last denial of lower-case text begins, in the middle of words, too ("can't be A"); npos if there is none.
size_t LastDenial(std::string_view text);
// "but" between what is denied and what is right ("nicht 4, sondern 5").
bool IsInstead(std::string_view word);
// "but", behind which what somebody else says or fears ends.
bool IsAdversative(std::string_view word);

// ---- doubt, bounds, other values

bool IsHedge(std::string_view word);
// The hedge `word` of text doubts the value behind word_end: "likely 5", but not "likely number".
bool DoubtsWhatFollows(std::string_view word, std::string_view text, size_t word_end, size_t end);
// Hedges of a whole sentence: "maybe the answer is 4"; not "you may see that the answer is 4".
bool IsSentenceHedge(std::string_view word);
// Hedges in scripts without spaces, where a word ends nowhere.
bool HasUnspacedHedge(std::string_view text);
// "at least", "more than" and questions in these scripts, and 15か16.
bool HasUnspacedBound(std::string_view text);
// "or" in these scripts, behind which nothing is listed.
bool HasUnspacedOrAt(std::string_view text, size_t at);
// "twice 42", "minus 42": words that make another value of the one behind them.
bool IsModifier(std::string_view word);
// Words that make of a value something else: "at least 4", "unlikely to be 4".
bool IsQualifier(std::string_view word);
// Words that say something about a value instead of giving it: "divisible by 5".
bool IsProperty(std::string_view word);
// Adjectives that with a value behind them are an answer: "odd $n$".
bool DescribesValue(std::string_view word);
// "if", behind which what is announced is not asserted.
bool OpensCondition(std::string_view word);
// "4 for even n", "4, wenn n gerade ist": behind a value, begins the case that it is the value of.
bool OpensCase(std::string_view word);
// "says", "told": by somebody else.
bool IsSaying(std::string_view word);
// Whose answer is quoted when "answer" follows one of these.
bool IsQuoting(std::string_view word);

// ---- retraction

// "4, no wait, ..": right behind an answer.
bool IsCorrection(std::string_view word);
// What a sentence may call wrong that speaks of the answer before it: "that", "it", "my".
bool MeansWhatWasSaid(std::string_view word);
bool IsWrong(std::string_view word);
// The same in scripts without spaces.
bool HasUnspacedWrong(std::string_view text);
// "无法确认", "わかりません": the speaker has no answer after all.
bool HasUnspacedGivingUp(std::string_view text);

// ---- lists, units, signs

// "3 and 4", "3 or 4".
bool IsConnector(std::string_view word);
// The same between boxes.
bool JoinsBoxes(std::string_view word);
bool IsOr(std::string_view word);
// Words behind which an answer's unit has ended and prose goes on.
bool IsStopWord(std::string_view word);
// The same in scripts without spaces.
bool EndsUnspacedUnit(std::string_view word);
// The bytes at a word's end that are a verb glued to it ("개입니다": 9), all of them if it is nothing else.
size_t GluedVerbBytes(std::string_view word);
// Signs that are written as words; an answer goes on behind them.
bool IsSignWord(std::string_view word);
// A date begins with its month.
bool IsMonth(std::string_view word);

}  // namespace assay::math
