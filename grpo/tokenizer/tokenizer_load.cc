// A tokenizer out of the files that a path names.
#include <filesystem>
#include <string>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

namespace fs = std::filesystem;

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  std::error_code ignored;
  if (EndsWith(path, ".gguf")) {
    Result<std::shared_ptr<const GgufFile>> file = GgufFile::Open(path);
    if (!file.ok()) return file.error();
    return FromGguf(**file);
  }
  const bool folder = fs::is_directory(path, ignored);
  const fs::path base = folder ? fs::path(path) : fs::path(path).parent_path();
  const fs::path main = folder ? base / "tokenizer.json" : fs::path(path);
  Result<std::string> text = ReadFile(main.string());
  if (!text.ok()) return text.error();
  Result<Json> json = ParseJson(*text);
  if (!json.ok())
    return Error{ErrorCode::kInput, StrCat(main.string(), ": ", json.error().message),
                 "fetch the file again"};
  Json config;
  if (Result<std::string> extra = ReadFile((base / "tokenizer_config.json").string()); extra.ok()) {
    Result<Json> parsed = ParseJson(*extra);
    if (!parsed.ok()) {
      return Error{ErrorCode::kInput,
                   StrCat((base / "tokenizer_config.json").string(), ": ", parsed.error().message),
                   ""};
    }
    config = std::move(parsed).value();
  }
  // Older files keep the special tokens there alone.
  if (Result<std::string> extra = ReadFile((base / "special_tokens_map.json").string());
      extra.ok()) {
    Result<Json> parsed = ParseJson(*extra);
    if (parsed.ok() && parsed->IsObject()) {
      for (const Json::Member& member : *parsed->AsObject()) {
        if (EndsWith(member.key, "_token") && config.Find(member.key) == nullptr)
          config.Set(member.key, member.value);
      }
    }
  }
  // Newer files keep the chat template beside.
  if (Result<std::string> chat = ReadFile((base / "chat_template.jinja").string()); chat.ok())
    config.Set("chat_template", *chat);
  Result<std::shared_ptr<const Tokenizer>> made = FromJson(*json, config);
  if (!made.ok())
    return Error{made.error().code, StrCat(main.string(), ": ", made.error().message),
                 made.error().hint};
  return made;
}

}  // namespace assay
