#include "cli/generator_flags.h"

#include <cstdlib>
#include <utility>

#include "core/json.h"

namespace assay {

void AddGeneratorOptions(CLI::App* app, GeneratorOptions* generator, int64_t* workers,
                         GeneratorFlags* flags) {
  GeneratorOptions& g = *generator;
  app->add_option("--model", g.model, "The model's name")->type_name("NAME");
  app->add_option("--temperature", g.temperature, "")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("X");
  app->add_option("--max-tokens", g.max_tokens, "Of one reply (0: the server's own bound)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app->add_option("--request", flags->extra, "Further keys of each request, as a JSON object")
      ->type_name("JSON");
  app->add_option("--concurrency", *workers, "Requests at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  app->add_option("--requests-per-minute", g.requests_per_minute, "At most so many (0: no bound)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app->add_option("--retries", g.retries,
                  "Of a request that failed by itself (connection, time, 429, 5xx), of a command "
                  "that ended")
      ->capture_default_str()
      ->check(CLI::Range(0, 100))
      ->type_name("N");
  app->add_option("--timeout", g.timeout_s, "Of one request, seconds")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->type_name("S");
  app->add_option("--key-variable", flags->key_variable,
                  "The environment variable that holds the key")
      ->capture_default_str()
      ->type_name("NAME");
}

Status FinishGenerator(const Context& context, const GeneratorFlags& flags,
                       GeneratorOptions* generator) {
  GeneratorOptions& g = *generator;
  if (!g.endpoint.empty() && g.model.empty())
    return Error{ErrorCode::kUsage, "an endpoint needs --model",
                 "the name that the server knows it by"};
  if (!flags.extra.empty()) {
    Result<Json> extra = ParseJson(flags.extra);
    if (!extra.ok() || !extra->IsObject())
      return Error{ErrorCode::kUsage, "--request is no JSON object",
                   R"(--request '{"top_k": 20}')"};
    g.extra = std::move(*extra);
  }
  if (const char* key = std::getenv(flags.key_variable.c_str())) g.key = key;
  g.seed = context.global.seed;
  g.cancelled = &context.interrupted;
  return {};
}

}  // namespace assay
