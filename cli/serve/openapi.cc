// /openapi.json: OpenAPI 3.1, made of the table of routes and the tables of fields that read the requests.
#include <string>

#include "cli/serve/routes.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

struct StatusText {
  const char* status;
  const char* description;
};
// What any route may answer, by who refuses.
constexpr StatusText kEverywhere[] = {
    {"400", "the request is no HTTP, or what Piston calls a bad request"},
    {"401", "the server asks for a token"},
    {"403", "a page from elsewhere, where no token is asked for"},
    {"413", "the body is too large, or asks for too many things"},
    {"431", "the header is too large"},
    {"503",
     "the queue is full (Retry-After says for how long), the server is stopping, or it cannot "
     "judge now"}};

Json Reference(const char* name) {
  return Json().Set("$ref", StrCat("#/components/schemas/", name));
}

Json JsonContent(Json schema) {
  return Json().Set("application/json", Json().Set("schema", std::move(schema)));
}

Json Responses(const Route& route) {
  Json responses = Json::MakeObject();
  Json good = Json().Set("description", "as asked");
  if (route.response_schema != nullptr)
    good.Set("content", JsonContent(route.response_schema()));
  else
    good.Set("content", Json().Set(route.path == "/" ? "text/html" : "text/plain",
                                   Json().Set("schema", StringSchema(""))));
  responses.Set("200", std::move(good));
  for (const StatusText& one : kEverywhere) {
    responses.Set(
        one.status,
        Json().Set("description", one.description).Set("content", JsonContent(Reference("Error"))));
  }
  for (std::string_view status : SplitChar(route.error_statuses, ' ')) {
    if (status.empty()) continue;
    const bool fields = status == "422";
    responses.Set(status,
                  Json()
                      .Set("description", fields ? "the request does not fit" : "see `message`")
                      .Set("content", JsonContent(Reference(fields ? "Invalid" : "Error"))));
  }
  return responses;
}

std::string OperationId(const Route& route) {
  std::string id = AsciiLower(route.method);
  for (char c : route.path) id.push_back(c == '/' || c == '.' ? '_' : c);
  return id;
}

Json Operation(const Route& route) {
  Json operation = Json()
                       .Set("operationId", OperationId(route))
                       .Set("tags", Json::MakeArray().Append(route.family))
                       .Set("summary", route.summary)
                       .Set("responses", Responses(route));
  if (route.request_schema != nullptr) {
    operation.Set("requestBody",
                  Json().Set("required", true).Set("content", JsonContent(route.request_schema())));
  }
  if (route.open) operation.Set("security", Json::MakeArray());
  return operation;
}

Json Components() {
  const Json error =
      Json()
          .Set("type", "object")
          .Set("properties", Json()
                                 .Set("detail", StringSchema("what is wrong"))
                                 .Set("message", StringSchema("the same, in Piston's routes"))
                                 .Set("error", ObjectSchema({{"message", StringSchema("")},
                                                             {"hint", StringSchema("")}})));
  const Json item = ObjectSchema({{"type", StringSchema("missing, string_type, ..")},
                                  {"loc", ArraySchema(Json::MakeObject(), "where")},
                                  {"msg", StringSchema("")},
                                  {"input", Json::MakeObject()}});
  Json detail =
      Json().Set("anyOf", Json::MakeArray().Append(ArraySchema(item, "")).Append(StringSchema("")));
  const Json invalid =
      Json().Set("type", "object").Set("properties", Json().Set("detail", std::move(detail)));
  return Json()
      .Set("schemas", Json().Set("Error", error).Set("Invalid", invalid))
      .Set("securitySchemes",
           Json().Set("bearer", Json().Set("type", "http").Set("scheme", "bearer")));
}

}  // namespace

PlanOrResponse PlanOpenApi(const ServeContext& context, const HttpRequest&) {
  Json paths = Json::MakeObject();
  for (const Route& route : Routes()) {
    const std::string path(route.path);
    if (paths.Find(path) == nullptr) paths.Set(path, Json::MakeObject());
    paths.Find(path)->Set(AsciiLower(route.method), Operation(route));
  }
  return HttpResponse::OfJson(
      200,
      Json()
          .Set("openapi", "3.1.0")
          .Set("info", Json()
                           .Set("title", "Assay")
                           .Set("version", context.version())
                           .Set("description", "Verdicts, rewards and runs of untrusted programs."))
          .Set("paths", std::move(paths))
          .Set("components", Components())
          .Set("security", Json::MakeArray()
                               .Append(Json().Set("bearer", Json::MakeArray()))
                               .Append(Json::MakeObject())));
}

Json OpenApiResponseSchema() { return Json().Set("type", "object"); }

}  // namespace assay
