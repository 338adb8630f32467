// Options: one table that says what may be set, and where it goes. From it come reading (JSON, TOML, `--set`), "did you
// mean", range errors, `assay verifiers NAME`, writing back, JSON Schemas and the tables in docs/ (core/option_docs.h).
//
//   struct Settings { bool prefilled = false; double share = 0; };
//   Options Table(Settings* s) {
//     Options table("option", " of verifier 'x'");
//     table.Add("prefilled", &s->prefilled, "the prompt ended with <think> already");
//     table.Add("share", &s->share, "how much of it counts").Range(0, 1);
//     return table;
//   }
//   if (Status status = Table(&settings).Read(json); !status.ok()) return status;
//
// A new option is one line. The default is what the member held when the table was asked (its initialiser), so it stands
// nowhere else. A table points into the struct that it was made for and must not outlive it; make one where it is used.
// Names and sentences are literals. One thread at a time. It is no registry: nobody finds a table by a name here.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/text.h"

namespace assay {

enum class OptionKind { kBool, kInt, kNumber, kString, kStrings, kObject, kTables };

// All that is known of one option but where it goes.
struct OptionInfo {
  std::string_view name;  // "mode"; "model.path" stands in the table [model]
  std::string_view help;  // one sentence, no capital, no full stop
  OptionKind kind = OptionKind::kString;
  Json initial;                                              // the default; null: unset
  std::vector<std::string> choices;                          // kString: nothing else is taken
  double lowest = -std::numeric_limits<double>::infinity();  // kInt, kNumber
  double highest = std::numeric_limits<double>::infinity();
  bool below_highest = false;  // `highest` itself is refused
  bool finite = false;         // infinities are refused (NaN always is)
  bool null_unsets =
      false;  // a null gives the default back; else it reads as if the option were not there
  bool or_one = false;           // kStrings: a single string is a list of one
  int64_t max_items = -1;        // kStrings: at most so many, none empty; -1: any
  std::string_view example;      // not empty: the option must be given
  std::vector<OptionInfo> keys;  // kObject, kTables: what may stand inside; empty: anything
};

// An enumeration's values by name, in the order in which help lists them.
template <typename T>
using ChoiceNames = std::vector<std::pair<std::string, T>>;

// The value that `names` gives to `name`. Error: kUsage "unknown <what> '<name>'", with "did you mean".
template <typename T>
Result<T> FromName(std::string_view what, std::string_view name, const ChoiceNames<T>& names) {
  std::vector<std::string> known;
  for (const auto& [one, value] : names) {
    if (one == name) return value;
    known.push_back(one);
  }
  return Error{ErrorCode::kUsage, StrCat("unknown ", what, " '", name, "'"),
               DidYouMean(name, known)};
}

// The name of a value that stands in `names`.
template <typename T>
std::string NameOf(const T& value, const ChoiceNames<T>& names) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return "";
}

// One row of a table while it is made: each call narrows what is taken, and returns the row.
class Option {
 public:
  Option& Range(double lowest, double highest);
  Option& AtLeast(double lowest);
  Option& Below(double highest);
  Option& Finite();
  Option& OneOf(std::vector<std::string> choices);  // strings
  Option& NullUnsets();                        // optional numbers; of an enumeration, the first
  Option& OrOne();                             // lists of strings
  Option& AtMostItems(int64_t count);          // lists of strings
  Option& Required(std::string_view example);  // `verifier = "math"`
  Option& Keys(std::vector<OptionInfo> keys);  // objects and lists of tables
  Option& ListOfTables();                      // a Json member that holds TOML's [[name]]
  Option&
  DropFractions();  // a whole number that may be written 1.5; what is behind the point is dropped

 private:
  friend class Options;
  struct Choice {  // an enumeration: its place in `choices`
    std::function<size_t()> get;
    std::function<void(size_t)> set;
  };
  using Target = std::variant<bool*, int64_t*, std::optional<int>*, double*, std::optional<double>*,
                              std::string*, std::vector<std::string>*, Json*, Choice>;
  void Store(const Json& value);
  Json Load() const;

  OptionInfo info_;
  Target target_;
};

class Options {
 public:
  // What stands in front of an error about a path ("r.toml:3: "); TomlFile::At is one. Paths: "model.path",
  // "limits.cpu_ms".
  using Where = std::function<std::string(std::string_view path)>;

  // `noun` is what errors call a row ("key", "option", "limit"), `owner` what follows (" of verifier 'math'");
  // `fallback_hint` is given for an unknown name that is near to none, instead of the list of all.
  explicit Options(std::string noun = "key", std::string owner = "",
                   std::string fallback_hint = "");

  Option& Add(std::string_view name, bool* out, std::string_view help);
  Option& Add(std::string_view name, int64_t* out, std::string_view help);
  Option& Add(std::string_view name, std::optional<int>* out, std::string_view help);
  Option& Add(std::string_view name, double* out, std::string_view help);
  Option& Add(std::string_view name, std::optional<double>* out, std::string_view help);
  Option& Add(std::string_view name, std::string* out, std::string_view help);
  Option& Add(std::string_view name, std::vector<std::string>* out, std::string_view help);
  Option& Add(std::string_view name, Json* out, std::string_view help);  // an object
  // One of `names`. *out must be among them.
  template <typename T>
  Option& Add(std::string_view name, T* out, std::type_identity_t<ChoiceNames<T>> names,
              std::string_view help) {
    Option& option = Put(name, OptionKind::kString, help);
    for (const auto& one : names) option.info_.choices.push_back(one.first);
    Option::Choice choice;
    choice.get = [out, names] {
      size_t at = 0;
      while (at + 1 < names.size() && !(names[at].second == *out)) ++at;
      return at;
    };
    choice.set = [out, names = std::move(names)](size_t at) { *out = names[at].second; };
    option.target_ = std::move(choice);
    return option;
  }

  // Sets what `object` names, and leaves the rest as it is; null sets nothing. On an error some may be set already.
  // Errors: kUsage, for names that do not exist and values that do not fit.
  Status Read(const Json& object, const Where& where = {});
  // "key=value": the value as TOML writes it, or else as plain text; also a key inside of an object ("model.config.x=1").
  Status Override(const std::string& text);
  // Every option with the value that it has now, in the table's order.
  Json ToJson() const;
  // The rows, with the members' values of now as defaults.
  std::vector<OptionInfo> Infos() const;

 private:
  Option& Put(std::string_view name, OptionKind kind, std::string_view help);
  Option* Find(std::string_view name);
  Status ReadTable(const Json::Object& object, const std::string& prefix, const Where& where);
  Status Set(Option* option, const Json& value, const Where& where);
  Error Unknown(const std::string& path, const Where& where) const;

  std::string noun_, owner_, fallback_hint_;
  std::vector<Option> options_;
};

}  // namespace assay
