#include "verifiers/puzzle/puzzles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/text.h"
#include "verifiers/words.h"

namespace assay {
namespace {

using Kind = PuzzleResult::Kind;

PuzzleResult Solved() { return {Kind::kSolved, 1, ""}; }
PuzzleResult Wrong(std::string detail, double share = 0) {
  return {Kind::kWrong, share, std::move(detail)};
}
PuzzleResult Unreadable(std::string detail) { return {Kind::kUnreadable, 0, std::move(detail)}; }

constexpr size_t kItemsMax = 1000;
constexpr int64_t kDisksMax = 16, kPegsMax = 10;
constexpr size_t kMovesMax = 100000;

const Json* Either(const Json& row, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const Json* found = row.Find(key); found != nullptr && !found->IsNull()) return found;
  }
  return nullptr;
}

std::optional<std::vector<std::string>> Texts(const Json* list, size_t longest) {
  if (list == nullptr || list->AsArray() == nullptr || list->AsArray()->empty() ||
      list->AsArray()->size() > longest)
    return std::nullopt;
  std::vector<std::string> out;
  for (const Json& item : *list->AsArray()) {
    if (item.IsArray() || item.IsObject()) return std::nullopt;
    out.push_back(item.ScalarText());
  }
  return out;
}

std::optional<double> NumberIn(std::string_view text) {
  const Result<Json> read = ParseJson(Trim(text));
  if (!read.ok() || !read->IsNumber()) return std::nullopt;
  return read->NumberOr(0);
}

// The row's numbers or words, in order.
class Ordering : public Puzzle {
 public:
  std::vector<std::string> sorted;
  bool numbers = true;

  PuzzleResult Look(std::string_view answer) const override {
    const auto list = ReadList(answer, kItemsMax);
    if (!list) return Unreadable("the answer is no list");
    if (list->size() != sorted.size())
      return Wrong(StrCat("it has ", list->size(), " items, not ", sorted.size()));
    for (size_t i = 0; i < sorted.size(); ++i) {
      const bool same =
          numbers ? NumberIn((*list)[i]) == NumberIn(sorted[i]) && NumberIn(sorted[i]).has_value()
                  : LowerCase(WithoutMark((*list)[i], i)) == LowerCase(sorted[i]);
      if (!same) return Wrong(StrCat("item ", i + 1, " is not ", Shorten(sorted[i], 40)));
    }
    return Solved();
  }

 private:
  // Of words as an enumeration: "1. apple", "1) apple", "- apple".
  static std::string_view WithoutMark(std::string_view item, size_t place) {
    const std::string number = std::to_string(place + 1);
    for (const std::string& mark :
         {StrCat(number, ". "), StrCat(number, ") "), std::string("- "), std::string("* ")}) {
      if (StartsWith(item, mark)) return Trim(item.substr(mark.size()));
    }
    return item;
  }
};

// Every row, column and block has each number once, and the given ones stand.
class Sudoku : public Puzzle {
 public:
  std::vector<std::vector<std::string>> given;  // "" where nothing is
  size_t block_height = 0, block_width = 0;     // 0: no blocks (a Latin square)

  PuzzleResult Look(std::string_view answer) const override {
    const size_t n = given.size();
    const auto grid = ReadGrid(answer, n);
    if (!grid) return Unreadable(StrCat("the answer is no grid of ", n, " by ", n));
    std::vector<std::vector<int>> numbers(n, std::vector<int>(n));
    for (size_t r = 0; r < n; ++r) {
      for (size_t c = 0; c < n; ++c) {
        const auto number = NumberIn((*grid)[r][c]);
        if (!number || *number < 1 || *number > static_cast<double>(n) ||
            std::floor(*number) != *number)
          return Wrong(StrCat("row ", r + 1, ", column ", c + 1, " is no number from 1 to ", n));
        numbers[r][c] = static_cast<int>(*number);
        if (!given[r][c].empty() && NumberIn(given[r][c]) != number)
          return Wrong(StrCat("row ", r + 1, ", column ", c + 1, " was given as ", given[r][c]));
      }
    }
    return Distinct(numbers);
  }

 private:
  PuzzleResult Distinct(const std::vector<std::vector<int>>& numbers) const {
    const size_t n = numbers.size();
    std::vector<std::set<int>> rows(n), columns(n), blocks(n);
    for (size_t r = 0; r < n; ++r) {
      for (size_t c = 0; c < n; ++c) {
        const int number = numbers[r][c];
        if (!rows[r].insert(number).second)
          return Wrong(StrCat("row ", r + 1, " has ", number, " twice"));
        if (!columns[c].insert(number).second)
          return Wrong(StrCat("column ", c + 1, " has ", number, " twice"));
        if (block_height == 0) continue;
        const size_t block = r / block_height * (n / block_width) + c / block_width;
        if (!blocks[block].insert(number).second)
          return Wrong(StrCat("block ", block + 1, " has ", number, " twice"));
      }
    }
    return Solved();
  }
};

// n queens that do not threaten each other, the given ones among them.
class Queens : public Puzzle {
 public:
  size_t size = 0;
  std::set<std::pair<size_t, size_t>> given;

  PuzzleResult Look(std::string_view answer) const override {
    const auto grid = ReadGrid(answer, size);
    if (!grid) return Unreadable(StrCat("the answer is no board of ", size, " by ", size));
    std::set<size_t> rows, columns, up, down;
    std::set<std::pair<size_t, size_t>> queens;
    for (size_t r = 0; r < size; ++r) {
      for (size_t c = 0; c < size; ++c) {
        const std::string& mark = (*grid)[r][c];
        if (mark != "Q" && mark != "q" && mark != "1") {
          if (mark == "." || mark == "_" || mark == "0" || mark == "-" || mark == "*") continue;
          return Unreadable(
              StrCat("the mark ", Shorten(mark, 10), " is neither a queen nor empty"));
        }
        queens.emplace(r, c);
        if (!rows.insert(r).second || !columns.insert(c).second || !up.insert(r + c).second ||
            !down.insert(r + size - c).second)
          return Wrong("two queens threaten each other");
      }
    }
    if (queens.size() != size)
      return Wrong(StrCat("it has ", queens.size(), " queens, not ", size));
    if (!std::includes(queens.begin(), queens.end(), given.begin(), given.end()))
      return Wrong("a queen that was given stands elsewhere");
    return Solved();
  }
};

std::string Cell(const Json& value) { return LowerCase(Trim(value.ScalarText())); }

// Who has what: an object of objects (houses and their attributes) or of values, all as the row has them.
class Assignment : public Puzzle {
 public:
  Json gold;

  PuzzleResult Look(std::string_view answer) const override {
    Result<Json> read = ParseJson(Trim(answer));
    if (!read.ok() || !read->IsObject()) return Unreadable("the answer is no JSON object");
    int64_t cells = 0, right = 0;
    const bool same_keys = Count(gold, *read, &cells, &right);
    const double share = cells == 0 ? 0 : static_cast<double>(right) / static_cast<double>(cells);
    if (same_keys && right == cells) return Solved();
    return Wrong(StrCat(right, " of ", cells, " places are right"), same_keys ? share : 0);
  }

 private:
  // False: one has keys that the other lacks.
  static bool Count(const Json& gold, const Json& own, int64_t* cells, int64_t* right) {
    bool same = own.IsObject() && own.AsObject()->size() == gold.AsObject()->size();
    for (const Json::Member& member : *gold.AsObject()) {
      const Json* found = own.Find(member.key);
      same = same && found != nullptr;
      if (member.value.IsObject()) {
        static const Json kNothing = Json::MakeObject();
        same = Count(member.value, found == nullptr ? kNothing : *found, cells, right) && same;
      } else {
        ++*cells;
        if (found != nullptr && !found->IsObject() && !found->IsArray() &&
            Cell(*found) == Cell(member.value))
          ++*right;
      }
    }
    return same;
  }
};

// Vertices of one edge differ, and only the given colours are used.
class Coloring : public Puzzle {
 public:
  std::set<std::string> vertices, colors;
  std::vector<std::pair<std::string, std::string>> edges;

  PuzzleResult Look(std::string_view answer) const override {
    Result<Json> read = ParseJson(Trim(answer));
    if (!read.ok() || !read->IsObject()) return Unreadable("the answer is no JSON object");
    std::map<std::string, std::string> colored;
    for (const Json::Member& member : *read->AsObject()) {
      if (vertices.count(member.key) == 0)
        return Wrong(StrCat("there is no vertex ", Shorten(member.key, 40)));
      colored[member.key] = Cell(member.value);
      if (colors.count(colored[member.key]) == 0)
        return Wrong(StrCat("there is no color ", Shorten(colored[member.key], 40)));
    }
    if (colored.size() != vertices.size()) return Wrong("a vertex has no color");
    for (const auto& [a, b] : edges) {
      if (colored[a] == colored[b]) return Wrong(StrCat(a, " and ", b, " have one color"));
    }
    return Solved();
  }
};

// Steps U, D, L, R from the start to the goal, not into a wall.
class Maze : public Puzzle {
 public:
  std::vector<std::string> rows;
  std::pair<int64_t, int64_t> start, goal;
  int64_t shortest = 0;  // 0: any length will do

  PuzzleResult Look(std::string_view answer) const override {
    std::string moves;
    for (const char c : AsciiLower(answer)) {
      if (c >= 'a' && c <= 'z') moves.push_back(c);
    }
    // Words or letters: "up, up, left", "UUL".
    for (const auto& [word, letter] : {std::pair<std::string_view, const char*>{"right", "r"},
                                       {"left", "l"},
                                       {"down", "d"},
                                       {"up", "u"}}) {
      for (size_t at = moves.find(word); at != std::string::npos; at = moves.find(word, at))
        moves.replace(at, word.size(), letter);
    }
    if (moves.empty() || moves.size() > kMovesMax ||
        moves.find_first_not_of("udlr") != std::string::npos)
      return Unreadable("the answer is no list of steps");
    auto [r, c] = start;
    for (size_t i = 0; i < moves.size(); ++i) {
      r += moves[i] == 'd' ? 1 : (moves[i] == 'u' ? -1 : 0);
      c += moves[i] == 'r' ? 1 : (moves[i] == 'l' ? -1 : 0);
      if (!Open(r, c)) return Wrong(StrCat("step ", i + 1, " leads into a wall"));
    }
    if (std::pair(r, c) != goal) return Wrong("it does not end at the goal");
    if (shortest > 0 && static_cast<int64_t>(moves.size()) > shortest)
      return Wrong(StrCat("it has ", moves.size(), " steps, where ", shortest, " are enough"));
    return Solved();
  }

  bool Open(int64_t r, int64_t c) const {
    return r >= 0 && c >= 0 && r < static_cast<int64_t>(rows.size()) &&
           c < static_cast<int64_t>(rows[static_cast<size_t>(r)].size()) &&
           rows[static_cast<size_t>(r)][static_cast<size_t>(c)] != '#';
  }

  // By breadth; -1: the goal cannot be reached.
  int64_t Distance() const {
    std::map<std::pair<int64_t, int64_t>, int64_t> seen = {{start, 0}};
    std::vector<std::pair<int64_t, int64_t>> queue = {start};
    for (size_t i = 0; i < queue.size(); ++i) {
      const auto [r, c] = queue[i];
      if (queue[i] == goal) return seen[queue[i]];
      for (const auto& [dr, dc] : {std::pair<int, int>{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
        const std::pair<int64_t, int64_t> next(r + dr, c + dc);
        if (Open(next.first, next.second) && seen.emplace(next, seen[queue[i]] + 1).second)
          queue.push_back(next);
      }
    }
    return -1;
  }
};

// Moves of one disk at a time, none onto a smaller one, until all stand on the target.
class Hanoi : public Puzzle {
 public:
  int64_t disks = 0, pegs = 3, from = 1, to = 3;

  PuzzleResult Look(std::string_view answer) const override {
    std::vector<int64_t> numbers;
    bool in_number = false;
    for (char c : answer) {
      const bool digit = c >= '0' && c <= '9';
      if (digit && !in_number) numbers.push_back(0);
      if (digit) numbers.back() = std::min<int64_t>(numbers.back() * 10 + (c - '0'), kItemsMax);
      in_number = digit;
      if (numbers.size() > 3 * kMovesMax) return Unreadable("the answer has too many moves");
    }
    // "Move disk 1 from Peg 1 to Peg 3" has three numbers a move, "[1, 3]" two.
    const size_t step = answer.find("isk") != std::string_view::npos ? 3 : 2;
    if (numbers.empty() || numbers.size() % step != 0)
      return Unreadable("the answer is no list of moves");
    std::vector<std::vector<int64_t>> stacks(static_cast<size_t>(pegs));
    for (int64_t disk = disks; disk > 0; --disk)
      stacks[static_cast<size_t>(from - 1)].push_back(disk);
    for (size_t i = 0; i < numbers.size(); i += step) {
      const int64_t a = numbers[i + step - 2], b = numbers[i + step - 1];
      if (a < 1 || a > pegs || b < 1 || b > pegs) return Wrong("there is no such peg");
      std::vector<int64_t>& source = stacks[static_cast<size_t>(a - 1)];
      std::vector<int64_t>& target = stacks[static_cast<size_t>(b - 1)];
      if (source.empty()) return Wrong(StrCat("move ", i / step + 1, ": peg ", a, " is empty"));
      if (step == 3 && source.back() != numbers[i])
        return Wrong(StrCat("move ", i / step + 1, ": disk ", numbers[i], " is not on top"));
      if (!target.empty() && target.back() < source.back())
        return Wrong(StrCat("move ", i / step + 1, " puts a disk onto a smaller one"));
      target.push_back(source.back());
      if (&source != &target) {
        source.pop_back();
      } else {
        target.pop_back();
      }
    }
    if (static_cast<int64_t>(stacks[static_cast<size_t>(to - 1)].size()) != disks)
      return Wrong("not all disks stand on the target");
    return Solved();
  }
};

// Some of the numbers, each as often as it is given, that make the target.
class SubsetSum : public Puzzle {
 public:
  std::vector<double> numbers;  // sorted
  double target = 0;

  PuzzleResult Look(std::string_view answer) const override {
    const auto list = ReadList(answer, kItemsMax);
    if (!list) return Unreadable("the answer is no list");
    std::vector<double> own;
    double sum = 0;
    for (const std::string& item : *list) {
      const auto number = NumberIn(item);
      if (!number) return Unreadable(StrCat(Shorten(item, 40), " is no number"));
      own.push_back(*number);
      sum += *number;
    }
    std::sort(own.begin(), own.end());
    if (!std::includes(numbers.begin(), numbers.end(), own.begin(), own.end()))
      return Wrong("it uses numbers that are not given, or too often");
    if (sum != target) return Wrong(StrCat("it makes ", sum, ", not ", target));
    return Solved();
  }
};

// A grid's rows: lists, or texts of marks.
std::optional<std::vector<std::vector<std::string>>> RowGrid(const Json* grid, size_t longest) {
  if (grid == nullptr) return std::nullopt;
  std::vector<std::vector<std::string>> out;
  const Json::Array* rows = grid->AsArray();
  std::vector<std::string_view> lines;
  if (grid->AsString() != nullptr) lines = SplitChar(Trim(*grid->AsString()), '\n');
  if ((rows == nullptr || rows->empty() || rows->size() > longest) &&
      (lines.empty() || lines.size() > longest))
    return std::nullopt;
  const size_t count = rows != nullptr ? rows->size() : lines.size();
  for (size_t r = 0; r < count; ++r) {
    std::vector<std::string>& cells = out.emplace_back();
    std::string_view line;
    if (rows != nullptr && (*rows)[r].AsArray() != nullptr) {
      for (const Json& cell : *(*rows)[r].AsArray())
        cells.push_back(cell.IsNull() ? "" : cell.ScalarText());
      continue;
    }
    if (rows != nullptr && (*rows)[r].AsString() == nullptr) return std::nullopt;
    line = rows != nullptr ? std::string_view(*(*rows)[r].AsString()) : lines[r];
    for (char c : line) {
      if (c != ' ' && c != '\r') cells.emplace_back(1, c);
    }
  }
  return out;
}

}  // namespace

std::unique_ptr<Puzzle> ReadOrdering(const Json& row) {
  auto items = Texts(Either(row, {"items", "original_numbers", "original_words"}), kItemsMax);
  if (!items) return nullptr;
  auto puzzle = std::make_unique<Ordering>();
  for (const std::string& item : *items)
    puzzle->numbers = puzzle->numbers && NumberIn(item).has_value();
  const std::string_view direction = row.StringOr("direction", "ascending");
  if (direction != "ascending" && direction != "descending") return nullptr;
  const bool numbers = puzzle->numbers;
  std::stable_sort(items->begin(), items->end(), [&](const std::string& a, const std::string& b) {
    return numbers ? *NumberIn(a) < *NumberIn(b) : a < b;
  });
  if (direction == "descending") std::reverse(items->begin(), items->end());
  puzzle->sorted = std::move(*items);
  return puzzle;
}

std::unique_ptr<Puzzle> ReadSudoku(const Json& row) {
  auto grid = RowGrid(Either(row, {"grid", "puzzle"}), 36);
  if (!grid) return nullptr;
  auto puzzle = std::make_unique<Sudoku>();
  const size_t n = grid->size();
  for (auto& line : *grid) {
    if (line.size() != n) return nullptr;
    for (std::string& cell : line) {
      if (cell == "0" || cell == "." || cell == "_") cell.clear();
      const auto number = NumberIn(cell);
      if (!cell.empty() && (!number || *number < 1 || *number > static_cast<double>(n)))
        return nullptr;
    }
  }
  puzzle->given = std::move(*grid);
  if (!row.BoolOr("blocks", true)) return puzzle;
  auto height = static_cast<size_t>(std::sqrt(static_cast<double>(n)));
  while (height > 1 && n % height != 0) --height;
  puzzle->block_height = height;
  puzzle->block_width = n / height;
  return puzzle;
}

std::unique_ptr<Puzzle> ReadQueens(const Json& row) {
  auto puzzle = std::make_unique<Queens>();
  const auto board = RowGrid(Either(row, {"board", "puzzle"}), 36);
  puzzle->size =
      board ? board->size() : static_cast<size_t>(std::clamp<int64_t>(row.IntOr("n", 0), 0, 37));
  if (puzzle->size == 0 || puzzle->size > 36) return nullptr;
  for (size_t r = 0; board && r < board->size(); ++r) {
    if ((*board)[r].size() != puzzle->size) return nullptr;
    for (size_t c = 0; c < puzzle->size; ++c) {
      if ((*board)[r][c] == "Q") puzzle->given.emplace(r, c);
    }
  }
  return puzzle;
}

std::unique_ptr<Puzzle> ReadAssignment(const Json& row) {
  const Json* gold = Either(row, {"assignment", "solution"});
  if (gold == nullptr || gold->AsObject() == nullptr || gold->AsObject()->empty()) return nullptr;
  auto puzzle = std::make_unique<Assignment>();
  puzzle->gold = *gold;
  return puzzle;
}

std::unique_ptr<Puzzle> ReadColoring(const Json& row) {
  const Json* inner = row.Find("puzzle");
  const Json& from = inner != nullptr && inner->IsObject() ? *inner : row;
  const Json* edges = from.Find("edges");
  const auto vertices = Texts(from.Find("vertices"), kItemsMax);
  const auto colors = Texts(Either(from, {"colors", "color_options"}), kItemsMax);
  if (edges == nullptr || edges->AsArray() == nullptr || !vertices || !colors) return nullptr;
  auto puzzle = std::make_unique<Coloring>();
  puzzle->vertices.insert(vertices->begin(), vertices->end());
  for (const std::string& color : *colors) puzzle->colors.insert(LowerCase(color));
  for (const Json& edge : *edges->AsArray()) {
    const auto ends = Texts(&edge, 2);
    if (!ends || ends->size() != 2 || puzzle->vertices.count((*ends)[0]) == 0 ||
        puzzle->vertices.count((*ends)[1]) == 0)
      return nullptr;
    puzzle->edges.emplace_back((*ends)[0], (*ends)[1]);
  }
  return puzzle;
}

std::unique_ptr<Puzzle> ReadMaze(const Json& row) {
  const auto grid = RowGrid(row.Find("grid"), 200);
  if (!grid) return nullptr;
  auto puzzle = std::make_unique<Maze>();
  std::optional<std::pair<int64_t, int64_t>> start, goal;
  for (size_t r = 0; r < grid->size(); ++r) {
    std::string line;
    for (size_t c = 0; c < (*grid)[r].size() && c < 200; ++c) {
      const char mark = (*grid)[r][c].empty() ? '.' : (*grid)[r][c][0];
      if (mark == 'S') start = {static_cast<int64_t>(r), static_cast<int64_t>(c)};
      if (mark == 'G' || mark == 'E') goal = {static_cast<int64_t>(r), static_cast<int64_t>(c)};
      line.push_back(mark);
    }
    puzzle->rows.push_back(std::move(line));
  }
  if (!start || !goal || *start == *goal) return nullptr;
  puzzle->start = *start;
  puzzle->goal = *goal;
  const int64_t distance = puzzle->Distance();
  if (distance < 0) return nullptr;
  if (row.BoolOr("shortest", false)) puzzle->shortest = distance;
  return puzzle;
}

std::unique_ptr<Puzzle> ReadHanoi(const Json& row) {
  auto puzzle = std::make_unique<Hanoi>();
  puzzle->disks = row.IntOr("num_disks", row.IntOr("disks", 0));
  puzzle->pegs = row.IntOr("num_pegs", row.IntOr("pegs", 3));
  puzzle->from = row.IntOr("start_peg", 1);
  puzzle->to = row.IntOr("target_peg", puzzle->pegs);
  const auto peg = [&](int64_t one) { return one >= 1 && one <= puzzle->pegs; };
  if (puzzle->disks < 1 || puzzle->disks > kDisksMax || puzzle->pegs < 3 ||
      puzzle->pegs > kPegsMax || !peg(puzzle->from) || !peg(puzzle->to) ||
      puzzle->from == puzzle->to)
    return nullptr;
  return puzzle;
}

std::unique_ptr<Puzzle> ReadSubsetSum(const Json& row) {
  const auto numbers = Texts(row.Find("numbers"), kItemsMax);
  const Json* target = row.Find("target");
  if (!numbers || target == nullptr || !target->IsNumber()) return nullptr;
  auto puzzle = std::make_unique<SubsetSum>();
  for (const std::string& text : *numbers) {
    const auto number = NumberIn(text);
    if (!number || std::floor(*number) != *number || std::abs(*number) > 1e12) return nullptr;
    puzzle->numbers.push_back(*number);
  }
  std::sort(puzzle->numbers.begin(), puzzle->numbers.end());
  puzzle->target = target->NumberOr(0);
  return puzzle;
}

const std::vector<PuzzleKind>& PuzzleKinds() {
  static const std::vector<PuzzleKind> kKinds = {
      {"ordering", ReadOrdering},     {"sudoku", ReadSudoku},       {"queens", ReadQueens},
      {"assignment", ReadAssignment}, {"coloring", ReadColoring},   {"maze", ReadMaze},
      {"hanoi", ReadHanoi},           {"subset_sum", ReadSubsetSum}};
  return kKinds;
}

}  // namespace assay
