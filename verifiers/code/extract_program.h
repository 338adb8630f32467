// Finding the program in a model's reply, and putting a code prompt before it. Pure functions over text, linear in its
// length; thread-safe. They do not parse the language: a program that does not parse is the interpreter's to say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ProgramText {
  std::string text;     // empty: there is no program
  bool fenced = false;  // it stood in a fenced block
};

// The last fenced block of `language` in the answer part (what follows the last </think>), else the last that is not labelled as
// something else, else the whole answer part if it has no fences. Of several, blank ones do not count, and where `names` (what the
// tests call) are given and the last block defines none of them, the last that does is taken. Reasoning that was opened and never
// closed is no answer. A block whose closing fence is missing (a truncated reply) runs to the end; a closing fence may have a tag
// or the last line of code glued to it; one inside of a triple-quoted text closes nothing; one that nothing opened ends the
// program before it. White space is kept.
ProgramText ExtractProgram(std::string_view reply, std::string_view language,
                           const std::vector<std::string>& names = {});

// `text` up to the first of HumanEval's stop words ("\nclass", "\ndef", "\n#", "\nif", "\nprint"), for base models.
std::string_view CutAtStopWords(std::string_view text);

// What a HumanEval-style prompt consists of. `code` empty: the prompt is prose (or does not show the entry point).
struct CodePrompt {
  std::string
      code;  // the prompt's code: the whole prompt, or the block in it that defines the entry point
  std::string
      before;  // the part of `code` before the definition of the entry point (and its decorators)
};
CodePrompt ReadCodePrompt(std::string_view prompt, std::string_view entry_point);

// True if every line can stand in a program, by how it begins.
bool IsAllCode(std::string_view text);
// True if `program` defines `name` at its top level by def or class.
bool DefinesAtTopLevel(std::string_view program, std::string_view name);
// Names of classes and named tuples that `code` defines at its top level.
std::vector<std::string> TopLevelClasses(std::string_view code);
// True if `word` occurs in `text` as a whole word.
bool MentionsWord(std::string_view text, std::string_view word);

// The program to run for a completion of that prompt: a completion that goes on in the function's body, or that does not
// define the entry point, follows the whole prompt; one that defines it follows the part before. `first_line`: how many lines
// stand before the completion's first.
std::string JoinPromptAndCompletion(const CodePrompt& prompt, const ProgramText& completion,
                                    std::string_view entry_point, int64_t* first_line);

}  // namespace assay
