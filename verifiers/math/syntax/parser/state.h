// What every production of the parser shares: the tokens and the place among them, the tree, and what an inner form must know
// of the forms around it. Reading tokens and failing stand here, the grammar in grammar.h. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/lexer.h"
#include "verifiers/math/syntax/parser.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

using Ids = std::vector<NodeId>;

struct Parser {
  Parser(const Lexed& lexed, Grammar grammar, Ambiguous choice, Tree* out)
      : tokens(lexed.tokens),
        text(lexed.text),
        loose_braces(lexed.had_dollar || grammar == Grammar::kLatex),
        slash_left(choice == Ambiguous::kSlashLeft),
        letter_units(choice == Ambiguous::kLetterUnits),
        mixed_and(choice == Ambiguous::kMixedAnd),
        choice_scripts(choice == Ambiguous::kChoiceScripts),
        word_index(choice == Ambiguous::kWordIndex),
        plain(grammar == Grammar::kPlain),
        tree(*out) {}

  // ---- tokens: the one at hand (a letter while a word is walked letter by letter) and those behind it

  const Token& Now() const { return in_word ? letter : tokens[at]; }
  const Token& Ahead(size_t k) const { return tokens[std::min(at + k, tokens.size() - 1)]; }
  bool Is(Tok kind) const { return Now().kind == kind; }
  bool IsA(Tok kind, int aux) const { return Now().kind == kind && Now().aux == aux; }
  bool NextIsA(Tok kind, int aux) const {
    return Ahead(1).kind == kind && Ahead(1).aux == aux && !Ahead(1).space;
  }
  bool AtEnd() const { return Is(Tok::kEnd); }

  void Next() {
    if (in_word) {
      if (++letter_at < tokens[at].text.size()) {
        letter.text = tokens[at].text.substr(letter_at, 1);
        letter.space = false;
        return;
      }
      in_word = false;
    }
    if (at + 1 < tokens.size()) ++at;
  }

  bool Accept(Tok kind) {
    if (!Is(kind)) return false;
    Next();
    return true;
  }

  // Starts reading the word at hand as a product of letters.
  void EnterWord() {
    in_word = true;
    letter_at = 0;
    letter = tokens[at];
    letter.kind = Tok::kLetter;
    letter.text = tokens[at].text.substr(0, 1);
  }

  // ---- failing: the first failure stays; every production asks `failed` after each part

  NodeId Fail() {
    failed = true;
    return kNoNode;
  }
  void Limit() { over_limit = failed = true; }
  bool Dead() {
    if (tree.nodes.size() > static_cast<size_t>(kMaxNodes)) Limit();
    return failed;
  }

  NodeId Add(Op op, const Ids& children, uint8_t aux = 0) {
    return tree.Add(op, children.data(), static_cast<uint32_t>(children.size()), aux);
  }

  const std::vector<Token>& tokens;
  const std::string_view text;  // the tokens' positions
  const bool loose_braces;      // braces may be TeX's and need not mean a set
  const bool slash_left;
  const bool letter_units;
  const bool mixed_and;
  const bool choice_scripts;
  const bool word_index;
  const bool plain;
  Tree& tree;
  std::vector<int> bars_after;  // for every bar: how many more follow in the same bracket

  size_t at = 0;
  bool in_word = false;
  size_t letter_at = 0;
  Token letter;
  int depth = 0;
  bool failed = false;
  bool over_limit = false;
  bool slash_ambiguous = false;
  bool unit_ambiguous = false;
  bool mixed_ambiguous = false;
  bool choice_ambiguous = false;
  bool index_ambiguous = false;

  std::string_view pending_digits;  // left over by a TeX argument
  bool last_was_number = false;
  bool ignore_amp = false;
  bool in_cases = false;        // "if" and its like part a value from its condition
  Joint joint = Joint::kComma;  // of the items that were read last
  int bar_level = 0;            // open bars
  int norm_level = 0;
  int in_builder = 0;  // directly inside of \{..\}, where a bar or colon begins a condition
  int open_groups = 0;
  int integrals = 0;
  int diff_seen = 0;
  int bound_i = 0;  // i is an index, not the imaginary unit
  NodeId diff_variable = kNoNode;
  NodeId box_braces = kNoNode;  // the last set written with bare braces
};

// Stands at the head of every production that can hold itself.
struct Deeper {
  explicit Deeper(Parser& parser) : p(parser) {
    if (++p.depth > kMaxDepth) p.Limit();
  }
  ~Deeper() { --p.depth; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  Parser& p;
};

}  // namespace assay::math
