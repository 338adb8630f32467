#include "cli/serve/routes.h"

#include <memory>
#include <utility>

namespace assay {

const std::vector<Route>& Routes() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/health", "assay", "Whether the server is up, and how busy", true, true, PlanHealth,
       nullptr, HealthResponseSchema, ""},
      {"GET", "/metrics", "assay", "Counters for Prometheus", false, true, PlanMetrics, nullptr,
       nullptr, ""},
      {"GET", "/v1/ping", "SandboxFusion", "Always \"pong\"", false, true, PlanPing, nullptr,
       PingResponseSchema, ""},
      {"POST", "/run_code", "SandboxFusion", "Runs one program", false, false, PlanRunCode,
       RunCodeRequestSchema, RunCodeResponseSchema, "422"},
  };
  return kRoutes;
}

std::string_view RouteName(size_t index) {
  return index < Routes().size() ? Routes()[index].path : "other";
}

WorkPlan OnePiece(std::function<HttpResponse()> make) {
  auto response = std::make_shared<HttpResponse>();
  WorkPlan plan;
  plan.pieces = 1;
  plan.run = [response, make = std::move(make)](size_t) { *response = make(); };
  plan.finish = [response] { return std::move(*response); };
  return plan;
}

}  // namespace assay
