// What a run of either trainer is: its model, data, server, reward, evaluation and optimiser, one struct a table of the
// recipe. Plain values without LibTorch; recipe.h reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "grpo/config/lora_config.h"

namespace assay {

// [model]
struct ModelSpec {
  std::string
      path;  // a folder with config.json and safetensors, or a .gguf; empty: random weights from `config`
  Json config;            // [model.config]: keys of config.json
  std::string tokenizer;  // empty: the model's; a path; "characters" or "words" with `alphabet`
  std::string alphabet;
  double init_std = 0.02;
  std::string dtype = "float32";  // of the computation; master weights and optimiser are float32
  std::string device = "cpu";
  std::string
      adapter;  // a PEFT adapter's folder: merged into the weights, or trained on with use_peft
};

// [data]
struct DataSpec {
  std::vector<std::string> train;  // JSON Lines
  std::vector<std::string> eval;   // held-out problems
  std::string store;               // SQLite store with `dataset` (SFT), instead of `train`
  std::string dataset;
  std::string
      rollouts;  // GRPO: groups sampled elsewhere (token ids and log-probs), instead of generating
  std::string prompt_prefix, prompt_suffix;  // put around each plain prompt
  std::string system_prompt;  // in front of chats that begin with none; makes a plain prompt a chat
  Json chat_template_kwargs;  // further variables of the chat template; an object or null
  int64_t max_prompt_length = 0;           // tokens; 0: what the model's positions leave
  std::string overlong_prompts = "error";  // error | drop | left
};

// [server]: rollouts from an OpenAI-compatible server instead of our own sampling (GRPO)
struct ServerSpec {
  std::string url;         // "http://host:8000/v1"; empty: none
  std::string model;       // the server's name of it
  std::string key_env;     // the environment variable that holds the API key; empty: no key
  double timeout_s = 600;  // of one request
  int64_t retries = 5;
  int64_t concurrency = 8;  // requests at a time
  std::string push;  // vllm | sglang: the policy's weights follow through its endpoints; "" not
  std::string weights_dir;  // where both sides find them
};

// [reward]
struct RewardConfig {
  std::string rubric;     // TOML file
  std::string verifiers;  // or names; with neither the row's task decides
  int64_t threads = 2;
  double timeout_s = 120;           // a group that takes longer has no reward
  std::string on_timeout = "null";  // null | fail
  double overlong_share =
      0;  // soft overlong punishment over this share of max_completion_length (DAPO); 0: off
  bool shuffle = false;  // control experiment: rewards are dealt out at random within the batch
};

// [eval]
struct EvalSpec {
  int64_t steps = 0;    // every n steps; 0: never
  int64_t limit = 256;  // problems
  int64_t samples = 1;  // completions of each; pass@1 .. pass@samples (powers of two)
  double temperature = 1.0;
  bool at_start = true;
  double stop_at = 0;  // stop once pass@1 reaches this; 0: off
};

struct OptimSpec {
  double learning_rate = 1e-6;
  std::string lr_scheduler_type = "linear";
  int64_t warmup_steps = 0;
  double warmup_ratio = 0;
  double min_lr_ratio = 0;
  double weight_decay = 0;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;     // 0: no clipping
  std::string shard = "moments";  // what several processes share out: none | moments | weights
};

// What both trainers have.
struct TrainSpec {
  ModelSpec model;
  DataSpec data;
  ServerSpec server;
  RewardConfig reward;
  EvalSpec eval;
  OptimSpec optim;
  bool use_peft = false;  // trains an adapter on frozen weights
  LoraConfig lora;
  bool load_in_8bit = false;  // the frozen weights beneath an adapter
  int64_t seed = 42;
  int64_t max_steps = -1;  // 0 and below: num_train_epochs decides
  double num_train_epochs = 3;
  int64_t per_device_train_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  bool gradient_checkpointing = true;
  bool shuffle_dataset = true;
  int64_t save_steps = 500;  // 0: only at the end
  int64_t save_total_limit = 2;
  std::string save_dtype = "float32";  // of the models that are no checkpoints
  bool keep_best = false;              // DIR/best by held-out pass@1
  bool save_only_model = false;        // of save_steps' checkpoints
  int64_t logging_steps = 1;
  double max_seconds = 0;               // stop in good order after so much time; 0: off
  int64_t threads = 0;                  // 0: LibTorch's default
  int64_t max_completion_length = 512;  // of GRPO's rollouts and of evaluations
  double temperature = 1.0, top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0;
  int64_t top_k = 0;
  int64_t min_completion_length = 0;
  std::vector<std::string> stop;
  int64_t generation_rows = 0;  // rows that are decoded side by side; 0: as GenerateOptions has it
};

}  // namespace assay
