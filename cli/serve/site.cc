// What the server says of itself: its page, its health and its counters.
#include "cli/serve/page.h"
#include "cli/serve/routes.h"
#include "cli/serve/schemas.h"

namespace assay {
namespace {

int64_t Sum(const ServeMetrics& metrics, std::atomic<int64_t> ServeGauges::*gauge) {
  int64_t sum = 0;
  for (const ServeGauges& process : metrics.gauges) sum += (process.*gauge).load();
  return sum;
}

}  // namespace

PlanOrResponse PlanHealth(const ServeContext& context, const HttpRequest&) {
  const ServeMetrics& metrics = context.metrics();
  return HttpResponse::OfJson(200, Json()
                                       .Set("status", "ok")
                                       .Set("version", context.version())
                                       .Set("waiting", Sum(metrics, &ServeGauges::waiting))
                                       .Set("running", Sum(metrics, &ServeGauges::running))
                                       .Set("threads", Sum(metrics, &ServeGauges::threads)));
}

Json HealthResponseSchema() {
  return ObjectSchema({{"status", StringSchema("always \"ok\"")},
                       {"version", StringSchema("of the server")},
                       {"waiting", IntegerSchema("requests that wait")},
                       {"running", IntegerSchema("pieces of work that run")},
                       {"threads", IntegerSchema("pieces of work that can run at once")}});
}

// The page asks this server alone, and holds all that it needs.
PlanOrResponse PlanPage(const ServeContext&, const HttpRequest&) {
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {
      {"Content-Security-Policy",
       "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
       "'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  response.body = kPage;
  return response;
}

PlanOrResponse PlanMetrics(const ServeContext& context, const HttpRequest&) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = MetricsText(context.metrics(), Routes().size(), RouteName, context.version());
  return response;
}

}  // namespace assay
