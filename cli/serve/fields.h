// Fields: the body of a request as one table: names, kinds, defaults, a sentence each. From it come reading, errors in the shape that
// FastAPI gives them ({"detail": [{type, loc, msg, input}]}), and the schema in /openapi.json, so that the three cannot differ.
// It takes what pydantic takes: numbers as text, 10.0 for a whole number, fields that it does not know (which are ignored, unless the table
// is OnlyThese: on our own routes a slip in a name would change what is meant, and nobody would hear of it).
//
//   struct Body { std::string code; double run_timeout = 10; };
//   Fields Table(Body* b) {
//     Fields table;
//     table.Add("code", &b->code, "the program").Required();
//     table.Add("run_timeout", &b->run_timeout, "seconds");
//     return table;
//   }
//
// Points into the struct that it was made for. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/serve/http.h"
#include "core/json.h"
#include "core/result.h"

namespace assay {

// One entry of "detail".
Json FieldError(std::string_view type, const std::vector<Json>& loc, std::string_view message,
                const Json& input);
// {"detail": [..]} with status 422.
HttpResponse FieldErrors(Json details);

class Field {
 public:
  Field& Required();
  Field& OneOf(std::vector<std::string> choices);  // strings
  // A number outside is moved to the nearest that is allowed, in silence: the schema says what is allowed.
  Field& Clamp(double lowest, double highest);
  Field& Example(Json example);
  // What the schema says instead of what the kind alone says.
  Field& Schema(Json schema);

 private:
  friend class Fields;
  using Target = std::variant<std::string*, std::optional<std::string>*, double*, int64_t*, bool*,
                              std::vector<std::string>*, Json*>;
  std::string name_, help_;
  Target target_;
  bool required_ = false;
  bool object_ = false, list_ = false;  // Json: of that kind, or of any
  std::vector<std::string> choices_;
  std::optional<double> lowest_, highest_;
  Json example_, schema_;
};

class Fields {
 public:
  Field& Add(std::string_view name, std::string* out, std::string_view help);
  Field& Add(std::string_view name, std::optional<std::string>* out,
             std::string_view help);  // or null
  Field& Add(std::string_view name, double* out, std::string_view help);
  Field& Add(std::string_view name, int64_t* out, std::string_view help);
  Field& Add(std::string_view name, bool* out, std::string_view help);
  Field& Add(std::string_view name, std::vector<std::string>* out, std::string_view help);
  Field& AddAny(std::string_view name, Json* out, std::string_view help);
  Field& AddObject(std::string_view name, Json* out, std::string_view help);
  Field& AddList(std::string_view name, Json* out, std::string_view help);
  // Other fields are errors.
  void OnlyThese() { only_these_ = true; }

  // Reads an object; every error at once, as a list of FieldError, empty if there is none.
  Json Read(const Json& body);
  // Of the object, with the members' values of now as defaults. `with_null` is for fields that take it.
  Json Schema() const;

 private:
  Field& Put(std::string_view name, Field::Target target, std::string_view help);
  void ComplainOfOthers(const Json& body, Json* errors) const;
  std::vector<Field> fields_;
  bool only_these_ = false;
};

// An object read into a table: nothing if all is well, else the response that says what is wrong.
std::optional<HttpResponse> ReadFields(const Json& given, Fields table);
// Likewise the body of a request, parsed.
std::optional<HttpResponse> ReadBody(const HttpRequest& request, Fields table);

}  // namespace assay
