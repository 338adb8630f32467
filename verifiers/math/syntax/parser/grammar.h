// The grammar, outermost first: what each production reads, and the file that holds it. Each returns a node, or kNoNode with
// Parser::failed set (Try..: also kNoNode with nothing read, where the form does not stand). A new form goes into the file of its
// kind; if a token of its own begins it, also into the table of atoms.cc and, to stand behind another factor, into StartsFactor.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "verifiers/math/syntax/parser/state.h"

namespace assay::math {

// ---- lists.cc

// top := items ((";" | row end) items)*
NodeId ParseTop(Parser& p);
void SkipPunctuation(Parser& p);
// Items joined by commas and conjunctions up to the end of the list.
void ParseItems(Parser& p, Ids* items);
// Items with semicolons between them: (1;2;3) is a tuple of three; {1,2; 3,4} holds two tuples.
void ParseParts(Parser& p, Ids* items, bool flat);
// A word that joins items stands at hand.
bool AtConjunction(const Parser& p);
bool AtSeparator(const Parser& p);
// A membership in brackets, which is a condition of its own and no factor.
bool AtMembership(const Parser& p);
bool AtListEnd(const Parser& p);

// ---- relations.cc

// item := lead-in? (words | operand (relation operand)* modulus? | relation operand)
NodeId ParseItem(Parser& p);
// The relation at hand, consumed; 0 if there is none.
char ParseRelationOp(Parser& p);
NodeId FinishRelation(Parser& p, const Ids& operands, const std::string& ops);
// operand := words | set (("union" | "intersection" | "difference") set)*; set := sum (":" sum)* trailing?
NodeId ParseOperand(Parser& p);

// ---- words.cc

// Words that lead in an answer. False: words that make the rest unreadable.
bool SkipLeadIn(Parser& p);
// Words where an expression could stand: a number spelled out, the name on the left of a relation, or a text answer.
NodeId TryWords(Parser& p);
// Right side of a relation in words: x = five, answer = yes.
NodeId OperandWords(Parser& p);
// Nothing of the item at hand stands at or behind this token.
bool IsItemEnd(const Token& t);
// True if the letters of a word are likelier variables than a word: two letters, or letters that go together as variables.
bool IsLetterProduct(const Token& t, bool alone);

// ---- units.cc

// What may stand behind a value: am, percent, degrees, units and other words.
NodeId Trailing(Parser& p, NodeId value);
// "a.m.": two letters with a full stop between them behind a number.
bool AtDottedHalfDay(const Parser& p);
NodeId ParseMoney(Parser& p);
// "5 L" and "20 m/s^2" at the very end, which TeX would read as products: the unit, and how many tokens it takes (0: none).
std::pair<std::string, size_t> LetterUnitAhead(const Parser& p);
// Plain text only: 79 g and 12 m^2 at the end of an item, where LaTeX would have said \text.
NodeId TryLetterUnit(Parser& p, NodeId value);

// ---- terms.cc

// sum := sign? term (sign term)*
NodeId ParseAdditive(Parser& p);
// term := factors (("*" | "/" | "mod") factors)*.
// Products and quotients, left to right; a product without signs binds tighter than a slash. Chains stay flat: the tree
// does not get deeper with every sign.
NodeId ParseTerm(Parser& p, bool negate = false);
// Factors side by side. `divisor`: behind a slash, where more than one factor is ambiguous.
NodeId ParseJuxtaposed(Parser& p, bool divisor);
bool StartsFactor(const Parser& p);
// A word behind a factor: letters to multiply, or words that trail.
bool WordIsFactor(const Parser& p);

// ---- powers.cc

// factor := primary (exponent | "!" | "%" | degree | prime)*
NodeId ParsePower(Parser& p);
// A percent sign between two operands.
bool PercentIsMod(const Parser& p);
// The argument of ^: a group, or one token with its sign.
NodeId ParseScript(Parser& p, bool chain = true);

// ---- atoms.cc

// primary := numeral | name | function | fraction | big operator | bracket | environment | ..
NodeId ParsePrimary(Parser& p);

// ---- numbers.cc

NodeId ParseNumber(Parser& p);
// 204_5, 152A_{11}: the value of the numeral; kNoNode if there is no base.
NodeId TryBase(Parser& p);
// A number that was read as a decimal one, as a numeral with the base that `base` spells; kNoNode if it is none.
NodeId BasedAs(Parser& p, NodeId number, std::string_view base);
// FF_{16}, A3_{12}: a numeral that begins with a letter. One letter alone is a variable with an index.
bool AtLetterNumeral(const Parser& p);
// {}_nC_k, ^nC_k and the same with P.
NodeId ParseChoiceNumber(Parser& p);
// A number token: digits, a point, (repetend), exponent.
NodeId LiteralNode(Parser& p, std::string_view s);
NodeId DecimalNode(Parser& p, const std::string& mantissa, int64_t scale);
int64_t ToInt(std::string_view s);

// ---- names.cc

// name := letter subscript? arguments?
NodeId ParseLetter(Parser& p);
NodeId LetterNode(Parser& p, std::string_view letter);
bool AtDiff(const Parser& p);
// The text of a subscript, without blanks and braces.
std::string RawScript(Parser& p);
// A token as part of a name.
std::string Spell(const Token& t);
// An index of letters and numbers as a sum: 2n, n+1, n-k-1; kNoNode: something else.
NodeId IndexTerms(Parser& p, std::string_view raw);
// A name in front of brackets: f(x), P(A), x(0) are applications; n(n+1) is a product.
NodeId ApplyOrSymbol(Parser& p, const std::string& name, bool primed);
NodeId ParseStyled(Parser& p);

// ---- functions.cc

// Optional power and base in either order; then the argument.
NodeId ParseFunction(Parser& p);
// gcd, lcm, max, min, floor, ceil, det, abs with a list in brackets.
NodeId ParseSeveral(Parser& p);

// ---- fractions.cc

// \frac, also where it spells a derivative.
NodeId ParseFraction(Parser& p);
// root := ("[" sum "]")? argument
NodeId ParseRoot(Parser& p);
NodeId ParseBinomial(Parser& p);
// An argument as TeX takes it: a group, one digit, or one token.
NodeId ParseArgument(Parser& p);

// ---- big_operators.cc

// big operator := bounds body
NodeId ParseNary(Parser& p);

// ---- brackets.cc

// TeX braces: one expression, or a set.
NodeId ParseGroup(Parser& p);
// {n \choose k} and {a \over b}.
NodeId ParseInfix(Parser& p, NodeId left);
NodeId ParseBrackets(Parser& p);
// |x|; ParseNorm: ||x||.
NodeId ParseBars(Parser& p);
NodeId ParseNorm(Parser& p);

// ---- environments.cc

// \begin{..} rows of cells \end{..}
NodeId ParseEnvironment(Parser& p);

}  // namespace assay::math
