#include "core/options.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/option_docs.h"
#include "core/toml.h"

namespace assay {
namespace {

// How errors speak of one value.
struct Subject {
  const OptionInfo& info;
  const std::string& noun;
  const std::string& owner;
  std::string path;  // the option's name, or below it "limits.cpu_ms"

  std::string Text() const {
    return noun == "key" ? StrCat("'", path, "'") : StrCat(noun, " '", path, "'", owner);
  }
  Error Fault(std::string_view what, std::string hint) const {
    return {ErrorCode::kUsage, StrCat(Text(), " ", what), std::move(hint)};
  }
};

Status CheckNumber(const Subject& subject, const Json& value) {
  const OptionInfo& info = subject.info;
  const double number = value.NumberOr(0);
  if (info.kind == OptionKind::kInt && !value.IsInt() &&
      !(value.IsDouble() && std::trunc(number) == number && std::fabs(number) < 0x1p53))
    return subject.Fault("is not a whole number", RangeText(info));
  const bool over = info.below_highest ? number >= info.highest : number > info.highest;
  if (std::isnan(number) || number < info.lowest || over || (info.finite && std::isinf(number))) {
    const std::string shown = value.IsDouble() ? StrCat(number) : value.ScalarText();
    return subject.Fault(StrCat("= ", shown, " is out of range"), RangeText(info));
  }
  return {};
}

Status CheckStrings(const Subject& subject, const Json& value) {
  const OptionInfo& info = subject.info;
  if (info.or_one && value.IsString()) return {};
  const Json::Array* list = value.AsArray();
  const char* wanted =
      info.or_one ? "is not a string or a list of strings" : "is not a list of strings";
  const std::string hint =
      info.max_items < 0 ? "" : StrCat("at most ", info.max_items, " strings that are not empty");
  if (list == nullptr) return subject.Fault(wanted, hint);
  if (info.max_items >= 0 && static_cast<int64_t>(list->size()) > info.max_items)
    return subject.Fault(StrCat("has ", list->size(), " items"), hint);
  for (const Json& item : *list) {
    if (!item.IsString()) return subject.Fault(wanted, hint);
    if (info.max_items >= 0 && item.AsString()->empty())
      return subject.Fault("holds an empty string", hint);
  }
  return {};
}

Status CheckString(const Subject& subject, const Json& value) {
  const std::vector<std::string>& choices = subject.info.choices;
  const std::string* text = value.AsString();
  if (text != nullptr &&
      (choices.empty() || std::find(choices.begin(), choices.end(), *text) != choices.end()))
    return {};
  if (text == nullptr)
    return subject.Fault("is not a string",
                         choices.empty() ? "" : StrCat("one of: ", ChoiceList(choices, ", ")));
  std::vector<std::string> named = choices;
  std::erase(named, "");  // stands for "unset"
  return Error{ErrorCode::kUsage,
               StrCat("unknown ", subject.path, " '", Shorten(*text, 80), "'", subject.owner),
               DidYouMean(*text, named)};
}

// Of a value that is not null. `at` gets the path of what is wrong.
Status CheckValue(const Subject& subject, const Json& value, std::string* at) {
  const OptionInfo& info = subject.info;
  *at = subject.path;
  switch (info.kind) {
    case OptionKind::kBool:
      if (!value.IsBool()) return subject.Fault("is not true or false", "");
      return {};
    case OptionKind::kInt:
    case OptionKind::kNumber:
      if (!value.IsNumber())
        return subject.Fault(
            info.kind == OptionKind::kInt ? "is not a whole number" : "is not a number",
            RangeText(info));
      return CheckNumber(subject, value);
    case OptionKind::kString:
      return CheckString(subject, value);
    case OptionKind::kStrings:
      return CheckStrings(subject, value);
    case OptionKind::kTables: {
      const Json::Array* list = value.AsArray();
      if (list == nullptr || !std::all_of(list->begin(), list->end(),
                                          [](const Json& item) { return item.IsObject(); }))
        return subject.Fault("is not a list of tables", StrCat("write [[", info.name, "]]"));
      return {};  // whoever reads the items knows their table
    }
    case OptionKind::kObject:
      break;
  }
  const Json::Object* object = value.AsObject();
  if (object == nullptr)
    return subject.Fault(subject.noun == "key" ? "is not a table" : "is not an object", "");
  for (const Json::Member& member : *object) {
    if (info.keys.empty()) break;
    if (member.value.IsNull()) continue;
    const auto found = std::find_if(info.keys.begin(), info.keys.end(),
                                    [&](const OptionInfo& key) { return key.name == member.key; });
    const std::string path = StrCat(subject.path, ".", member.key);
    if (found == info.keys.end()) {
      std::vector<std::string> names;
      for (const OptionInfo& key : info.keys) names.emplace_back(key.name);
      *at = path;
      return Error{ErrorCode::kUsage,
                   StrCat("unknown ", subject.noun, " '", Shorten(path, 80), "'", subject.owner),
                   DidYouMean(member.key, names)};
    }
    if (Status status = CheckValue({*found, subject.noun, subject.owner, path}, member.value, at);
        !status.ok())
      return status;
  }
  return {};
}

Error Located(const Options::Where& where, std::string_view path, Error error) {
  if (where) error.message = where(path) + error.message;
  return error;
}

int64_t WholePart(const Json& value) {
  if (const int64_t* whole = value.AsInt()) return *whole;
  return static_cast<int64_t>(std::clamp(value.NumberOr(0), -0x1p62, 0x1p62));
}

}  // namespace

Option& Option::Range(double lowest, double highest) {
  info_.lowest = lowest;
  info_.highest = highest;
  return *this;
}
Option& Option::AtLeast(double lowest) {
  info_.lowest = lowest;
  return *this;
}
Option& Option::Below(double highest) {
  info_.highest = highest;
  info_.below_highest = true;
  return *this;
}
Option& Option::Finite() {
  info_.finite = true;
  return *this;
}
Option& Option::OneOf(std::vector<std::string> choices) {
  info_.choices = std::move(choices);
  return *this;
}
Option& Option::NullUnsets() {
  ASSAY_CHECK(std::holds_alternative<Choice>(target_) ||
              std::holds_alternative<std::optional<int>*>(target_) ||
              std::holds_alternative<std::optional<double>*>(target_));
  info_.null_unsets = true;
  return *this;
}
Option& Option::OrOne() {
  info_.or_one = true;
  return *this;
}
Option& Option::AtMostItems(int64_t count) {
  info_.max_items = count;
  return *this;
}
Option& Option::Required(std::string_view example) {
  info_.example = example;
  return *this;
}
Option& Option::Keys(std::vector<OptionInfo> keys) {
  info_.keys = std::move(keys);
  return *this;
}
Option& Option::ListOfTables() {
  info_.kind = OptionKind::kTables;
  return *this;
}
Option& Option::DropFractions() {
  info_.kind = OptionKind::kNumber;
  return *this;
}

// `value` was checked, or is null: that unsets what can be unset.
void Option::Store(const Json& value) {
  std::visit(
      [&](auto& target) {
        using T = std::decay_t<decltype(target)>;
        if constexpr (std::is_same_v<T, Choice>) {
          const auto at = value.IsNull() ? info_.choices.begin()
                                         : std::find(info_.choices.begin(), info_.choices.end(),
                                                     *value.AsString());
          target.set(static_cast<size_t>(at - info_.choices.begin()));
        } else if constexpr (std::is_same_v<T, bool*>) {
          *target = *value.AsBool();
        } else if constexpr (std::is_same_v<T, int64_t*>) {
          *target = WholePart(value);
        } else if constexpr (std::is_same_v<T, std::optional<int>*>) {
          target->reset();
          if (!value.IsNull()) *target = static_cast<int>(WholePart(value));
        } else if constexpr (std::is_same_v<T, double*>) {
          *target = value.NumberOr(0);
        } else if constexpr (std::is_same_v<T, std::optional<double>*>) {
          target->reset();
          if (!value.IsNull()) *target = value.NumberOr(0);
        } else if constexpr (std::is_same_v<T, std::string*>) {
          *target = *value.AsString();
        } else if constexpr (std::is_same_v<T, std::vector<std::string>*>) {
          target->clear();
          if (value.IsString()) target->push_back(*value.AsString());
          if (const Json::Array* list = value.AsArray())
            for (const Json& item : *list) target->push_back(*item.AsString());
        } else {
          *target = value;
        }
      },
      target_);
}

Json Option::Load() const {
  return std::visit(
      [&](const auto& target) -> Json {
        using T = std::decay_t<decltype(target)>;
        if constexpr (std::is_same_v<T, Choice>) {
          return Json(info_.choices[target.get()]);
        } else if constexpr (std::is_same_v<T, std::optional<int>*> ||
                             std::is_same_v<T, std::optional<double>*>) {
          return target->has_value() ? Json(**target) : Json();
        } else if constexpr (std::is_same_v<T, std::vector<std::string>*>) {
          Json list = Json::MakeArray();
          for (const std::string& item : *target) list.Append(item);
          return list;
        } else {
          return Json(*target);
        }
      },
      target_);
}

Options::Options(std::string noun, std::string owner, std::string fallback_hint)
    : noun_(std::move(noun)), owner_(std::move(owner)), fallback_hint_(std::move(fallback_hint)) {}

Option& Options::Put(std::string_view name, OptionKind kind, std::string_view help) {
  ASSAY_CHECK(Find(name) == nullptr);
  Option& option = options_.emplace_back();
  option.info_.name = name;
  option.info_.kind = kind;
  option.info_.help = help;
  return option;
}

Option& Options::Add(std::string_view name, bool* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kBool, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, int64_t* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kInt, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, std::optional<int>* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kInt, help);
  option.target_ = out;
  constexpr double kHighest = std::numeric_limits<int>::max();
  return option.Range(-kHighest, kHighest);
}
Option& Options::Add(std::string_view name, double* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kNumber, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, std::optional<double>* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kNumber, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, std::string* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kString, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, std::vector<std::string>* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kStrings, help);
  option.target_ = out;
  return option;
}
Option& Options::Add(std::string_view name, Json* out, std::string_view help) {
  Option& option = Put(name, OptionKind::kObject, help);
  option.target_ = out;
  return option;
}

Option* Options::Find(std::string_view name) {
  for (Option& option : options_) {
    if (option.info_.name == name) return &option;
  }
  return nullptr;
}

Status Options::Read(const Json& object, const Where& where) {
  if (object.IsNull()) return {};
  const Json::Object* members = object.AsObject();
  if (members == nullptr) {
    std::string hint;
    if (!options_.empty()) {
      const Option& first = options_.front();
      hint = StrCat("for example ", Json().Set(first.info_.name, first.Load()).Dump());
    }
    return Located(where, "",
                   {ErrorCode::kUsage, StrCat(noun_, "s", owner_, " are not an object"), hint});
  }
  if (Status status = ReadTable(*members, "", where); !status.ok()) return status;
  for (const Option& option : options_) {
    const OptionInfo& info = option.info_;
    if (info.example.empty()) continue;
    const Json* given = object.Find(info.name);
    if (given == nullptr || given->IsNull()) {
      return Located(where, "",
                     {ErrorCode::kUsage, StrCat("'", info.name, "' is missing"),
                      StrCat("for example ", info.example)});
    }
  }
  return {};
}

Status Options::ReadTable(const Json::Object& object, const std::string& prefix,
                          const Where& where) {
  for (const Json::Member& member : object) {
    const std::string path = prefix + member.key;
    if (Option* option = Find(path)) {
      if (Status status = Set(option, member.value, where); !status.ok()) return status;
      continue;
    }
    const std::string inside = path + ".";
    const bool is_table = std::any_of(options_.begin(), options_.end(), [&](const Option& one) {
      return StartsWith(one.info_.name, inside);
    });
    if (!is_table) return Unknown(path, where);
    if (!member.value.IsObject()) {
      const char* wanted = noun_ == "key" ? "' is not a table" : "' is not an object";
      return Located(where, path, {ErrorCode::kUsage, StrCat("'", path, wanted), ""});
    }
    if (Status status = ReadTable(*member.value.AsObject(), inside, where); !status.ok())
      return status;
  }
  return {};
}

Status Options::Set(Option* option, const Json& value, const Where& where) {
  const OptionInfo& info = option->info_;
  if (value.IsNull()) {
    if (info.null_unsets) option->Store(value);
    return {};
  }
  std::string at;
  Status status = CheckValue({info, noun_, owner_, std::string(info.name)}, value, &at);
  if (!status.ok()) return Located(where, at, status.error());
  option->Store(value);
  return {};
}

Error Options::Unknown(const std::string& path, const Where& where) const {
  std::vector<std::string> known;
  for (const Option& option : options_) known.emplace_back(option.info_.name);
  std::string near = NearestName(path, known);
  if (near.empty()) {  // the right name at the wrong level: "rubric" for "reward.rubric"
    for (const std::string& name : known) {
      if (EndsWith(name, "." + path)) near = name;
    }
  }
  std::string hint = fallback_hint_;
  if (known.empty()) {
    hint = "it has no " + noun_ + "s";
  } else if (!near.empty()) {
    hint = StrCat("did you mean '", near, "'?");
  } else if (hint.empty()) {
    hint = DidYouMean(path, known);
  }
  return Located(
      where, path,
      {ErrorCode::kUsage, StrCat("unknown ", noun_, " '", Shorten(path, 80), "'", owner_), hint});
}

Status Options::Override(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error{ErrorCode::kUsage, StrCat("--set '", text, "' has no '='"),
                 "write --set key=value"};
  }
  const std::string key(Trim(std::string_view(text).substr(0, equals)));
  const std::string_view written = Trim(std::string_view(text).substr(equals + 1));
  const std::optional<Json> parsed = ParseTomlValue(written);
  const Json value = parsed ? *parsed : Json(written);
  const Where where = [](std::string_view) { return std::string("--set: "); };
  if (Option* option = Find(key)) {
    Status status = Set(option, value, where);
    // A string that reads like a number.
    if (!status.ok() && parsed && Set(option, Json(written), where).ok()) return {};
    return status;
  }
  for (Option& option : options_) {
    const std::string inside = StrCat(option.info_.name, ".");
    if (option.info_.kind != OptionKind::kObject || !StartsWith(key, inside)) continue;
    Json merged = option.Load();
    merged.Set(key.substr(inside.size()), value);
    // In the order in which a file's table would have come.
    std::sort(merged.AsObject()->begin(), merged.AsObject()->end(),
              [](const Json::Member& a, const Json::Member& b) { return a.key < b.key; });
    return Set(&option, merged, where);
  }
  return Unknown(key, where);
}

Json Options::ToJson() const {
  Json out = Json::MakeObject();
  for (const Option& option : options_) out.Set(option.info_.name, option.Load());
  return out;
}

std::vector<OptionInfo> Options::Infos() const {
  std::vector<OptionInfo> infos;
  for (const Option& option : options_) {
    infos.push_back(option.info_);
    infos.back().initial = option.Load();
  }
  return infos;
}

}  // namespace assay
