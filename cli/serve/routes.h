// The constant table of what the server answers: one row a path, with what reads the request and what describes it in
// /openapi.json. No registrars. Each family of clients has a file of its own beside this one.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "cli/serve/http.h"
#include "cli/serve/serve_context.h"
#include "cli/serve/work_pool.h"

namespace assay {

struct Route {
  std::string_view method;  // "GET" (HEAD too) or "POST"
  std::string_view path;
  std::string_view family;   // whose clients speak it
  std::string_view summary;  // one sentence
  bool open = false;         // answered without a token
  bool at_once = false;  // answered on the server's own thread, whatever the queue: must be cheap
  // Reads the request. Runs nothing yet: that is the plan's.
  PlanOrResponse (*plan)(const ServeContext& context, const HttpRequest& request) = nullptr;
  Json (*request_schema)() = nullptr;  // null: no body
  Json (*response_schema)() = nullptr;
  std::string_view error_statuses;  // besides those that every route has: "422"
};

const std::vector<Route>& Routes();
// The name of Routes()[index] for metrics; "other" behind the last.
std::string_view RouteName(size_t index);

// A plan of one piece: `make` runs on a thread of the pool.
WorkPlan OnePiece(std::function<HttpResponse()> make);

// sandbox_fusion.cc
PlanOrResponse PlanPing(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanRunCode(const ServeContext& context, const HttpRequest& request);
Json PingResponseSchema();
Json RunCodeRequestSchema();
Json RunCodeResponseSchema();

// jupyter.cc
PlanOrResponse PlanRunJupyter(const ServeContext& context, const HttpRequest& request);
Json RunJupyterRequestSchema();
Json RunJupyterResponseSchema();

// native.cc
PlanOrResponse PlanScore(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanCheck(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanRun(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanVerifiers(const ServeContext& context, const HttpRequest& request);
Json ScoreRequestSchema();
Json ScoreResponseSchema();
Json CheckRequestSchema();
Json VerdictSchema();
Json RunRequestSchema();
Json RunResponseSchema();
Json VerifiersResponseSchema();

// piston.cc
PlanOrResponse PlanExecute(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanRuntimes(const ServeContext& context, const HttpRequest& request);
Json ExecuteRequestSchema();
Json ExecuteResponseSchema();
PlanOrResponse PlanPackages(const ServeContext& context, const HttpRequest& request);
Json RuntimesResponseSchema();
Json PackagesResponseSchema();

// open_r1.cc
PlanOrResponse PlanExecuteBatch(const ServeContext& context, const HttpRequest& request);
Json ExecuteBatchRequestSchema();
Json ExecuteBatchResponseSchema();

// open_instruct.cc
PlanOrResponse PlanTestProgram(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanTestProgramStdio(const ServeContext& context, const HttpRequest& request);
Json TestProgramRequestSchema();
Json TestProgramResponseSchema();

// openrlhf.cc
PlanOrResponse PlanGetReward(const ServeContext& context, const HttpRequest& request);
Json GetRewardRequestSchema();
Json GetRewardResponseSchema();

// slime.cc
PlanOrResponse PlanRemoteReward(const ServeContext& context, const HttpRequest& request);
Json RemoteRewardRequestSchema();
Json RemoteRewardResponseSchema();

// nemo_gym.cc
PlanOrResponse PlanSeedSession(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanVerify(const ServeContext& context, const HttpRequest& request);
Json SeedSessionRequestSchema();
Json SeedSessionResponseSchema();
Json VerifyRequestSchema();
Json VerifyResponseSchema();

// site.cc
PlanOrResponse PlanPage(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanHealth(const ServeContext& context, const HttpRequest& request);
PlanOrResponse PlanMetrics(const ServeContext& context, const HttpRequest& request);
Json HealthResponseSchema();

// openapi.cc
PlanOrResponse PlanOpenApi(const ServeContext& context, const HttpRequest& request);
Json OpenApiResponseSchema();

}  // namespace assay
