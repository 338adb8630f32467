// The readers of requests: a path, a content type and a body that say anything. The first line names the route, the second the content
// type, the rest is the body. Plans are made and not run; what is refused must be refused with a body that is JSON and no 500.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cli/serve/routes.h"
#include "core/text.h"

namespace assay {
namespace {

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  *text = end == std::string_view::npos ? "" : text->substr(end + 1);
  return line;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void ReadOne(const ServeContext& context, std::string_view input) {
  const std::string_view target = TakeLine(&input);
  HttpRequest request;
  request.content_type = TakeLine(&input);
  request.body = input;
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  for (const Route& route : Routes()) {
    if (route.path != request.path) continue;
    const PlanOrResponse read = route.plan(context, request);
    const auto* response = std::get_if<HttpResponse>(&read);
    if (response == nullptr) continue;
    Require(response->status != 500);
    if (response->content_type == "application/json") Require(ParseJson(response->body).ok());
  }
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static assay::ServeMetrics* metrics = assay::NewServeMetrics();
  static const assay::ServeContext context({}, nullptr, {}, metrics, "0");
  assay::ReadOne(context, {reinterpret_cast<const char*>(data), size});
  return 0;
}
