// Puzzles whose answers are checked against their rules and not against one solution: each kind a pair of functions, one that reads the
// row and one that looks at an answer. Pure; thread-safe; bounded: sizes of rows and answers are limited.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace assay {

// What an answer is worth.
struct PuzzleResult {
  enum class Kind { kSolved, kWrong, kUnreadable };
  Kind kind = Kind::kUnreadable;
  double share = 0;    // of it that is right, where parts can be
  std::string detail;  // what is wrong
};

class Puzzle {
 public:
  virtual ~Puzzle() = default;
  // `answer`: the text of the answer alone.
  virtual PuzzleResult Look(std::string_view answer) const = 0;
};

struct PuzzleKind {
  const char* name;
  // Null: the row does not describe such a puzzle.
  std::unique_ptr<Puzzle> (*read)(const Json& row);
};
const std::vector<PuzzleKind>& PuzzleKinds();

// Answers as lists: JSON, or values parted by commas, arrows, semicolons or lines; quotes and brackets around it are taken off. Nothing
// if there are more than `longest`.
std::optional<std::vector<std::string>> ReadList(std::string_view text, size_t longest);
// A square of single marks or numbers: JSON's list of lists, or lines of `size` marks that spaces, commas or bars may part.
std::optional<std::vector<std::vector<std::string>>> ReadGrid(std::string_view text, size_t size);

std::unique_ptr<Puzzle> ReadOrdering(const Json& row);
std::unique_ptr<Puzzle> ReadSudoku(const Json& row);
std::unique_ptr<Puzzle> ReadQueens(const Json& row);
std::unique_ptr<Puzzle> ReadAssignment(const Json& row);
std::unique_ptr<Puzzle> ReadColoring(const Json& row);
std::unique_ptr<Puzzle> ReadMaze(const Json& row);
std::unique_ptr<Puzzle> ReadHanoi(const Json& row);
std::unique_ptr<Puzzle> ReadSubsetSum(const Json& row);

}  // namespace assay
