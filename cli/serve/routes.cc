#include "cli/serve/routes.h"

#include <memory>
#include <utility>

namespace assay {

const std::vector<Route>& Routes() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/", "assay", "A page to try it", true, true, PlanPage, nullptr, nullptr, ""},
      {"GET", "/health", "assay", "Whether the server is up, and how busy", true, true, PlanHealth,
       nullptr, HealthResponseSchema, ""},
      {"GET", "/metrics", "assay", "Counters for Prometheus", false, true, PlanMetrics, nullptr,
       nullptr, ""},
      {"GET", "/openapi.json", "assay", "This document", false, true, PlanOpenApi, nullptr,
       OpenApiResponseSchema, ""},
      {"POST", "/v1/score", "assay", "Rewards, advantages and verdicts of rows", false, false,
       PlanScore, ScoreRequestSchema, ScoreResponseSchema, "422"},
      {"POST", "/v1/check", "assay", "One verdict on one answer", false, false, PlanCheck,
       CheckRequestSchema, VerdictSchema, "422"},
      {"POST", "/v1/run", "assay", "One program in the sandbox", false, false, PlanRun,
       RunRequestSchema, RunResponseSchema, "422"},
      {"GET", "/v1/verifiers", "assay", "The verifiers and their options", false, true,
       PlanVerifiers, nullptr, VerifiersResponseSchema, ""},
      {"GET", "/v1/ping", "SandboxFusion", "Always \"pong\"", false, true, PlanPing, nullptr,
       PingResponseSchema, ""},
      {"POST", "/run_code", "SandboxFusion", "Runs one program", false, false, PlanRunCode,
       RunCodeRequestSchema, RunCodeResponseSchema, "422"},
      {"POST", "/run_jupyter", "SandboxFusion", "Runs the cells of a notebook", false, false,
       PlanRunJupyter, RunJupyterRequestSchema, RunJupyterResponseSchema, "422"},
      {"POST", "/api/v2/execute", "Piston", "Runs one program", false, false, PlanExecute,
       ExecuteRequestSchema, ExecuteResponseSchema, "415"},
      {"GET", "/api/v2/runtimes", "Piston", "The languages that are installed", false, false,
       PlanRuntimes, nullptr, RuntimesResponseSchema, ""},
      {"GET", "/api/v2/packages", "Piston", "The same, as packages", false, false, PlanPackages,
       nullptr, PackagesResponseSchema, ""},
      {"POST", "/execute_batch", "open-r1", "Runs scripts as a notebook does", false, false,
       PlanExecuteBatch, ExecuteBatchRequestSchema, ExecuteBatchResponseSchema, "422"},
      {"POST", "/test_program", "open-instruct", "Tests a program by asserts", false, false,
       PlanTestProgram, TestProgramRequestSchema, TestProgramResponseSchema, "422"},
      {"POST", "/test_program_stdio", "open-instruct", "Tests a program by what it prints", false,
       false, PlanTestProgramStdio, TestProgramRequestSchema, TestProgramResponseSchema, "422"},
      {"POST", "/get_reward", "OpenRLHF", "Rewards of replies", false, false, PlanGetReward,
       GetRewardRequestSchema, GetRewardResponseSchema, "422"},
      {"POST", "/rm", "slime", "The reward of a reply", false, false, PlanRemoteReward,
       RemoteRewardRequestSchema, RemoteRewardResponseSchema, "422"},
      {"POST", "/seed_session", "NeMo Gym", "Begins a rollout", false, false, PlanSeedSession,
       SeedSessionRequestSchema, SeedSessionResponseSchema, "422"},
      {"POST", "/verify", "NeMo Gym", "The reward of a rollout", false, false, PlanVerify,
       VerifyRequestSchema, VerifyResponseSchema, "422"},
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
