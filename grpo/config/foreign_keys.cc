#include "grpo/config/foreign_keys.h"

#include <array>
#include <utility>

namespace assay {
namespace {

constexpr std::pair<std::string_view, std::string_view> kAnswers[] = {
    // TRL and transformers
    {"bf16", "model.dtype = \"bfloat16\""},
    {"fp16", "model.dtype = \"bfloat16\"; half precision with loss scaling is not there"},
    {"torch_dtype", "model.dtype"},
    {"dtype", "model.dtype"},
    {"model_name_or_path", "model.path"},
    {"dataset_name", "data.train, a JSON Lines file"},
    {"output_dir", "--out DIR"},
    {"resume_from_checkpoint", "--resume"},
    {"use_vllm", "server.url, the address of a running `vllm serve`"},
    {"vllm_mode", "server.url, the address of a running `vllm serve`"},
    {"vllm_server_base_url", "server.url"},
    {"vllm_importance_sampling_correction", "importance_correction"},
    {"vllm_importance_sampling_cap", "importance_correction_max"},
    {"reward_weights", "`weight` of the terms in reward.rubric"},
    {"reward_funcs", "reward.verifiers, or reward.rubric"},
    {"generation_batch_size", "steps_per_generation * per_device_train_batch_size"},
    {"per_device_eval_batch_size", "generation_rows"},
    {"eval_steps", "eval.steps"},
    {"eval_strategy", "eval.steps; 0 is never"},
    {"save_strategy", "save_steps; 0 is only at the end"},
    {"load_best_model_at_end", "keep_best = true, which leaves DIR/best"},
    {"assistant_only_loss", "assistant_turns and completion_only_loss"},
    {"max_seq_length", "max_length"},
    {"max_new_tokens", "max_completion_length"},
    {"batch_size", "per_device_train_batch_size"},
    {"epochs", "num_train_epochs"},
    {"group_size", "num_generations"},
    {"attn_implementation", "nothing: there is one way to compute attention"},
    {"deepspeed", "shard = \"weights\" with several processes"},
    {"optim", "nothing: the optimiser is AdamW"},
    {"report_to", "nothing: DIR/metrics.jsonl and DIR/tensorboard are always written"},
    {"logging_dir", "nothing: DIR/tensorboard is always written"},
    {"lora_dropout", "nothing: adapters are trained without dropout"},
    {"load_in_4bit", "load_in_8bit, or nothing: frozen weights are held in model.dtype"},
    {"fsdp", "shard = \"weights\" with several processes"},
    {"num_completions_to_print", "log_completions = true"},
    {"generation_kwargs", "temperature, top_p, top_k, min_p, repetition_penalty, stop"},
    {"eval_on_start", "eval.at_start"},
    {"remove_unused_columns", "nothing: all keys of a row reach the reward"},
    {"dataloader_num_workers", "nothing: rows are read before the first step"},
    {"gradient_checkpointing_kwargs", "gradient_checkpointing"},
    {"run_name", "--out DIR, which the run is known by"},
    {"wandb_project", "nothing: DIR/metrics.jsonl and DIR/tensorboard are always written"},
    {"logging_strategy", "logging_steps"},
    {"vllm_gpu_memory_utilization", "generation_rows"},
    {"push_to_hub", "nothing: DIR/model is a folder that can be uploaded"},
    {"dataset_text_field", "nothing: rows with \"text\" are known by it"},
    // verl
    {"logger", "nothing: DIR/metrics.jsonl and DIR/tensorboard are always written"},
    {"project_name", "--out DIR, which the run is known by"},
    {"experiment_name", "--out DIR, which the run is known by"},
    {"n_gpus_per_node", "--processes N"},
    {"rollout_n", "num_generations"},
    {"adv_estimator", "advantage_estimator"},
    {"kl_coef", "beta"},
    {"kl_loss_coef", "beta"},
    {"kl_loss_type", "kl"},
    {"use_kl_loss", "beta above 0"},
    {"clip_ratio", "epsilon"},
    {"clip_ratio_low", "epsilon"},
    {"clip_ratio_high", "epsilon_high"},
    {"clip_ratio_c", "dual_clip"},
    {"n", "num_generations"},
    {"lr", "learning_rate"},
    {"train_files", "data.train"},
    {"val_files", "data.eval"},
    {"max_response_length", "max_completion_length"},
    {"max_prompt_length", "max_prompt_length, outside of any table"},
    {"filter_overlong_prompts", "overlong_prompts = \"drop\""},
    {"truncation", "overlong_prompts"},
    {"train_batch_size",
     "per_device_train_batch_size * gradient_accumulation_steps rows make a step"},
    {"ppo_mini_batch_size",
     "per_device_train_batch_size * gradient_accumulation_steps rows make a step"},
    {"ppo_micro_batch_size_per_gpu", "per_device_train_batch_size"},
    {"ppo_epochs", "num_iterations"},
    {"total_epochs", "num_train_epochs"},
    {"total_training_steps", "max_steps"},
    {"save_freq", "save_steps"},
    {"test_freq", "eval.steps"},
    {"norm_adv_by_std_in_grpo", "scale_rewards = \"none\" where it is false"},
    {"enable_gradient_checkpointing", "gradient_checkpointing"},
    {"custom_reward_function", "reward.rubric"},
};

}  // namespace

std::string AnswerToForeignKey(std::string_view key) {
  // verl's keys stand in tables within tables; the last name says what is meant.
  const size_t dot = key.rfind('.');
  if (dot != std::string_view::npos) key.remove_prefix(dot + 1);
  for (const auto& [name, answer] : kAnswers) {
    if (name == key) return std::string(answer);
  }
  return "";
}

}  // namespace assay
