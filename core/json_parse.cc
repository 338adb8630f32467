// ParseJson: text to Json through simdjson's DOM, and once more through JsonRepairer where simdjson refuses.
#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/json.h"
#include "core/json_repair.h"
#include "core/text.h"

namespace assay {
namespace {

namespace sj = simdjson;

// `marker` is empty unless the text was repaired.
Json Build(const sj::dom::element& element, std::string_view marker) {
  switch (element.type()) {
    case sj::dom::element_type::ARRAY: {
      Json::Array array;
      const sj::dom::array source = element.get_array().value_unsafe();
      array.reserve(source.size());
      for (const sj::dom::element item : source) array.push_back(Build(item, marker));
      return Json(std::move(array));
    }
    case sj::dom::element_type::OBJECT: {
      Json::Object object;
      const sj::dom::object source = element.get_object().value_unsafe();
      object.reserve(source.size());
      for (const auto field : source)
        object.push_back({std::string(field.key), Build(field.value, marker)});
      return Json(std::move(object));
    }
    case sj::dom::element_type::INT64:
      return Json(static_cast<int64_t>(element.get_int64().value_unsafe()));
    case sj::dom::element_type::UINT64:
      return Json(static_cast<uint64_t>(element.get_uint64().value_unsafe()));
    case sj::dom::element_type::DOUBLE:
      return Json(element.get_double().value_unsafe());
    case sj::dom::element_type::STRING: {
      const std::string_view text = element.get_string().value_unsafe();
      if (!marker.empty() && StartsWith(text, marker)) {
        return Json(Json::BigNumber{std::string(text.substr(marker.size()))});
      }
      return Json(text);
    }
    case sj::dom::element_type::BOOL:
      return Json(element.get_bool().value_unsafe());
    case sj::dom::element_type::NULL_VALUE:
      return Json();
  }
  return Json();
}

// One parser a thread; given back to the allocator after a giant, so that one 200 MB line does not stay in memory.
class ThreadParser {
 public:
  sj::dom::parser& get() {
    if (!parser_) {
      parser_ = std::make_unique<sj::dom::parser>();
      // A failure shows again, as an error, when the parser is used.
      [[maybe_unused]] const sj::error_code ignored =
          parser_->allocate(size_t{1} << 16, Json::kMaxDepth);
    }
    return *parser_;
  }
  void Release(size_t used) {
    if (used > (size_t{8} << 20)) parser_.reset();
  }

 private:
  std::unique_ptr<sj::dom::parser> parser_;
};

bool NeedsRepair(sj::error_code error) {
  return error == sj::STRING_ERROR || error == sj::NUMBER_ERROR || error == sj::UTF8_ERROR ||
         error == sj::TAPE_ERROR || error == sj::N_ATOM_ERROR || error == sj::UNESCAPED_CHARS;
}

Error ParseError(sj::error_code error) {
  if (error == sj::DEPTH_ERROR) {
    return {ErrorCode::kInput,
            StrCat("malformed JSON: nested deeper than ", Json::kMaxDepth, " levels"),
            "leave the deep value out, or keep it as a string"};
  }
  if (error == sj::EMPTY)
    return {ErrorCode::kInput, "malformed JSON: empty document",
            "each line must be one complete JSON object"};
  return {
      ErrorCode::kInput, StrCat("malformed JSON: ", sj::error_message(error)),
      "each line must be one complete JSON object; `python3 -m json.tool` shows where it breaks"};
}

// The document once more, mended; an error if that did not help.
Result<Json> ParseRepaired(std::string_view text, sj::dom::parser* parser, JsonRepairs* repairs) {
  JsonRepairs made;
  JsonRepairer repairer(text, &made);
  const std::string repaired = repairer.Run();
  if (repaired.size() > parser->capacity()) {
    const sj::error_code error = parser->allocate(repaired.size() * 2, Json::kMaxDepth);
    if (error != sj::SUCCESS) return ParseError(error);
  }
  sj::dom::element root;
  const sj::error_code error = parser->parse(repaired.data(), repaired.size(), true).get(root);
  if (error != sj::SUCCESS) return ParseError(error);
  if (repairs != nullptr) repairs->Add(made);
  return Build(root, repairer.marker());
}

}  // namespace

Result<Json> ParseJson(std::string_view text, JsonRepairs* repairs, bool padded) {
  static_assert(kJsonPadding >= sj::SIMDJSON_PADDING);
  static thread_local ThreadParser thread_parser;
  sj::dom::parser& parser = thread_parser.get();
  // An allocation for a larger document resets simdjson's depth to its own default (1024): keep ours.
  if (text.size() > parser.capacity()) {
    if (parser.allocate(text.size() + text.size() / 4, Json::kMaxDepth) != sj::SUCCESS) {
      return Error{ErrorCode::kLimit, "not enough memory to parse a JSON document", ""};
    }
  }
  sj::dom::element root;
  sj::error_code error = parser.parse(text.data(), text.size(), !padded).get(root);
  if (error == sj::SUCCESS) {
    Json value = Build(root, {});
    thread_parser.Release(text.size());
    return value;
  }
  if (NeedsRepair(error)) {
    Result<Json> value = ParseRepaired(text, &parser, repairs);
    thread_parser.Release(text.size());
    return value.ok() ? std::move(value) : ParseError(error);
  }
  thread_parser.Release(text.size());
  return ParseError(error);
}

}  // namespace assay
