#include "verifiers/math/syntax/parser.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsHigh(char c) { return static_cast<unsigned char>(c) >= 0x80; }

using Ids = std::vector<NodeId>;

class Parser {
 public:
  Parser(const Lexed& lexed, Grammar grammar, Ambiguous choice, Tree* tree)
      : t_(lexed.tokens),
        text_(lexed.text),
        loose_braces_(lexed.had_dollar || grammar == Grammar::kLatex),
        slash_left_(choice == Ambiguous::kSlashLeft),
        units_(choice == Ambiguous::kLetterUnits),
        plain_(grammar == Grammar::kPlain),
        tree_(*tree) {
    // What lies under a bracket, for the reading of bars.
    CountBars();
  }

  ParserResult Run() {
    ParserResult result;
    SkipPunctuation();
    NodeId root = kNoNode;
    if (!AtEnd()) root = ParseTop();
    SkipPunctuation();
    result.slash_ambiguous = slash_ambiguous_;
    result.unit_ambiguous = unit_ambiguous_;
    if (limit_) {
      result.error = ParseError::kLimit;
    } else if (failed_ || root == kNoNode || !AtEnd()) {
      result.error = ParseError::kSyntax;
    } else {
      result.root = root;
    }
    return result;
  }

 private:
  static constexpr int kMaxPostfix = 16;  // signs behind one factor

  struct Deeper {
    explicit Deeper(Parser* p) : p_(p) {
      if (++p_->depth_ > kMaxDepth) p_->Limit();
    }
    ~Deeper() { --p_->depth_; }
    Parser* p_;
  };

  // ---- token access; a word can be walked letter by letter

  const Token& T() const { return in_word_ ? letter_ : t_[p_]; }
  const Token& Ahead(size_t k) const { return t_[std::min(p_ + k, t_.size() - 1)]; }
  bool Is(Tok kind) const { return T().kind == kind; }
  bool IsA(Tok kind, int aux) const { return T().kind == kind && T().aux == aux; }
  bool AtEnd() const { return Is(Tok::kEnd); }

  void Next() {
    if (in_word_) {
      if (++letter_at_ < t_[p_].text.size()) {
        letter_.text = t_[p_].text.substr(letter_at_, 1);
        letter_.space = false;
        return;
      }
      in_word_ = false;
    }
    if (p_ + 1 < t_.size()) ++p_;
  }

  // Starts reading the word at hand as a product of letters.
  void EnterWord() {
    in_word_ = true;
    letter_at_ = 0;
    letter_ = t_[p_];
    letter_.kind = Tok::kLetter;
    letter_.text = t_[p_].text.substr(0, 1);
  }

  NodeId Fail() {
    failed_ = true;
    return kNoNode;
  }
  void Limit() { limit_ = failed_ = true; }
  bool Dead() {
    if (tree_.nodes.size() > static_cast<size_t>(kMaxNodes)) Limit();
    return failed_;
  }
  bool Accept(Tok kind) {
    if (!Is(kind)) return false;
    Next();
    return true;
  }

  void SkipPunctuation() {
    while (Is(Tok::kComma) || Is(Tok::kSemi) || Is(Tok::kRowSep) || (Is(Tok::kColon)) ||
           Is(Tok::kAmp))
      Next();
  }

  void CountBars() {
    // For every bar: how many more bars follow in the same bracket.
    bars_after_.assign(t_.size(), 0);
    std::vector<int> counts(1, 0);
    for (size_t i = t_.size(); i-- > 0;) {
      const Tok k = t_[i].kind;
      if (k == Tok::kClose || k == Tok::kGroupClose || k == Tok::kEndEnv) {
        counts.push_back(0);
      } else if (k == Tok::kOpen || k == Tok::kGroupOpen || k == Tok::kBegin) {
        if (counts.size() > 1) counts.pop_back();
      } else if (k == Tok::kBar) {
        bars_after_[i] = counts.back()++;
      }
    }
  }

  // ---- lists

  // The conjunction at hand: number of tokens, or 0.
  bool AtConjunction() const {
    if (!Is(Tok::kText) && !Is(Tok::kWord)) return false;
    return IsConjunction(NormalizeWords(T().text));
  }

  bool AtSeparator() const {
    return Is(Tok::kComma) || (Is(Tok::kAmp) && !ignore_amp_) || AtConjunction();
  }

  bool AtListEnd() const {
    return AtEnd() || Is(Tok::kSemi) || Is(Tok::kRowSep) || Is(Tok::kClose) ||
           Is(Tok::kGroupClose) || Is(Tok::kEndEnv);
  }

  NodeId ParseTop() {
    std::vector<Ids> parts;
    bool several = false;
    while (!AtEnd()) {
      Ids items;
      ParseItems(&items);
      if (failed_) return kNoNode;
      if ((Is(Tok::kOver) || Is(Tok::kChoose)) && items.size() == 1 && parts.empty()) {
        const NodeId infix = ParseInfix(items[0]);
        if (failed_) return kNoNode;
        items = {infix};
      }
      several = several || items.size() > 1;
      if (!items.empty()) parts.push_back(std::move(items));
      if (!Is(Tok::kSemi) && !Is(Tok::kRowSep)) break;
      SkipPunctuation();
    }
    if (parts.empty()) return Fail();
    if (parts.size() == 1) {
      if (parts[0].size() == 1) return parts[0][0];
      const NodeId list = MakeList(Op::kList, parts[0]);
      tree_.nodes[list].aux = static_cast<uint8_t>(joint_);
      return list;
    }
    Ids all;
    for (const Ids& items : parts)
      all.push_back(items.size() == 1 ? items[0] : MakeList(Op::kTuple, items));
    return MakeList(Op::kList, all);
  }

  // Items joined by commas and conjunctions up to the end of the list.
  void ParseItems(Ids* items) {
    bool conjunction = false;
    bool disjunction = false;
    while (!Dead()) {
      for (; AtSeparator(); Next()) {
        if (!AtConjunction()) continue;
        (IsDisjunction(NormalizeWords(T().text)) ? disjunction : conjunction) = true;
      }
      if (AtListEnd()) break;
      if (items->size() > 0 && Is(Tok::kWord) && IsCondition(NormalizeWords(T().text))) {
        SkipCondition();
        break;
      }
      const NodeId item = ParseItem();
      if (failed_) return;
      if (item != kNoNode) items->push_back(item);
      if (!AtSeparator()) {
        // Two answers with a wide blank between them and no comma.
        if (T().wide && depth_ <= 1 && !AtListEnd() && !Is(Tok::kBar)) continue;
        break;
      }
    }
    MergeAssignments(items);
    joint_ = conjunction == disjunction ? Joint::kComma : disjunction ? Joint::kOr : Joint::kAnd;
  }

  // Items with semicolons between them: (1;2;3) is a tuple of three; {1,2; 3,4} holds two tuples.
  void ParseParts(Ids* items, bool flat) {
    ParseItems(items);
    if (failed_ || !Is(Tok::kSemi)) return;
    Ids all;
    Ids part = *items;
    while (!failed_) {
      if (flat || part.size() == 1) {
        all.insert(all.end(), part.begin(), part.end());
      } else if (!part.empty()) {
        all.push_back(MakeList(Op::kTuple, part));
      }
      if (!Accept(Tok::kSemi)) break;
      part.clear();
      ParseItems(&part);
    }
    *items = all;
  }

  void SkipCondition() {
    while (!AtEnd() && !Is(Tok::kSemi)) Next();
  }

  // Items are kept as a kList or kTuple, `n` of them.
  NodeId MakeList(Op op, const Ids& items) {
    return tree_.Add(op, items.data(), static_cast<uint32_t>(items.size()));
  }

  bool IsPlainRelation(NodeId id, char* op) const {
    const Node& n = tree_[id];
    if (n.op != Op::kRel || n.n != 2) return false;
    *op = tree_.Name(id)[0];
    return *op == kEq || *op == kIn;
  }

  static bool IsValueNode(const Node& n) {
    return n.op != Op::kRel && n.op != Op::kCongruent && n.op != Op::kText;
  }

  // n = 2, 3, 4 and (x, y) = (5, 8), (8, 5) mean one name and several values; x, y = 1, 2 means names and values.
  void MergeAssignments(Ids* items) {
    if (items->size() < 2) return;
    char op = 0;
    size_t relations = 0;
    size_t first = 0;
    for (size_t i = 0; i < items->size(); ++i) {
      char o = 0;
      if (!IsValueNode(tree_[(*items)[i]])) {
        ++relations;
        first = i;
        if (!IsPlainRelation((*items)[i], &o)) return;
        op = o;
      }
    }
    if (relations != 1) return;
    const NodeId relation = (*items)[first];
    const NodeId left = tree_.Kid(relation, 0);
    Ids names(items->begin(), items->begin() + static_cast<int64_t>(first));
    Ids values(items->begin() + static_cast<int64_t>(first) + 1, items->end());
    values.insert(values.begin(), tree_.Kid(relation, 1));
    if (!names.empty()) {
      const bool symbols = std::all_of(names.begin(), names.end(),
                                       [this](NodeId id) { return tree_[id].op == Op::kSym; });
      if (!symbols || names.size() + 1 != values.size() || op != kEq) return;
      names.push_back(left);
      const NodeId l = MakeList(Op::kTuple, names);
      const NodeId r = MakeList(Op::kTuple, values);
      *items = {tree_.Named(Op::kRel, std::string(1, kEq), {l, r})};
      return;
    }
    const Op kind = tree_[left].op;
    if (kind != Op::kSym && kind != Op::kTuple && kind != Op::kApply && kind != Op::kInterval)
      return;
    const NodeId list = MakeList(Op::kList, values);
    *items = {tree_.Named(Op::kRel, std::string(1, op), {left, list})};
  }

  // ---- items: relations, with what leads in and what trails

  NodeId ParseItem() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (!SkipLeadIn()) return Fail();
    if (const NodeId words = TryWords(); words != kNoNode || failed_) return words;
    if (AtListEnd() || AtSeparator()) return kNoNode;
    if (Is(Tok::kRel)) return ParseLeadingRelation();
    NodeId left = ParseOperand();
    if (failed_) return kNoNode;
    Ids operands = {left};
    std::string ops;
    while (char op = ParseRelationOp()) {
      if (AtListEnd()) return Fail();
      const NodeId right = ParseOperand();
      if (failed_) return kNoNode;
      operands.push_back(right);
      ops += op;
    }
    if (ops.empty()) {
      const bool modulus = Is(Tok::kPmod) || (IsA(Tok::kOpen, '(') && Ahead(1).kind == Tok::kMod);
      return modulus ? FinishRelation({tree_.Symbol("_"), left}, std::string(1, kEquiv)) : left;
    }
    return FinishRelation(operands, ops);
  }

  NodeId FinishRelation(const Ids& operands, const std::string& ops) {
    const NodeId modulus = ParseModulus();
    if (failed_) return kNoNode;
    if (modulus != kNoNode && operands.size() == 2 && (ops[0] == kEquiv || ops[0] == kEq)) {
      return tree_.Add(Op::kCongruent, {operands[0], operands[1], modulus});
    }
    // x \equiv 3 \bmod 7
    if (operands.size() == 2 && ops[0] == kEquiv && tree_[operands[1]].op == Op::kMod)
      return tree_.Add(Op::kCongruent,
                       {operands[0], tree_.Kid(operands[1], 0), tree_.Kid(operands[1], 1)});
    const NodeId id = tree_.Add(Op::kRel, operands.data(), static_cast<uint32_t>(operands.size()));
    tree_.nodes[id].num = tree_.Intern(ops);
    return id;
  }

  // (mod m) or \pmod{m} behind a congruence.
  NodeId ParseModulus() {
    if (Is(Tok::kPmod)) {
      Next();
      return ParsePower();
    }
    if (IsA(Tok::kOpen, '(') && Ahead(1).kind == Tok::kMod) {
      Next();
      Next();
      const NodeId m = ParseAdditive();
      if (!IsA(Tok::kClose, ')')) return Fail();
      Next();
      return m;
    }
    if (Is(Tok::kMod)) {
      Next();
      return ParsePower();
    }
    return kNoNode;
  }

  // "> 4", "\neq 4", "= 4", "\approx 4": a relation whose left side is not written.
  NodeId ParseLeadingRelation() {
    const char op = ParseRelationOp();
    if (op == 0 || AtListEnd()) return Fail();
    const NodeId right = ParseOperand();
    if (failed_) return kNoNode;
    if (op == kEq || op == kApprox || op == kImplies || op == kTo) return right;
    const NodeId blank = tree_.Symbol("_");
    return FinishRelation({blank, right}, std::string(1, op));
  }

  char ParseRelationOp() {
    bool negated = false;
    if (Is(Tok::kNot)) {
      negated = true;
      Next();
      if (!Is(Tok::kRel)) {
        Fail();
        return 0;
      }
    }
    if (Is(Tok::kRel)) {
      const char op = static_cast<char>(T().aux);
      Next();
      if (!negated) return op;
      return op == kEq ? static_cast<char>(kNe) : op == kIn ? static_cast<char>(kNotIn) : 'X';
    }
    if (Is(Tok::kWord) && IsEqualsWord(T().text) && !(Ahead(1).kind == Tok::kWord)) {
      Next();
      return kEq;
    }
    if (Is(Tok::kWord) && T().text == "in" && !IsItemEnd(Ahead(1))) {
      Next();
      return kIn;
    }
    if (Is(Tok::kBar) && bar_level_ == 0 && depth_ <= 1 && builder_ == 0 && bars_after_[p_] == 0) {
      Next();
      return kDivides;
    }
    return 0;
  }

  // Words that lead in an answer. False: words that make the rest unreadable.
  bool SkipLeadIn() {
    for (int guard = 0; guard < 8; ++guard) {
      if (!Is(Tok::kText) && !Is(Tok::kWord)) return true;
      size_t end = p_;
      std::string phrase = Phrase(&end);
      const Token& after = t_[std::min(end, t_.size() - 1)];
      if (IsConjunction(phrase)) {
        Next();
        continue;
      }
      const bool at_end =
          after.kind == Tok::kEnd || after.kind == Tok::kComma || after.kind == Tok::kSemi ||
          after.kind == Tok::kClose || after.kind == Tok::kGroupClose || after.kind == Tok::kRel ||
          after.kind == Tok::kText || after.kind == Tok::kRowSep || after.kind == Tok::kEndEnv;
      if (at_end || !IsLeadIn(phrase)) return true;
      p_ = end;
      while (Is(Tok::kColon) || IsA(Tok::kRel, kEq)) Next();
    }
    return true;
  }

  // The run of words from the token at hand, in normal form; *end: the token behind it.
  std::string Phrase(size_t* end) const {
    size_t i = p_;
    std::string raw;
    while (t_[i].kind == Tok::kText || t_[i].kind == Tok::kWord ||
           (t_[i].kind == Tok::kLetter && i > p_ && t_[i].space && t_[i - 1].kind != Tok::kLetter &&
            t_[i + 1].kind == Tok::kWord)) {
      if (i > p_ && IsConjunction(NormalizeWords(t_[i].text)) && !NumberWord(NormalizeWords(raw)))
        break;
      raw += ' ';
      raw += t_[i].text;
      ++i;
    }
    *end = i;
    return NormalizeWords(raw);
  }

  bool IsItemEnd(const Token& t) const {
    return t.kind == Tok::kEnd || t.kind == Tok::kComma || t.kind == Tok::kSemi ||
           t.kind == Tok::kClose || t.kind == Tok::kGroupClose || t.kind == Tok::kRowSep ||
           t.kind == Tok::kEndEnv || t.kind == Tok::kAmp ||
           ((t.kind == Tok::kText || t.kind == Tok::kWord) &&
            IsConjunction(NormalizeWords(t.text)));
  }

  // Words where an expression could stand: a number spelled out, the name on the left of a relation, or a text answer.
  NodeId TryWords() {
    if (Is(Tok::kWord) && IsLetterProduct(T(), false) && !WordAlone() && !WordAhead() &&
        !NumberedWord())
      return kNoNode;
    if (!Is(Tok::kText) && !Is(Tok::kWord)) return kNoNode;
    size_t end = p_;
    const std::string phrase = Phrase(&end);
    const Token& after = t_[end];
    if (const auto number = ReadNumberPhrase(phrase)) {
      p_ = end;
      return Trailing(tree_.Number(number->num, number->den));
    }
    if (IsItemEnd(after)) {
      if (end == p_ + 1 && Is(Tok::kWord) && IsLetterProduct(T(), true)) return kNoNode;
      p_ = end;
      return WordsNode(phrase);
    }
    if (after.kind == Tok::kRel || after.kind == Tok::kNot) {
      if (end == p_ + 1 && Is(Tok::kWord) && T().text.size() <= 3 && !IsHigh(T().text[0]))
        return kNoNode;
      p_ = end;
      const NodeId left = tree_.Symbol("text:" + phrase);
      const char op = ParseRelationOp();
      if (op == 0 || AtListEnd()) return Fail();
      const NodeId right = ParseOperand();
      if (failed_) return kNoNode;
      return FinishRelation({left, right}, std::string(1, op));
    }
    if (Is(Tok::kText)) return Fail();
    // "abc/2": a product of letters in an expression; "Option 3 is": not an expression.
    if (after.kind == Tok::kNumber || end > p_ + 1 || IsHigh(T().text[0])) return Fail();
    return kNoNode;
  }

  // june 6, room 12
  bool NumberedWord() const {
    return T().text.size() >= 3 && Ahead(1).kind == Tok::kNumber && Ahead(1).space;
  }
  bool WordAhead() const { return Ahead(1).kind == Tok::kWord && Ahead(1).space; }
  bool WordAlone() const { return IsItemEnd(Ahead(1)); }

  NodeId WordsNode(const std::string& phrase) {
    if (phrase.empty()) return kNoNode;
    if (phrase == "infinity" || phrase == "positive infinity") return tree_.Const(ConstId::kInf);
    if (phrase == "negative infinity") return tree_.Neg(tree_.Const(ConstId::kInf));
    if (phrase == "noon" || phrase == "midnight")
      return tree_.Add(Op::kTime, {tree_.Number(12), tree_.Number(0)}, phrase == "noon" ? 2 : 1);
    if (phrase == "no solution" || phrase == "empty set") return tree_.Add(Op::kNamedSet, {}, 0);
    if (phrase == "all real numbers" || phrase == "all reals" || phrase == "real numbers" ||
        phrase == "reals") {
      return tree_.Add(Op::kNamedSet, {}, 'R');
    }
    return tree_.Named(Op::kText, phrase);
  }

  // True if the letters of a word are likelier variables than a word: two letters, or letters that go together as variables.
  static bool IsLetterProduct(const Token& t, bool alone) {
    const std::string_view w = t.text;
    if (IsHigh(w[0])) return false;
    static constexpr std::string_view kNotProducts[] = {"no", "is", "or", "in", "to", "of",
                                                        "at", "by", "we", "us", "it", "as",
                                                        "an", "on", "so", "am", "pm", "if"};
    for (const std::string_view n : kNotProducts) {
      if (w == n) return false;
    }
    if (w.size() == 2) return true;
    if (w.size() > 8) return false;
    if (!alone) {
      return w.size() <= 4;
    }
    const auto all_in = [w](std::string_view set) {
      return std::all_of(w.begin(), w.end(),
                         [set](char c) { return set.find(c) != std::string_view::npos; });
    };
    if (w.size() <= 4 && (all_in("xyzwuvt") || all_in("pqrst") || all_in("kmn"))) return true;
    std::string sorted(w);
    std::sort(sorted.begin(), sorted.end());
    return sorted == "abc";
  }

  // ---- operands: set expressions, ratios, quantities

  NodeId ParseOperand() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (Is(Tok::kText) || (Is(Tok::kWord) && !IsLetterProduct(T(), false))) {
      if (const NodeId words = OperandWords(); words != kNoNode || failed_) return words;
    }
    NodeId left = ParseSetTerm();
    int signs = 0;
    while (!failed_ && Is(Tok::kSetOp)) {
      const int aux = T().aux;
      if (++signs > 64) Limit();
      Ids sets = {left};
      while (!failed_ && IsA(Tok::kSetOp, aux) && (aux == 0 || sets.size() < 2)) {
        Next();
        sets.push_back(ParseSetTerm());
      }
      if (failed_) return kNoNode;
      left = MakeList(aux == 0 ? Op::kUnion : aux == 1 ? Op::kIntersect : Op::kMinus, sets);
    }
    return left;
  }

  // Right side of a relation in words: x = five, answer = yes.
  NodeId OperandWords() {
    size_t end = p_;
    const std::string phrase = Phrase(&end);
    if (const auto number = ReadNumberPhrase(phrase)) {
      p_ = end;
      return Trailing(tree_.Number(number->num, number->den));
    }
    if (!IsItemEnd(t_[end]) && t_[end].kind != Tok::kRel) return Is(Tok::kText) ? Fail() : kNoNode;
    if (Is(Tok::kWord) && end == p_ + 1 && IsLetterProduct(T(), true)) return kNoNode;
    p_ = end;
    return WordsNode(phrase);
  }

  NodeId ParseSetTerm() {
    NodeId first = ParseAdditive();
    if (failed_) return kNoNode;
    if (Is(Tok::kColon) && builder_ == 0) first = ParseRatio(first);
    if (failed_) return kNoNode;
    if ((Is(Tok::kWord) || Is(Tok::kText)) && T().text == "to" && Ahead(1).kind == Tok::kNumber &&
        IsItemEnd(Ahead(2))) {
      Next();
      const NodeId second = ParseAdditive();
      return failed_ ? kNoNode : tree_.Add(Op::kRatio, {first, second});
    }
    return Trailing(first);
  }

  NodeId ParseRatio(NodeId first) {
    Ids parts = {first};
    int time_like =
        tree_[first].op == Op::kNum && tree_[first].den == 1 && tree_[first].num <= 24 ? 1 : 0;
    while (Is(Tok::kColon) && parts.size() < 16) {
      if (Ahead(1).kind == Tok::kEnd) break;
      Next();
      const Token token = T();
      const NodeId part = ParseAdditive();
      if (failed_) return kNoNode;
      const bool minutes = token.kind == Tok::kNumber && token.text.size() == 2 && token.aux == 0 &&
                           !token.space && tree_[part].op == Op::kNum && tree_[part].num < 60;
      if (!minutes) time_like = 0;
      if (time_like != 0 && token.text[0] == '0') time_like = 2;
      parts.push_back(part);
    }
    if (parts.size() == 1) return first;
    if (parts.size() > 3) time_like = 0;
    const NodeId ratio = tree_.Add(Op::kRatio, parts.data(), static_cast<uint32_t>(parts.size()),
                                   static_cast<uint8_t>(time_like));
    return ratio;
  }

  // What may stand behind a value: am, percent, degrees, units and other words.
  NodeId Trailing(NodeId value) {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (const int half = HalfDay()) {
      Ids parts;
      if (tree_[value].op == Op::kRatio) {
        for (uint32_t k = 0; k < tree_[value].n; ++k) parts.push_back(tree_.Kid(value, k));
      } else {
        parts = {value, tree_.Number(0)};
      }
      return tree_.Add(Op::kTime, parts.data(), static_cast<uint32_t>(parts.size()),
                       static_cast<uint8_t>(half));
    }
    if (Is(Tok::kMoney) && (IsItemEnd(Ahead(1)) || Ahead(1).kind == Tok::kRel)) {
      const char* unit = MoneyName(static_cast<char>(T().aux));
      Next();
      return tree_.Named(Op::kQuantity, unit, {value}, 1);
    }
    if (!Is(Tok::kText) && !Is(Tok::kWord)) return value;
    if (AtConjunction() ||
        (Is(Tok::kWord) && (IsEqualsWord(T().text) || (T().text == "in" && !IsItemEnd(Ahead(1))) ||
                            IsCondition(NormalizeWords(T().text))))) {
      return value;
    }
    return TrailingWords(value);
  }

  // "a.m.": two letters with a full stop between them behind a number.
  bool AtDottedHalfDay() const {
    return Is(Tok::kLetter) && (T().text == "a" || T().text == "p") && p_ > 0 &&
           t_[p_ - 1].kind == Tok::kNumber && Ahead(1).kind == Tok::kLetter &&
           Ahead(1).text == "m" && size_t{T().pos} + 1 < text_.size() &&
           text_[T().pos + 1] == '.' && IsItemEnd(Ahead(2));
  }

  // 1 for a.m., 2 for p.m., consumed; else 0.
  int HalfDay() {
    if (Is(Tok::kText) || Is(Tok::kWord)) {
      const std::string w = NormalizeWords(T().text);
      if (w == "am" || w == "pm") {
        Next();
        return w == "am" ? 1 : 2;
      }
    }
    if (AtDottedHalfDay() || (Is(Tok::kLetter) && (T().text == "a" || T().text == "p") &&
                              Ahead(1).kind == Tok::kLetter && Ahead(1).text == "m" && T().space &&
                              Ahead(1).space && IsItemEnd(Ahead(2)))) {
      const int half = T().text == "a" ? 1 : 2;
      Next();
      Next();
      return half;
    }
    return 0;
  }

  NodeId TrailingWords(NodeId value) {
    const std::string first = NormalizeWords(T().text);
    const bool per_cent = first == "per" && NormalizeWords(Ahead(1).text) == "cent";
    if (per_cent) Next();
    if (IsPercentWord(first) || per_cent) {
      Next();
      return Trailing(tree_.Add(Op::kPercent, {value}));
    }
    if (const int64_t factor = Multiplier(first)) {
      Next();
      return Trailing(tree_.Add(Op::kMul, {value, tree_.Number(factor)}));
    }
    std::string raw;
    const size_t words_begin = p_;
    while (!IsItemEnd(T()) && !Is(Tok::kRel) && !Is(Tok::kBar) && !failed_) {
      switch (T().kind) {
        case Tok::kText:
        case Tok::kWord:
        case Tok::kLetter:
        case Tok::kNumber:
          if (Is(Tok::kNumber) && T().space && p_ > words_begin) {
            if (const NodeId sum = TryCompound(value, raw); sum != kNoNode) return sum;
            // "15 lub 16": what holds another number is no unit.
            return Fail();
          }
          if (T().space || !raw.empty()) raw += ' ';
          raw += T().text;
          break;
        case Tok::kCaret:
          raw += '^';
          break;
        case Tok::kSlash:
          raw += '/';
          break;
        case Tok::kMinus:
          raw += '-';
          break;
        case Tok::kStar:
        case Tok::kGroupOpen:
        case Tok::kPrime:
          raw += ' ';
          break;
        case Tok::kOpen:
        case Tok::kColon:
          break;
        default:
          return Fail();
      }
      Next();
      // The closing brace of an exponent: cm^{2}.
      while (Is(Tok::kGroupClose) && !raw.empty() && open_groups_ == 0) Next();
    }
    const std::string words = NormalizeWords(raw);
    if (HasNegation(words) || raw.find('?') != std::string::npos) return Fail();
    if (words.empty()) return value;
    if (words == "degrees" || words == "degree") return tree_.Add(Op::kDegree, {value});
    return tree_.Named(Op::kQuantity, raw, {value});
  }

  // "2 hours 30 minutes", "5 ft 6 in": a second value in a unit of the same dimension.
  NodeId TryCompound(NodeId value, const std::string& raw) {
    const Unit unit = ParseUnit(raw);
    const Token& next = Ahead(1);
    if (!unit.known || (next.kind != Tok::kWord && next.kind != Tok::kText)) return kNoNode;
    const Unit second = ParseUnit(next.text);
    __int128 num = static_cast<__int128>(second.num) * unit.den;
    __int128 den = static_cast<__int128>(second.den) * unit.num;
    if (!second.known || second.dimension != unit.dimension || num > INT64_MAX || den > INT64_MAX)
      return kNoNode;
    const NodeId more = LiteralNode(T().text);
    if (failed_) return kNoNode;
    Next();
    Next();
    const NodeId scale = tree_.Number(static_cast<int64_t>(num), static_cast<int64_t>(den));
    const NodeId sum = tree_.Add(Op::kAdd, {value, tree_.Add(Op::kMul, {more, scale})});
    if (Is(Tok::kNumber)) {
      if (const NodeId third = TryCompound(sum, raw); third != kNoNode) return third;
    }
    return IsItemEnd(T()) ? tree_.Named(Op::kQuantity, raw, {sum}) : Fail();
  }

  // ---- arithmetic

  NodeId ParseAdditive() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    Ids terms;
    bool first = true;
    while (!failed_) {
      int sign = 1;
      int pm = -1;
      if (Is(Tok::kPlus) || Is(Tok::kMinus)) {
        sign = Is(Tok::kMinus) ? -1 : 1;
        Next();
      } else if (Is(Tok::kPm)) {
        pm = T().aux;
        Next();
      } else if (!first) {
        break;
      }
      NodeId term = ParseTerm(sign < 0);
      if (failed_) return kNoNode;
      if (pm >= 0) term = tree_.Add(Op::kPm, {term}, static_cast<uint8_t>(pm));
      terms.push_back(term);
      first = false;
      if (diff_seen_ > 0 && diff_seen_ == integrals_) break;
      if (Dead()) return kNoNode;
    }
    if (terms.empty()) return Fail();
    if (terms.size() == 1) return terms[0];
    return tree_.Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
  }

  // Products and quotients, left to right; a product without signs binds tighter than a slash. Chains stay flat: the tree
  // does not get deeper with every sign.
  NodeId ParseTerm(bool negate = false) {
    Ids above;
    Ids below;
    int mods = 0;
    above.push_back(ParseJuxtaposed(false));
    if (failed_) return kNoNode;
    if (negate && (Is(Tok::kMod) || Is(Tok::kSlash) || Is(Tok::kStar))) {
      // -7 mod 3 is (-7) mod 3.
      above[0] = tree_.Neg(above[0]);
      negate = false;
    }
    while (!Dead()) {
      if (Is(Tok::kStar)) {
        Next();
        if (AtListEnd() && depth_ <= 2) return Fail();
        above.push_back(ParseJuxtaposed(false));
      } else if (Is(Tok::kSlash)) {
        Next();
        below.push_back(ParseJuxtaposed(true));
        if (!failed_ && slash_left_ && StartsFactor()) above.push_back(ParseJuxtaposed(false));
      } else if (Is(Tok::kMod) && ++mods <= 16) {
        Next();
        const NodeId right = ParseJuxtaposed(false);
        if (failed_) return kNoNode;
        above = {tree_.Add(Op::kMod, {Quotient(above, below), right})};
        below.clear();
      } else {
        break;
      }
    }
    if (failed_) return kNoNode;
    const NodeId value = Quotient(above, below);
    return negate ? tree_.Neg(value) : value;
  }

  NodeId Product(const Ids& factors) {
    if (factors.size() == 1) return factors[0];
    return tree_.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
  }

  NodeId Quotient(const Ids& above, const Ids& below) {
    const NodeId top = Product(above);
    return below.empty() ? top : tree_.Add(Op::kDiv, {top, Product(below)});
  }

  bool StartsFactor() const {
    const Token& t = T();
    switch (t.kind) {
      case Tok::kLetter:
      case Tok::kGreek:
      case Tok::kConst:
      case Tok::kFunc:
      case Tok::kLog:
      case Tok::kNary:
      case Tok::kFrac:
      case Tok::kSqrt:
      case Tok::kBinom:
      case Tok::kFn:
      case Tok::kStyled:
      case Tok::kBoxed:
      case Tok::kBegin:
      case Tok::kOpen:
      case Tok::kGroupOpen:
      case Tok::kBarOpen:
      case Tok::kNumber:
      case Tok::kIgnored:
        return !(t.kind == Tok::kOpen && Ahead(1).kind == Tok::kMod) && !AtDottedHalfDay();
      case Tok::kNormBar:
        return norm_level_ == 0;
      case Tok::kUnknown:
        return !t.text.empty();
      case Tok::kBar:
        return BarOpens();
      case Tok::kWord:
        return WordIsFactor();
      default:
        return false;
    }
  }

  // Where an operator could stand, does this bar open a new absolute value?
  bool BarOpens() const {
    if (T().aux == 1 || builder_ > 0) return false;
    const int after = bars_after_[p_];
    if (bar_level_ == 0) return after % 2 == 1;
    const Token& next = Ahead(1);
    if (next.kind == Tok::kBar) return false;
    const bool begins = next.kind == Tok::kLetter || next.kind == Tok::kNumber ||
                        next.kind == Tok::kGreek || next.kind == Tok::kFrac ||
                        next.kind == Tok::kSqrt || next.kind == Tok::kOpen;
    return begins && after + 1 - bar_level_ >= 2;
  }

  // A word behind a factor: letters to multiply, or words that trail.
  bool WordIsFactor() const {
    const Token& t = T();
    if (IsHigh(t.text[0]) || IsConjunction(NormalizeWords(t.text)) || IsEqualsWord(t.text) ||
        t.text == "in" || (t.text == "to" && t.space))
      return false;
    const bool after_number =
        p_ > 0 && (t_[p_ - 1].kind == Tok::kNumber || t_[p_ - 1].kind == Tok::kGroupClose);
    if (integrals_ > 0 && t.text.size() <= 3) return true;
    if (IsUnitWord(t.text) && (after_number || t.space)) return false;
    if (IsCondition(t.text)) return false;
    if (t.space && after_number && Ahead(1).kind == Tok::kWord) return false;  // 18 sq units
    if (t.text == "am" || t.text == "pm" || t.text == "AM" || t.text == "PM") return false;
    if (t.space && after_number && (t.text == "sq" || t.text == "cu")) return false;
    if (t.space && t.text.size() >= 3) return t.text.size() == 3 && IsLetterProduct(t, true);
    if (t.text.size() > 6) return false;
    return t.text.size() <= 3 || !t.space;
  }

  // Factors side by side. `divisor`: behind a slash, where more than one factor is ambiguous.
  NodeId ParseJuxtaposed(bool divisor) {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (Is(Tok::kPlus) || Is(Tok::kMinus)) {
      const bool minus = Is(Tok::kMinus);
      Next();
      const NodeId x = ParseJuxtaposed(divisor);
      return failed_ || !minus ? x : tree_.Neg(x);
    }
    if (Is(Tok::kPm)) {
      const uint8_t aux = T().aux;
      Next();
      const NodeId x = ParseJuxtaposed(divisor);
      return failed_ ? x : tree_.Add(Op::kPm, {x}, aux);
    }
    Ids factors;
    while (!failed_) {
      const bool number = Is(Tok::kNumber);
      if (number && !factors.empty() && last_was_number_ && !MixedNumberAhead()) break;
      NodeId f = ParsePower();
      if (failed_) return kNoNode;
      last_was_number_ = number && tree_[f].op == Op::kNum;
      factors.push_back(f);
      if (diff_seen_ > 0 && diff_seen_ == integrals_) break;
      if (Is(Tok::kWord) && !in_word_) {
        if (!WordIsFactor()) break;
        EnterWord();
      }
      if (!StartsFactor()) break;
      if (divisor) {
        slash_ambiguous_ = true;
        if (slash_left_) break;
      }
      if (Dead()) return kNoNode;
    }
    if (factors.size() == 1) return factors[0];
    // 30^\circ 15' 20'': degrees, minutes and seconds add up.
    bool arc = true;
    for (size_t k = 0; k < factors.size(); ++k)
      arc = arc && tree_[factors[k]].op == Op::kDegree && tree_[factors[k]].aux == k;
    return tree_.Add(arc ? Op::kAdd : Op::kMul, factors.data(),
                     static_cast<uint32_t>(factors.size()));
  }

  bool MixedNumberAhead() const { return Is(Tok::kNumber) && Ahead(1).kind == Tok::kFrac; }

  // ---- powers and what hangs behind a factor

  NodeId ParsePower() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    NodeId base = ParsePrimary();
    if (failed_) return kNoNode;
    return ParsePostfix(base);
  }

  NodeId ParsePostfix(NodeId base) {
    for (int guard = 0; !Dead(); ++guard) {
      if (guard > kMaxPostfix) return Fail();
      switch (T().kind) {
        case Tok::kUnder:
          if (tree_[base].op != Op::kNamedSet) return base;
          Next();
          base = RealPart(base);
          break;
        case Tok::kCaret: {
          Next();
          if (tree_[base].op == Op::kNamedSet && !Is(Tok::kNumber)) {
            base = RealPart(base);
            break;
          }
          if (Is(Tok::kPrime) || (IsA(Tok::kGroupOpen, 0) && Ahead(1).kind == Tok::kPrime)) {
            base = PrimeName(base);
            break;
          }
          if (Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kDegree &&
              Ahead(2).kind == Tok::kGroupClose) {
            Next();
            const uint8_t aux = T().aux;
            Next();
            Next();
            base = DegreeNode(base, aux);
            break;
          }
          if (Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kGroupClose) {
            Next();
            Next();
            break;
          }
          const NodeId e = ParseScript();
          if (failed_) return kNoNode;
          base = tree_.Add(Op::kPow, {base, e});
          break;
        }
        case Tok::kBang: {
          int n = 0;
          while (Is(Tok::kBang)) {
            ++n;
            Next();
          }
          if (n == 2) {
            base = tree_.Add(Op::kFact, {base}, 2);  // the double factorial
            break;
          }
          if (n > kMaxPostfix) return Fail();
          for (int k = 0; k < n && !Dead(); ++k) base = tree_.Add(Op::kFact, {base}, 1);
          break;
        }
        case Tok::kPercent:
          Next();
          base = tree_.Add(Op::kPercent, {base});
          break;
        case Tok::kDegree:
          Next();
          base = DegreeNode(base, t_[p_ - 1].aux);
          break;
        case Tok::kPrime:
          base = PrimeName(base);
          break;
        default:
          return base;
      }
    }
    return failed_ ? kNoNode : base;
  }

  // R^+, R_{>0}, R^*, R_{\ge 0}: the part of the real line that the sign behind R means.
  NodeId RealPart(NodeId base) {
    if (tree_[base].aux != 'R') return Fail();
    const std::string sign = RawScript();
    if (failed_) return kNoNode;
    const NodeId zero = tree_.Number(0);
    const NodeId top = tree_.Const(ConstId::kInf);
    if (sign == "+" || sign == ">0" || sign == "++" || sign == "*+" || sign == "+*")
      return tree_.Add(Op::kInterval, {zero, top}, 0);
    if (sign == std::string(1, kGe) + "0") return tree_.Add(Op::kInterval, {zero, top}, 1);
    if (sign == "-" || sign == "<0") return tree_.Add(Op::kInterval, {tree_.Neg(top), zero}, 0);
    if (sign == std::string(1, kLe) + "0")
      return tree_.Add(Op::kInterval, {tree_.Neg(top), zero}, 2);
    if (sign == "*" || sign == "#0")
      return tree_.Add(Op::kMinus, {base, tree_.Add(Op::kSet, {zero})});
    return Fail();
  }

  // 90^\circ; 25^\circ C is a temperature.
  NodeId DegreeNode(NodeId base, uint8_t aux) {
    const bool scale = (Is(Tok::kLetter) || Is(Tok::kText)) && (T().text == "C" || T().text == "F");
    if (aux != 0 || !scale || !IsItemEnd(Ahead(1))) return tree_.Add(Op::kDegree, {base}, aux);
    const char* name = T().text == "C" ? "celsius" : "fahrenheit";
    Next();
    return tree_.Named(Op::kQuantity, name, {base});
  }

  // f' and y^{\prime}: part of the name. Behind a number: arc minutes and seconds.
  NodeId PrimeName(NodeId base) {
    const bool group = Is(Tok::kGroupOpen);
    if (group) Next();
    int primes = 0;
    while (Is(Tok::kPrime)) {
      ++primes;
      Next();
    }
    if (group) {
      if (!Is(Tok::kGroupClose)) return Fail();
      Next();
    }
    const Node& n = tree_[base];
    if (n.op == Op::kSym || n.op == Op::kApply) {
      const std::string name = tree_.Name(base) + std::string(static_cast<size_t>(primes), '\'');
      if (n.op == Op::kSym) return ApplyOrSymbol(name, true);
      tree_.nodes[base].num = tree_.Intern(name);
      return base;
    }
    if (n.op == Op::kNum || n.op == Op::kBig)
      return tree_.Add(Op::kDegree, {base}, primes == 1 ? 1 : 2);
    return Fail();
  }

  // The argument of ^: a group, or one token with its sign.
  NodeId ParseScript(bool chain = true) {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (Is(Tok::kPlus) || Is(Tok::kMinus)) {
      const bool minus = Is(Tok::kMinus);
      Next();
      const NodeId x = ParseScript(chain);
      return failed_ || !minus ? x : tree_.Neg(x);
    }
    if (Is(Tok::kGroupOpen)) return ParseGroup();
    if (Is(Tok::kLetter)) {
      const NodeId x = LetterNode(T().text);
      Next();
      // Plain text: 2**x**2 and e^x^2 group from the right.
      if (chain && Is(Tok::kCaret) && !in_word_) {
        Next();
        const NodeId e = ParseScript();
        return failed_ ? kNoNode : tree_.Add(Op::kPow, {x, e});
      }
      return x;
    }
    if (Is(Tok::kWord)) {
      if (IsHigh(T().text[0])) return Fail();
      EnterWord();
      const NodeId x = LetterNode(T().text);
      Next();
      return x;
    }
    if (Is(Tok::kText)) return Fail();
    NodeId x = kNoNode;
    if (Is(Tok::kNumber)) {
      x = LiteralNode(T().text);  // an underscore behind it belongs to the base, not to the number
      Next();
    } else {
      x = ParsePrimary();
    }
    if (failed_) return kNoNode;
    if (chain && Is(Tok::kCaret)) {
      Next();
      const NodeId e = ParseScript();
      return failed_ ? kNoNode : tree_.Add(Op::kPow, {x, e});
    }
    if (Is(Tok::kBang)) {
      Next();
      return tree_.Add(Op::kFact, {x}, 1);
    }
    return x;
  }

  // ---- primaries

  NodeId ParsePrimary() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    const Token& t = T();
    switch (t.kind) {
      case Tok::kNumber:
        return ParseNumber();
      case Tok::kLetter:
        if (AtLetterNumeral()) return TryBase();
        return ParseLetter();
      case Tok::kGreek:
        return ParseLetter();
      case Tok::kUnder:
      case Tok::kCaret:
        return ParseChoiceNumber();
      case Tok::kConst:
        Next();
        return tree_.Const(static_cast<ConstId>(t.aux));
      case Tok::kFunc:
      case Tok::kLog:
        return ParseFunction();
      case Tok::kFn:
        return ParseSeveral();
      case Tok::kNary:
        return ParseNary();
      case Tok::kFrac:
        return ParseFraction();
      case Tok::kSqrt:
        return ParseRoot();
      case Tok::kBinom:
        return ParseBinomial();
      case Tok::kBoxed:
        return ParseBoxed();
      case Tok::kStyled:
        return ParseStyled();
      case Tok::kOpen:
        return ParseBrackets();
      case Tok::kGroupOpen:
        return ParseGroup();
      case Tok::kBar:
      case Tok::kBarOpen:
        return ParseBars();
      case Tok::kNormBar:
        return ParseNorm();
      case Tok::kBegin:
        return ParseEnvironment();
      case Tok::kNamedSet:
        Next();
        return tree_.Add(Op::kNamedSet, {}, t.aux);
      case Tok::kMoney:
        return ParseMoney();
      case Tok::kIgnored:
        Next();
        return ParsePrimary();
      case Tok::kEllipsis:
        Next();
        return tree_.Symbol("...");
      case Tok::kUnknown:
        if (t.text.empty()) return Fail();
        return ParseUnknown();
      case Tok::kWord:
        if (AtLetterNumeral()) return TryBase();
        if (IsHigh(t.text[0]) || t.text.size() > 12) return Fail();
        EnterWord();
        return ParseLetter();
      default:
        return Fail();
    }
  }

  // Commas in a box part the items of a list, not of a set.
  NodeId ParseBoxed() {
    Next();
    const NodeId x = ParseArgument();
    if (!failed_ && tree_[x].op == Op::kSet && box_braces_ == x) tree_.nodes[x].op = Op::kList;
    return x;
  }

  NodeId ParseUnknown() {
    std::string name = "\\" + std::string(T().text);
    Next();
    Ids args;
    while (Is(Tok::kGroupOpen) && args.size() < 4) {
      args.push_back(ParseGroup());
      if (failed_) return kNoNode;
    }
    if (args.empty()) return tree_.Symbol(name);
    const NodeId id = tree_.Add(Op::kApply, args.data(), static_cast<uint32_t>(args.size()));
    tree_.nodes[id].num = tree_.Intern(name);
    return id;
  }

  static const char* MoneyName(char sign) {
    return sign == 'e' ? "euro" : sign == 'p' ? "gbp" : sign == 'y' ? "yen" : "dollars";
  }

  NodeId ParseMoney() {
    const char sign = static_cast<char>(T().aux);
    Next();
    if (AtListEnd() || AtSeparator()) return Fail();
    const NodeId value = ParsePower();
    if (failed_) return kNoNode;
    return tree_.Named(Op::kQuantity, MoneyName(sign), {value}, 1);
  }

  // ---- numbers

  NodeId ParseNumber() {
    const Token token = T();
    if (const NodeId based = TryBase(); based != kNoNode || failed_) return based;
    Next();
    const NodeId n = LiteralNode(token.text);
    if (failed_) return kNoNode;
    if (token.aux != 0) tree_.nodes[n].flags |= kDecimal;
    if (plain_) {
      if (const NodeId quantity = TryLetterUnit(n); quantity != kNoNode) return quantity;
    } else if (const auto [unit, count] = LetterUnitAhead(); count != 0) {
      unit_ambiguous_ = true;
      if (units_) {
        p_ += count;
        return tree_.Named(Op::kQuantity, unit, {n});
      }
    }
    return token.aux != 0 ? n : TryMixed(n);
  }

  // "5 L" and "20 m/s^2" at the very end, which TeX would read as products: the unit, and how many tokens it takes (0: none).
  std::pair<std::string, size_t> LetterUnitAhead() const {
    std::string unit;
    if (!(Is(Tok::kLetter) || Is(Tok::kWord)) || !T().space || in_word_) return {};
    size_t count = 0;
    for (; Ahead(count).kind != Tok::kEnd; ++count) {
      const Token& t = Ahead(count);
      if (count > 12) return {};
      switch (t.kind) {
        case Tok::kLetter:
        case Tok::kWord:
        case Tok::kNumber:
          unit += t.text;
          break;
        case Tok::kSlash:
          unit += '/';
          break;
        case Tok::kCaret:
          unit += '^';
          break;
        case Tok::kMinus:
          unit += '-';
          break;
        case Tok::kGroupOpen:
        case Tok::kGroupClose:
          break;
        default:
          return {};
      }
    }
    return {unit, ParseUnit(unit).known ? count : 0};
  }

  // Plain text only: 79 g and 12 m^2 at the end of an item, where LaTeX would have said \text.
  NodeId TryLetterUnit(NodeId value) {
    if (!Is(Tok::kLetter) || std::strchr("mgshlLNJWVA", T().text[0]) == nullptr ||
        T().text.size() != 1)
      return kNoNode;
    std::string unit(T().text);
    size_t k = 1;
    if (Ahead(1).kind == Tok::kCaret) {
      const bool group = Ahead(2).kind == Tok::kGroupOpen;
      const Token& power = Ahead(group ? 3 : 2);
      if (power.kind != Tok::kNumber) return kNoNode;
      unit += "^" + std::string(power.text);
      k = group ? 5 : 3;
    } else if (!T().space) {
      return kNoNode;  // 3m is a product
    }
    if (!IsItemEnd(Ahead(k))) return kNoNode;
    p_ = std::min(p_ + k, t_.size() - 1);
    return tree_.Named(Op::kQuantity, unit, {value});
  }

  // 3\frac12, 3 1/2: whole part and proper fraction.
  NodeId TryMixed(NodeId whole) {
    if (tree_[whole].op != Op::kNum) return whole;
    if (Is(Tok::kNumber) && T().space && !T().aux && Ahead(1).kind == Tok::kSlash &&
        Ahead(2).kind == Tok::kNumber && !Ahead(2).aux) {
      const Token a = T();
      const Token b = Ahead(2);
      if (a.text.size() < 10 && b.text.size() < 10 && ToInt(a.text) < ToInt(b.text)) {
        Next();
        Next();
        Next();
        return MixedNode(whole, ToInt(a.text), ToInt(b.text));
      }
      return whole;
    }
    if (!Is(Tok::kFrac)) return whole;
    const size_t saved = p_;
    Next();
    int64_t num = 0;
    int64_t den = 0;
    if (DigitsArgument(&num) && DigitsArgument(&den) && num < den && num > 0)
      return MixedNode(whole, num, den);
    p_ = saved;
    pending_ = {};
    return whole;
  }

  static int64_t ToInt(std::string_view s) {
    int64_t v = 0;
    for (const char c : s.substr(0, 17)) v = v * 10 + (c - '0');
    return v;
  }

  NodeId MixedNode(NodeId whole, int64_t num, int64_t den) {
    const Node n = tree_[whole];
    const __int128 top = static_cast<__int128>(n.num) * den + num;
    if (n.den != 1 || top > INT64_MAX) return tree_.Add(Op::kAdd, {whole, tree_.Number(num, den)});
    return tree_.Number(static_cast<int64_t>(top), den);
  }

  // {12} or a digit as a fraction's argument; only digits. Consumes on success.
  bool DigitsArgument(int64_t* value) {
    if (Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kNumber && Ahead(2).kind == Tok::kGroupClose &&
        !Ahead(1).aux && Ahead(1).text.size() < 16 && pending_.empty()) {
      *value = ToInt(Ahead(1).text);
      p_ += 3;
      return true;
    }
    if (!pending_.empty()) {
      *value = pending_[0] - '0';
      pending_.remove_prefix(1);
      return pending_.empty();
    }
    if (Is(Tok::kNumber) && !T().aux && T().text.size() <= 2) {
      const std::string_view digits = T().text;
      *value = digits[0] - '0';
      pending_ = digits.substr(1);
      Next();
      return true;
    }
    return false;
  }

  // 204_5, 152A_{11}: the value of the numeral; kNoNode if there is no base.
  NodeId TryBase() {
    size_t i = p_;
    std::string digits;
    while (i < p_ + 32 && (i == p_ || !t_[i].space) &&
           (t_[i].kind == Tok::kNumber ||
            ((t_[i].kind == Tok::kLetter || t_[i].kind == Tok::kWord) && IsUpper(t_[i].text[0])))) {
      digits += t_[i].text;
      ++i;
    }
    if (t_[i].kind != Tok::kUnder || in_word_) return kNoNode;
    const bool group = t_[i + 1].kind == Tok::kGroupOpen;
    const size_t at = std::min(i + 1 + (group ? 1 : 0), t_.size() - 1);
    int64_t base = 0;
    if (t_[at].kind == Tok::kNumber && !t_[at].aux && t_[at].text.size() <= 2)
      base = ToInt(t_[at].text);
    if (t_[at].kind == Tok::kText || t_[at].kind == Tok::kWord)
      base = NumberWord(NormalizeWords(t_[at].text)).value_or(0);
    if (base < 2 || base > 36 || (group && t_[at + 1].kind != Tok::kGroupClose)) return Fail();
    const NodeId n = BaseValue(digits, base);
    if (failed_) return kNoNode;
    p_ = std::min(at + (group ? 2 : 1), t_.size() - 1);
    return n;
  }

  // FF_{16}, A3_{12}: a numeral that begins with a letter. One letter alone is a variable with an index.
  bool AtLetterNumeral() const {
    if (in_word_) return false;
    std::string digits;
    size_t i = p_;
    for (; i < p_ + 16 && (i == p_ || !t_[i].space) &&
           (t_[i].kind == Tok::kNumber || t_[i].kind == Tok::kLetter || t_[i].kind == Tok::kWord);
         ++i)
      digits += t_[i].text;
    if (digits.size() < 2 || t_[i].kind != Tok::kUnder) return false;
    const size_t at = std::min(i + (t_[i + 1].kind == Tok::kGroupOpen ? 2 : 1), t_.size() - 1);
    if (t_[at].kind != Tok::kNumber || t_[at].aux != 0 || t_[at].text.size() != 2) return false;
    const int64_t base = ToInt(t_[at].text);
    return base > 10 && base <= 36 && std::all_of(digits.begin(), digits.end(), [base](char c) {
             return IsUpper(c) ? c - 'A' + 10 < base : c >= '0' && c <= '9';
           });
  }

  // {}_nC_k, ^nC_k and the same with P.
  NodeId ParseChoiceNumber() {
    Next();
    const NodeId n = ParseScript(false);
    if (failed_) return kNoNode;
    if (!Is(Tok::kLetter) || (T().text != "C" && T().text != "P")) return Fail();
    const bool ordered = T().text == "P";
    Next();
    if (!Is(Tok::kUnder)) return Fail();
    Next();
    const NodeId k = ParseScript(false);
    if (failed_) return kNoNode;
    const NodeId choice = tree_.Add(Op::kBinom, {n, k});
    return ordered ? tree_.Add(Op::kMul, {choice, tree_.Add(Op::kFact, {k}, 1)}) : choice;
  }

  NodeId BaseValue(const std::string& digits, int64_t base) {
    __int128 value = 0;
    __int128 scale = 1;
    bool point = false;
    constexpr __int128 kMax = static_cast<__int128>(INT64_MAX);
    for (const char c : digits) {
      if (c == '.') {
        if (point) return Fail();
        point = true;
        continue;
      }
      const int d = c >= '0' && c <= '9' ? c - '0' : IsUpper(c) ? c - 'A' + 10 : 99;
      if (d >= base) return Fail();
      value = value * base + d;
      if (point) scale *= base;
      if (value > kMax || scale > kMax) return Fail();
    }
    const NodeId n = tree_.Number(static_cast<int64_t>(value), static_cast<int64_t>(scale));
    tree_.nodes[n].flags |= kBaseForm;
    return n;
  }

  // A number token: digits, a point, (repetend), exponent.
  NodeId LiteralNode(std::string_view s) {
    std::string mantissa;
    std::string repeat;
    int64_t scale = 0;
    bool point = false;
    size_t i = 0;
    for (; i < s.size() && s[i] != 'e'; ++i) {
      if (s[i] == '.') {
        point = true;
      } else if (s[i] == '(') {
        const size_t close = s.find(')', i);
        repeat = std::string(s.substr(i + 1, close - i - 1));
        i = close;
      } else {
        mantissa += s[i];
        if (point) --scale;
      }
    }
    if (i < s.size()) {
      const std::string_view e = s.substr(i + 1);
      const bool negative = !e.empty() && e[0] == '-';
      const std::string_view digits = e.substr(negative ? 1 : 0);
      if (digits.size() > 9) {
        Limit();
        return kNoNode;
      }
      scale += negative ? -ToInt(digits) : ToInt(digits);
    }
    if (!repeat.empty()) return RepeatingNode(mantissa, repeat, scale);
    return DecimalNode(mantissa, scale);
  }

  NodeId DecimalNode(const std::string& mantissa, int64_t scale) {
    const size_t first = std::min(mantissa.find_first_not_of('0'), mantissa.size());
    size_t last = mantissa.size();
    while (last > first && scale < 0 && mantissa[last - 1] == '0') --last, ++scale;
    const std::string_view digits = std::string_view(mantissa).substr(first, last - first);
    if (digits.empty()) return tree_.Number(0);
    if (digits.size() + static_cast<size_t>(scale > 0 ? std::min<int64_t>(scale, 100) : 0) <= 18 &&
        scale >= -18) {
      int64_t value = ToInt(digits);
      int64_t den = 1;
      for (int64_t k = 0; k < scale; ++k) value *= 10;
      for (int64_t k = 0; k > scale; --k) den *= 10;
      return tree_.Number(value, den);
    }
    Node n;
    n.op = Op::kBig;
    n.num = static_cast<int64_t>(tree_.bigs.size());
    n.den = scale;
    tree_.bigs.emplace_back(digits);
    tree_.nodes.push_back(n);
    return static_cast<NodeId>(tree_.nodes.size() - 1);
  }

  // m.(r) = (mr - m) / (10^k (10^r - 1)).
  NodeId RepeatingNode(const std::string& mantissa, const std::string& repeat, int64_t scale) {
    const NodeId whole = DecimalNode(mantissa, scale);
    const NodeId part = DecimalNode(repeat, 0);
    const std::string nines(repeat.size(), '9');
    const NodeId all = DecimalNode(nines, 0);
    const NodeId ten = DecimalNode("1", scale);
    return tree_.Add(Op::kAdd,
                     {whole, tree_.Add(Op::kMul, {tree_.Add(Op::kDiv, {part, all}), ten})});
  }

  // ---- names

  NodeId LetterNode(std::string_view letter) {
    if (letter == "e") return tree_.Const(ConstId::kE);
    if (letter == "i" && bound_i_ == 0) return tree_.Const(ConstId::kI);
    return tree_.Symbol(letter);
  }

  bool AtDiff() const {
    if (integrals_ == 0 || !Is(Tok::kLetter) || T().text != "d") return false;
    if (in_word_) return letter_at_ + 2 == t_[p_].text.size();
    const Token& n = Ahead(1);
    return (n.kind == Tok::kLetter || n.kind == Tok::kGreek);
  }

  NodeId ParseLetter() {
    if (AtDiff()) return ParseDiff();
    const Token token = T();
    const std::string name(token.text);
    const bool greek = token.kind == Tok::kGreek;
    Next();
    // x1 = 2: on the left of an equation an index, where a product would be written 1x.
    if (!in_word_ && !greek && Is(Tok::kNumber) && !T().space && T().aux == 0 &&
        Ahead(1).kind == Tok::kRel && Ahead(1).aux == kEq && T().text.size() <= 2) {
      const NodeId indexed = tree_.Symbol(name + "_" + std::string(T().text));
      Next();
      return indexed;
    }
    return FinishLetter(name, greek);
  }

  NodeId ParseDiff() {
    Next();
    const NodeId variable = tree_.Symbol(T().text);
    Next();
    diff_seen_ = integrals_;
    diff_variable_ = variable;
    return tree_.Add(Op::kDiff, {variable});
  }

  // Subscripts (on either side of a power), then an argument list if the name is a function's.
  NodeId FinishLetter(std::string name, bool greek) {
    NodeId exponent = kNoNode;
    if (in_word_) return greek ? tree_.Symbol(name) : LetterNode(name);
    if (Is(Tok::kCaret) && PowerBeforeSubscript()) {
      Next();
      exponent = ParseScript();
      if (failed_) return kNoNode;
    }
    if (Is(Tok::kUnder)) {
      Next();
      const std::string script = RawScript();
      if (failed_) return kNoNode;
      if (!script.empty()) name += "_" + script;
    }
    NodeId id;
    if (name == "e" && !greek) {
      id = tree_.Const(ConstId::kE);
    } else if (name == "i" && !greek && bound_i_ == 0) {
      id = tree_.Const(ConstId::kI);
    } else {
      id = ApplyOrSymbol(name, false);
    }
    if (failed_) return kNoNode;
    return exponent == kNoNode ? id : tree_.Add(Op::kPow, {id, exponent});
  }

  // x^2_1: is there an underscore behind the exponent?
  bool PowerBeforeSubscript() const {
    size_t i = p_ + 1;
    if (t_[i].kind == Tok::kGroupOpen) {
      int level = 0;
      const size_t limit = std::min(t_.size() - 1, i + 40);
      for (; i < limit; ++i) {
        if (t_[i].kind == Tok::kGroupOpen) ++level;
        if (t_[i].kind == Tok::kGroupClose && --level == 0) break;
      }
    }
    return i + 1 < t_.size() && t_[i + 1].kind == Tok::kUnder;
  }

  // The text of a subscript, without blanks and braces.
  std::string RawScript() {
    std::string raw;
    if (!Is(Tok::kGroupOpen)) {
      raw = Spell(T());
      if (raw.empty()) Fail();
      Next();
      return raw;
    }
    int level = 0;
    while (!AtEnd()) {
      if (Is(Tok::kGroupOpen)) {
        ++level;
      } else if (Is(Tok::kGroupClose)) {
        if (--level == 0) {
          Next();
          return raw;
        }
      } else {
        raw += Spell(T());
      }
      if (raw.size() > 200) break;
      Next();
    }
    Fail();
    return raw;
  }

  static std::string Spell(const Token& t) {
    switch (t.kind) {
      case Tok::kText:
        return NormalizeWords(t.text);
      case Tok::kPlus:
        return "+";
      case Tok::kMinus:
        return "-";
      case Tok::kComma:
        return ",";
      case Tok::kStar:
        return "*";
      case Tok::kSlash:
        return "/";
      case Tok::kCaret:
        return "^";
      case Tok::kUnder:
        return "_";
      case Tok::kPrime:
        return "'";
      case Tok::kOpen:
      case Tok::kClose:
        return std::string(1, static_cast<char>(t.aux));
      case Tok::kRel:
        return std::string(1, static_cast<char>(t.aux));
      case Tok::kConst:
        return "const" + std::to_string(t.aux);
      case Tok::kBar:
        return "|";
      case Tok::kFrac:
        return "frac";
      case Tok::kSqrt:
        return "sqrt";
      default:
        return std::string(t.text);
    }
  }

  // A name in front of brackets: f(x), P(A), x(0) are applications; n(n+1) is a product.
  NodeId ApplyOrSymbol(const std::string& name, bool primed) {
    const bool braces = Is(Tok::kGroupOpen) && IsA2(Tok::kOpen, '(') && !T().space;
    if (!braces && (!IsA(Tok::kOpen, '(') || T().space)) return tree_.Symbol(name);
    if (braces) Next();
    if (!primed && !IsApplication(name)) {
      if (braces) --p_;
      return tree_.Symbol(name);
    }
    Next();
    Ids args;
    ParseItems(&args);
    if (failed_ || !IsA(Tok::kClose, ')') || args.empty()) return Fail();
    Next();
    if (braces && !Accept(Tok::kGroupClose)) return Fail();
    if (name == "C" && args.size() == 2) return tree_.Add(Op::kBinom, {args[0], args[1]});
    if (name == "Gamma" && args.size() == 1) return tree_.Func(FuncId::kGamma, args[0]);
    const NodeId id = tree_.Add(Op::kApply, args.data(), static_cast<uint32_t>(args.size()));
    tree_.nodes[id].num = tree_.Intern(name);
    return id;
  }

  bool IsApplication(const std::string& name) const {
    static constexpr std::string_view kFunctions[] = {"f", "g", "h",     "F",
                                                      "G", "H", "Gamma", "zeta"};
    const std::string_view stem = std::string_view(name).substr(0, name.find('_'));
    for (const std::string_view f : kFunctions) {
      if (stem == f) return true;
    }
    const Tok first = Ahead(1).kind;
    const bool one = Ahead(2).kind == Tok::kClose;
    // C(10, 3) is a number of combinations; C(1, 2) names a point.
    if (name == "C" && first == Tok::kNumber && Ahead(2).kind == Tok::kComma &&
        Ahead(3).kind == Tok::kNumber && Ahead(4).kind == Tok::kClose && Ahead(1).aux == 0 &&
        Ahead(3).aux == 0 && Ahead(1).text.size() < 10 &&
        ToInt(Ahead(1).text) >= ToInt(Ahead(3).text))
      return true;
    // x(0), y(1) and P(2) are values of functions; x(1.2) and n(5) are products.
    if (first == Tok::kNumber && one)
      return IsUpper(name[0]) || Ahead(1).text == "0" || Ahead(1).text == "1";
    // P(X = 1), P(A | B)
    if (name == "P" && first == Tok::kLetter &&
        (Ahead(2).kind == Tok::kRel || Ahead(2).kind == Tok::kSetOp))
      return true;
    const bool letter = (first == Tok::kLetter || first == Tok::kGreek) && one;
    return letter && (IsUpper(name[0]) || name == "p" || name == "q" || name == "u" ||
                      name == "delta" || name == "phi" || name == "psi");
  }

  NodeId ParseStyled() {
    const int style = T().aux;
    Next();
    if (style == 1) return ParseStyledArgument();
    static constexpr const char* kNames[] = {"",    "",     "bar",   "hat",
                                             "dot", "ddot", "tilde", "overline"};
    if (style == 7 && Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kWord)
      return ParseStyledArgument();
    if ((style == 7 || style == 2) && ConjugateAhead()) {
      const NodeId z = ParseGroup();
      return failed_ ? kNoNode : tree_.Func(FuncId::kConj, z);
    }
    std::string raw = RawScript();
    if (failed_) return kNoNode;
    const std::string name = std::string(style == 7 ? "bar" : kNames[style]) + "(" + raw + ")";
    return FinishLetter(name, true);
  }

  // \overline{3+4i}: a group with a number, a sign and the imaginary unit.
  bool ConjugateAhead() const {
    bool unit = false;
    bool sign = false;
    if (!Is(Tok::kGroupOpen)) return false;
    for (size_t i = p_ + 1; i < std::min(t_.size(), p_ + 24); ++i) {
      if (t_[i].kind == Tok::kGroupClose) return unit && sign;
      unit = unit || (t_[i].kind == Tok::kLetter && t_[i].text == "i");
      sign = sign || t_[i].kind == Tok::kPlus || t_[i].kind == Tok::kMinus;
    }
    return false;
  }

  NodeId ParseStyledArgument() { return Is(Tok::kGroupOpen) ? ParseGroup() : ParsePrimary(); }

  // ---- functions

  // Optional power and base in either order; then the argument.
  NodeId ParseFunction() {
    const Token token = T();
    Next();
    NodeId power = kNoNode;
    NodeId base = kNoNode;
    for (int k = 0; k < 2; ++k) {
      if (Is(Tok::kCaret) && power == kNoNode) {
        Next();
        power = ParseScript(false);
      } else if (Is(Tok::kUnder) && base == kNoNode) {
        Next();
        base = ParseScript(false);
      }
      if (failed_) return kNoNode;
    }
    if (token.kind == Tok::kLog && base == kNoNode && token.aux == 0 && Is(Tok::kNumber) &&
        !T().space && (T().text == "2" || T().text == "10") && IsA2(Tok::kOpen, '(')) {
      base = LiteralNode(T().text);  // log2(8), log10(100)
      Next();
    }
    const NodeId arg = ParseFunctionArgument();
    if (failed_) return kNoNode;
    return FunctionNode(token, arg, power, base);
  }

  bool IsA2(Tok kind, int aux) const {
    return Ahead(1).kind == kind && Ahead(1).aux == aux && !Ahead(1).space;
  }

  NodeId FunctionNode(const Token& token, NodeId arg, NodeId power, NodeId base) {
    NodeId f;
    if (token.kind == Tok::kLog) {
      if (token.aux == 1 && base == kNoNode) base = tree_.Number(10);
      f = base == kNoNode ? tree_.Func(FuncId::kLn, arg) : tree_.Add(Op::kLog, {arg, base});
    } else {
      if (token.aux == kCis) {
        f = tree_.Func(FuncId::kExp, tree_.Add(Op::kMul, {tree_.Const(ConstId::kI), arg}));
        if (base != kNoNode) return Fail();
        return power == kNoNode ? f : tree_.Add(Op::kPow, {f, power});
      }
      FuncId id = static_cast<FuncId>(token.aux);
      if (power != kNoNode && IsMinusOne(power)) {
        const FuncId inverse = Inverse(id);
        if (inverse != id) {
          id = inverse;
          power = kNoNode;
        }
      }
      f = tree_.Func(id, arg);
      if (base != kNoNode) return Fail();
    }
    return power == kNoNode ? f : tree_.Add(Op::kPow, {f, power});
  }

  bool IsMinusOne(NodeId id) const {
    const Node& n = tree_[id];
    if (n.op == Op::kNeg) {
      const Node& x = tree_[tree_.Kid(id, 0)];
      return x.op == Op::kNum && x.num == 1 && x.den == 1;
    }
    return false;
  }

  static FuncId Inverse(FuncId id) {
    switch (id) {
      case FuncId::kSin:
        return FuncId::kAsin;
      case FuncId::kCos:
        return FuncId::kAcos;
      case FuncId::kTan:
        return FuncId::kAtan;
      case FuncId::kCot:
        return FuncId::kAcot;
      case FuncId::kSec:
        return FuncId::kAsec;
      case FuncId::kCsc:
        return FuncId::kAcsc;
      case FuncId::kSinh:
        return FuncId::kAsinh;
      case FuncId::kCosh:
        return FuncId::kAcosh;
      case FuncId::kTanh:
        return FuncId::kAtanh;
      case FuncId::kCoth:
        return FuncId::kAcoth;
      default:
        return id;
    }
  }

  // sin(x) takes the brackets; sin 2x takes the factors up to the next sign or function.
  NodeId ParseFunctionArgument() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (Is(Tok::kOpen) || Is(Tok::kGroupOpen) || Is(Tok::kBarOpen)) return ParsePrimary();
    if (Is(Tok::kPlus) || Is(Tok::kMinus)) {
      const bool minus = Is(Tok::kMinus);
      Next();
      const NodeId x = ParseFunctionArgument();
      return failed_ || !minus ? x : tree_.Neg(x);
    }
    Ids factors;
    while (!Dead()) {
      if (Is(Tok::kWord) && !in_word_) {
        if (!factors.empty() && !WordIsFactor()) break;
        if (IsHigh(T().text[0]) || T().text.size() > 4) return Fail();
        EnterWord();
      }
      if (!StartsFactor()) break;
      const bool function = Is(Tok::kFunc) || Is(Tok::kLog) || Is(Tok::kNary);
      if (!factors.empty() &&
          (function || Is(Tok::kBegin) || (Is(Tok::kOpen) && T().space) || Is(Tok::kBar)))
        break;
      if (!factors.empty() && Is(Tok::kNumber)) break;
      if (AtDiff()) break;
      factors.push_back(ParsePower());
      if (failed_) return kNoNode;
      if (function) break;
    }
    if (factors.empty()) return Fail();
    if (factors.size() == 1) return factors[0];
    return tree_.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
  }

  // gcd, lcm, max, min, floor, ceil, det, abs with a list in brackets.
  NodeId ParseSeveral() {
    const Op op = static_cast<Op>(T().aux);
    const std::string name(T().text);
    Next();
    if (!Is(Tok::kOpen) && !Is(Tok::kGroupOpen)) {
      const NodeId x = ParseFunctionArgument();
      return failed_ ? kNoNode : tree_.Add(op, {x});
    }
    const Tok closing = Is(Tok::kOpen) ? Tok::kClose : Tok::kGroupClose;
    Next();
    Ids args;
    ++open_groups_;
    ParseItems(&args);
    --open_groups_;
    if (failed_ || !Is(closing) || args.empty()) return Fail();
    Next();
    if ((op == Op::kFloor || op == Op::kCeil || op == Op::kDet || op == Op::kAbs) &&
        args.size() != 1)
      return Fail();
    if (args.size() == 1 &&
        (op == Op::kMax || op == Op::kMin || op == Op::kGcd || op == Op::kLcm) &&
        (tree_[args[0]].op == Op::kSet || tree_[args[0]].op == Op::kList)) {
      const NodeId set = args[0];
      args.clear();
      for (uint32_t k = 0; k < tree_[set].n; ++k) args.push_back(tree_.Kid(set, k));
    }
    return tree_.Add(op, args.data(), static_cast<uint32_t>(args.size()));
  }

  // ---- fractions, roots, binomials

  // An argument as TeX takes it: a group, one digit, or one token.
  NodeId ParseArgument() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    if (!pending_.empty()) {
      const NodeId n = tree_.Number(pending_[0] - '0');
      pending_.remove_prefix(1);
      return n;
    }
    if (Is(Tok::kGroupOpen)) return Ahead(1).kind == Tok::kGroupClose ? Fail() : ParseGroup();
    if (Is(Tok::kNumber) && !T().aux) {
      const std::string_view digits = T().text;
      const NodeId n = tree_.Number(digits[0] - '0');
      pending_ = digits.substr(1);
      Next();
      return n;
    }
    if (Is(Tok::kWord)) {
      if (IsHigh(T().text[0])) return Fail();
      EnterWord();
    }
    if (Is(Tok::kLetter)) {
      const NodeId x = LetterNode(T().text);
      Next();
      return x;
    }
    return ParsePrimary();
  }

  // Digits that a TeX argument left over: \frac123 is 1/2 times 3.
  NodeId WithPending(NodeId value) {
    if (pending_.empty() || failed_) return value;
    const std::string rest(pending_);
    pending_ = {};
    return tree_.Add(Op::kMul, {value, DecimalNode(rest, 0)});
  }

  NodeId ParseFraction() {
    Next();
    if (const NodeId d = TryDerivative(); d != kNoNode || failed_) return d;
    const NodeId num = ParseArgument();
    if (failed_) return kNoNode;
    const NodeId den = ParseArgument();
    if (failed_) return kNoNode;
    return WithPending(tree_.Add(Op::kDiv, {num, den}));
  }

  // \frac{d}{dx} f and \frac{dy}{dx}: names and operators, not quotients.
  NodeId TryDerivative() {
    size_t end_num = 0;
    size_t end_den = 0;
    if (integrals_ > 0 || !Is(Tok::kGroupOpen)) return kNoNode;
    const std::string num = RawGroup(p_, &end_num);
    if (num.empty() || (num[0] != 'd' && num.substr(0, 7) != "partial")) return kNoNode;
    if (end_num >= t_.size() || t_[end_num].kind != Tok::kGroupOpen) return kNoNode;
    const std::string den = RawGroup(end_num, &end_den);
    if (den.size() < 2 || (den[0] != 'd' && den.substr(0, 7) != "partial")) return kNoNode;
    // d and d^n alone: an operator on what follows.
    const bool alone = num == "d" || num == "partial" || num.substr(0, 2) == "d^" ||
                       num.substr(0, 8) == "partial^";
    const bool bare = num == "d" || num == "partial" || (alone && num.size() <= 4);
    p_ = std::min(end_den, t_.size() - 1);
    if (!bare) return tree_.Symbol("D:" + num + "/" + den);
    if (AtListEnd()) return tree_.Symbol("D:" + num + "/" + den);
    const NodeId body = ParseJuxtaposed(false);
    if (failed_) return kNoNode;
    return tree_.Named(Op::kDeriv, num + "/" + den, {body});
  }

  // The spelled tokens of the group at `open`; *end: the token behind it. Empty if it is long or unclosed.
  std::string RawGroup(size_t open, size_t* end) const {
    std::string raw;
    int level = 0;
    for (size_t i = open; i < t_.size() && i < open + 40; ++i) {
      if (t_[i].kind == Tok::kGroupOpen) {
        if (++level > 1) raw += '{';
      } else if (t_[i].kind == Tok::kGroupClose) {
        if (--level == 0) {
          *end = i + 1;
          return raw;
        }
        raw += '}';
      } else {
        raw += Spell(t_[i]);
      }
    }
    return "";
  }

  NodeId ParseRoot() {
    const int plain_index = T().aux;
    Next();
    NodeId index = kNoNode;
    if (plain_index != 0) index = tree_.Number(plain_index);
    if (IsA(Tok::kOpen, '[')) {
      Next();
      index = ParseAdditive();
      if (failed_ || !IsA(Tok::kClose, ']')) return Fail();
      Next();
    }
    const NodeId x = Is(Tok::kOpen) ? ParsePrimary() : ParseArgument();
    if (failed_) return kNoNode;
    if (index == kNoNode) index = tree_.Number(2);
    return WithPending(tree_.Add(Op::kRoot, {x, index}));
  }

  NodeId ParseBinomial() {
    Next();
    const NodeId n = ParseArgument();
    if (failed_) return kNoNode;
    const NodeId k = ParseArgument();
    if (failed_) return kNoNode;
    return WithPending(tree_.Add(Op::kBinom, {n, k}));
  }

  // ---- sums, products, integrals, limits

  NodeId ParseNary() {
    const int kind = T().aux;
    Next();
    NodeId low = kNoNode;
    NodeId high = kNoNode;
    int direction = 0;
    bool bound = false;
    for (int k = 0; k < 2; ++k) {
      if (Is(Tok::kUnder)) {
        Next();
        if (kind != 2) bound = BindsI();
        if (bound) ++bound_i_;
        low = ParseBound(&direction);
      } else if (Is(Tok::kCaret)) {
        Next();
        high = ParseBound(&direction);
      }
      if (failed_) return kNoNode;
    }
    const NodeId id =
        kind == 2 ? ParseIntegral(low, high) : ParseSumOrLimit(kind, low, high, direction);
    if (bound) --bound_i_;
    return id;
  }

  bool BindsI() const {
    return Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kLetter && Ahead(1).text == "i" &&
           Ahead(2).kind == Tok::kRel;
  }

  // A bound: one item; an empty group counts as none. x \to 3^+ sets the direction.
  NodeId ParseBound(int* direction) {
    if (Is(Tok::kGroupOpen) && Ahead(1).kind == Tok::kGroupClose) {
      Next();
      Next();
      return kNoNode;
    }
    if (!Is(Tok::kGroupOpen)) return ParseScript(false);
    Next();
    Ids operands = {ParseAdditive()};
    std::string ops;
    while (!failed_) {
      *direction = std::max(*direction, ParseDirection());
      const char op = ParseRelationOp();
      if (op == 0) break;
      operands.push_back(ParseAdditiveUntilDirection());
      ops += op;
    }
    *direction = std::max(*direction, ParseDirection());
    if (failed_ || !Is(Tok::kGroupClose)) return Fail();
    Next();
    return ops.empty() ? operands[0] : FinishRelation(operands, ops);
  }

  // 3^+ and 3^{-}: the caret belongs to the direction.
  int ParseDirection() {
    if (!Is(Tok::kCaret)) return 0;
    const bool group = Ahead(1).kind == Tok::kGroupOpen;
    const Token& sign = Ahead(group ? 2 : 1);
    if (sign.kind != Tok::kPlus && sign.kind != Tok::kMinus) return 0;
    if (Ahead(group ? 3 : 2).kind != Tok::kGroupClose) return 0;
    p_ += group ? 4 : 2;
    return sign.kind == Tok::kPlus ? 1 : 2;
  }

  NodeId ParseAdditiveUntilDirection() {
    if (Is(Tok::kNumber) && Ahead(1).kind == Tok::kCaret) {
      const bool group = Ahead(2).kind == Tok::kGroupOpen;
      const Token& sign = Ahead(group ? 3 : 2);
      if ((sign.kind == Tok::kPlus || sign.kind == Tok::kMinus) &&
          Ahead(group ? 4 : 3).kind == Tok::kGroupClose) {
        const NodeId n = LiteralNode(T().text);
        Next();
        return n;
      }
    }
    return ParseAdditive();
  }

  NodeId ParseSumOrLimit(int kind, NodeId low, NodeId high, int direction) {
    if (AtListEnd()) return Fail();
    const NodeId body = ParseTerm();
    if (failed_) return kNoNode;
    const bool relation = low != kNoNode && tree_[low].op == Op::kRel && tree_[low].n == 2 &&
                          tree_[tree_.Kid(low, 0)].op == Op::kSym;
    if (kind == 3) {
      if (!relation) return Fail();
      return tree_.Add(Op::kLim, {tree_.Kid(low, 0), tree_.Kid(low, 1), body},
                       static_cast<uint8_t>(direction));
    }
    const Op op = kind == 0 ? Op::kSum : Op::kProd;
    if (relation && high != kNoNode && tree_.Name(low)[0] == kEq) {
      return tree_.Add(op, {tree_.Kid(low, 0), tree_.Kid(low, 1), high, body});
    }
    Ids parts = {body};
    if (low != kNoNode) parts.push_back(low);
    if (high != kNoNode) parts.push_back(high);
    const NodeId id = tree_.Add(Op::kApply, parts.data(), static_cast<uint32_t>(parts.size()));
    tree_.nodes[id].num = tree_.Intern(kind == 0 ? "sum" : "prod");
    return id;
  }

  NodeId ParseIntegral(NodeId low, NodeId high) {
    const int saved_seen = diff_seen_;
    const NodeId saved_variable = diff_variable_;
    diff_seen_ = 0;
    ++integrals_;
    const NodeId body = ParseAdditive();
    const bool seen = diff_seen_ == integrals_;
    const NodeId variable = seen ? diff_variable_ : tree_.Symbol("x");
    --integrals_;
    diff_seen_ = saved_seen;
    diff_variable_ = saved_variable;
    if (failed_) return kNoNode;
    if (low == kNoNode || high == kNoNode) return tree_.Add(Op::kInt, {body, variable});
    return tree_.Add(Op::kInt, {body, variable, low, high}, 1);
  }

  // ---- brackets

  NodeId ParseGroup() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    Next();
    if (Is(Tok::kGroupClose)) {
      Next();
      if (AtEnd() && depth_ <= 8) return tree_.Add(Op::kNamedSet, {}, 0);
      return ParsePrimary();
    }
    const std::string_view saved = pending_;
    const int saved_bars = bar_level_;
    const bool saved_number = last_was_number_;
    const int saved_builder = builder_;
    bar_level_ = 0;
    pending_ = {};
    ++open_groups_;
    Ids items;
    ParseParts(&items, false);
    NodeId id = kNoNode;
    if (!failed_ && (Is(Tok::kChoose) || Is(Tok::kOver)) && items.size() == 1)
      id = ParseInfix(items[0]);
    --open_groups_;
    bar_level_ = saved_bars;
    pending_ = saved;
    last_was_number_ = saved_number;
    builder_ = saved_builder;
    if (failed_ || items.empty()) return Fail();
    if (Is(Tok::kBar) && items.size() == 1) return ParseBuilder(items[0], Tok::kGroupClose);
    if (!Is(Tok::kGroupClose)) return Fail();
    Next();
    if (id != kNoNode) return id;
    if (items.size() == 1) {
      tree_.nodes[items[0]].flags |= kGrouped;
      return items[0];
    }
    const NodeId set = MakeList(Op::kSet, items);
    if (loose_braces_) tree_.nodes[set].flags |= kLoose;
    box_braces_ = set;
    return set;
  }

  // {n \choose k} and {a \over b}.
  NodeId ParseInfix(NodeId left) {
    const bool choose = Is(Tok::kChoose);
    Next();
    const NodeId right = ParseAdditive();
    if (failed_) return kNoNode;
    return tree_.Add(choose ? Op::kBinom : Op::kDiv, {left, right});
  }

  NodeId ParseBuilder(NodeId element, Tok closing) {
    Next();
    Ids conditions;
    ParseItems(&conditions);
    if (failed_ || conditions.empty() || !Is(closing)) return Fail();
    Next();
    const NodeId condition =
        conditions.size() == 1 ? conditions[0] : MakeList(Op::kList, conditions);
    if (conditions.size() > 1) tree_.nodes[condition].aux = static_cast<uint8_t>(joint_);
    return tree_.Add(Op::kBuilder, {element, condition});
  }

  NodeId ParseBrackets() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    const char open = static_cast<char>(T().aux);
    Next();
    if (open == '{' && IsA(Tok::kClose, '}')) {
      Next();
      return tree_.Add(Op::kNamedSet, {}, 0);
    }
    const int saved_bars = bar_level_;
    const bool saved_number = last_was_number_;
    const int saved_builder = builder_;
    bar_level_ = 0;
    builder_ = open == '{' ? 1 : 0;
    ++open_groups_;
    Ids items;
    ParseParts(&items, open != '{');
    --open_groups_;
    bar_level_ = saved_bars;
    last_was_number_ = saved_number;
    builder_ = saved_builder;
    if (failed_ || items.empty()) return Fail();
    if (open == '{' && items.size() == 1 && (Is(Tok::kBar) || Is(Tok::kColon)))
      return ParseBuilder(items[0], Tok::kClose);
    if (!Is(Tok::kClose)) return Fail();
    const char close = static_cast<char>(T().aux);
    Next();
    return BracketNode(open, close, items);
  }

  NodeId BracketNode(char open, char close, const Ids& items) {
    if (open == 'F' || open == 'C') {
      if (items.size() != 1 || close != open) return Fail();
      return tree_.Add(open == 'F' ? Op::kFloor : Op::kCeil, {items[0]});
    }
    if (open == '{') return close == '}' ? MakeList(Op::kSet, items) : Fail();
    if (open == '<') {
      if (close != '>') return Fail();
      const NodeId v = MakeList(Op::kTuple, items);
      tree_.nodes[v].flags |= kVector;
      return v;
    }
    if (close != ')' && close != ']') return Fail();
    if (items.size() == 1) {
      if ((open == '(') != (close == ')')) return Fail();
      tree_.nodes[items[0]].flags |= kGrouped;
      return items[0];
    }
    const int closed = (open == '[' ? 1 : 0) | (close == ']' ? 2 : 0);
    if (items.size() == 2 && closed != 0)
      return tree_.Add(Op::kInterval, {items[0], items[1]}, static_cast<uint8_t>(closed));
    if (closed == 0) return MakeList(Op::kTuple, items);
    return closed == 3 ? MakeList(Op::kSeq, items) : Fail();
  }

  NodeId ParseBars() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    const bool sized = Is(Tok::kBarOpen);
    Next();
    const int saved = bar_level_;
    bar_level_ = sized ? 0 : bar_level_ + 1;
    const bool saved_number = last_was_number_;
    const NodeId x = ParseAdditive();
    bar_level_ = saved;
    last_was_number_ = saved_number;
    if (failed_) return kNoNode;
    if (!Is(Tok::kBar) && !Is(Tok::kBarClose)) return Fail();
    Next();
    return tree_.Add(Op::kAbs, {x});
  }

  NodeId ParseNorm() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    Next();
    ++norm_level_;
    const NodeId x = ParseAdditive();
    --norm_level_;
    if (failed_ || !Is(Tok::kNormBar)) return Fail();
    Next();
    return tree_.Add(Op::kNorm, {x});
  }

  // ---- environments

  NodeId ParseEnvironment() {
    Deeper deeper(this);
    if (Dead()) return kNoNode;
    const std::string name(T().text);
    Next();
    const bool matrix = name == "matrix" || name == "pmatrix" || name == "bmatrix" ||
                        name == "vmatrix" || name == "Bmatrix" || name == "Vmatrix" ||
                        name == "smallmatrix" || name == "array" || name == "psmallmatrix" ||
                        name == "bsmallmatrix";
    const int saved_bars = bar_level_;
    bar_level_ = 0;
    ++open_groups_;
    const NodeId id = matrix ? ParseMatrix(name) : ParseRows(name);
    --open_groups_;
    bar_level_ = saved_bars;
    if (failed_ || !Is(Tok::kEndEnv)) return Fail();
    Next();
    return id;
  }

  NodeId ParseMatrix(const std::string& name) {
    Ids cells;
    size_t columns = 0;
    size_t rows = 0;
    while (!failed_ && !Is(Tok::kEndEnv) && !AtEnd()) {
      size_t in_row = 0;
      while (!failed_) {
        const NodeId cell = ParseItem();
        if (failed_) return kNoNode;
        cells.push_back(cell == kNoNode ? tree_.Symbol("") : cell);
        ++in_row;
        if (!Is(Tok::kAmp)) break;
        Next();
      }
      if (columns != 0 && in_row != columns) return Fail();
      columns = in_row;
      ++rows;
      if (!Is(Tok::kRowSep)) break;
      Next();
    }
    if (rows == 0 || rows > 255) return Fail();
    const NodeId m = tree_.Add(Op::kMatrix, cells.data(), static_cast<uint32_t>(cells.size()),
                               static_cast<uint8_t>(rows));
    return name == "vmatrix" ? tree_.Add(Op::kDet, {m}) : m;
  }

  // cases, aligned and the like: a list of rows. Rows of two cells in cases are values with their conditions.
  NodeId ParseRows(const std::string& name) {
    const bool cases = name == "cases" || name == "dcases" || name == "rcases";
    const bool saved_amp = ignore_amp_;
    ignore_amp_ = !cases;
    Ids rows;
    bool pieces = false;
    while (!failed_ && !Is(Tok::kEndEnv) && !AtEnd()) {
      Ids items;
      ParseItems(&items);
      if (failed_) return kNoNode;
      if (Is(Tok::kEndEnv) || Is(Tok::kRowSep))
        pieces = pieces || (cases && items.size() == 2 && tree_[items[0]].op != Op::kRel);
      rows.insert(rows.end(), items.begin(), items.end());
      if (!Is(Tok::kRowSep) && !Is(Tok::kSemi)) break;
      Next();
    }
    ignore_amp_ = saved_amp;
    if (failed_ || rows.empty()) return Fail();
    if (pieces) {
      const NodeId id = tree_.Add(Op::kApply, rows.data(), static_cast<uint32_t>(rows.size()));
      tree_.nodes[id].num = tree_.Intern("cases");
      return id;
    }
    return rows.size() == 1 ? rows[0] : MakeList(Op::kList, rows);
  }

  const std::vector<Token>& t_;
  const std::string_view text_;  // the tokens' positions
  const bool loose_braces_;
  const bool slash_left_;
  const bool units_;
  const bool plain_;
  Tree& tree_;
  std::vector<int> bars_after_;
  size_t p_ = 0;
  int depth_ = 0;
  bool failed_ = false;
  bool limit_ = false;
  bool slash_ambiguous_ = false;
  bool unit_ambiguous_ = false;
  bool in_word_ = false;
  size_t letter_at_ = 0;
  Token letter_;
  std::string_view pending_;  // digits left over by a TeX argument
  bool last_was_number_ = false;
  bool ignore_amp_ = false;
  Joint joint_ = Joint::kComma;  // of the items that were read last
  int bar_level_ = 0;            // open bars
  int norm_level_ = 0;
  int builder_ = 0;  // directly inside of \{..\}, where a bar or colon begins a condition
  int open_groups_ = 0;
  int integrals_ = 0;
  int diff_seen_ = 0;
  int bound_i_ = 0;  // i is an index, not the imaginary unit
  NodeId diff_variable_ = kNoNode;
  NodeId box_braces_ = kNoNode;  // the last set written with bare braces
};

}  // namespace

ParserResult ParseTokens(const Lexed& lexed, Grammar grammar, Ambiguous choice, Tree* tree) {
  ParserResult result;
  if (lexed.error != ParseError::kNone) {
    result.error = lexed.error;
    return result;
  }
  return Parser(lexed, grammar, choice, tree).Run();
}

}  // namespace assay::math
