// What `assay generate` and `assay testgen` ask of an endpoint or a command that answers prompts. Single-threaded, as all commands.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/command.h"
#include "core/result.h"
#include "datagen/generate/generator.h"

namespace assay {

struct GeneratorFlags {
  std::string key_variable = "OPENAI_API_KEY";
  std::string extra;  // further keys of each request, as a JSON object
};

// --model, --temperature, --max-tokens, --request, and how requests are made: at once, a minute, again, how long, with which key.
void AddGeneratorOptions(CLI::App* app, GeneratorOptions* generator, int64_t* workers,
                         GeneratorFlags* flags);

// After parsing: the request's keys, the key of the environment, seed and interruption into *generator.
Status FinishGenerator(const Context& context, const GeneratorFlags& flags,
                       GeneratorOptions* generator);

}  // namespace assay
