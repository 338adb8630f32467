#include "sandbox/jail/judge_spec.h"

#include <cstring>

namespace assay::jail {
namespace {

void PutSized(std::string_view bytes, std::string* out) {
  uint64_t size = bytes.size();
  out->append(reinterpret_cast<const char*>(&size), sizeof size);
  out->append(bytes);
}

bool GetSized(std::string_view* in, std::string* bytes) {
  uint64_t size;
  if (in->size() < sizeof size) return false;
  std::memcpy(&size, in->data(), sizeof size);
  in->remove_prefix(sizeof size);
  if (size > in->size()) return false;
  bytes->assign(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

}  // namespace

std::string CandidateSpec::Encode() const {
  std::string out;
  PutSized(program, &out);
  PutSized(module_name, &out);
  PutSized(std::to_string(first_line), &out);
  PutSized(waits_for_setup ? "1" : "", &out);
  for (const std::string& record : records) PutSized(record, &out);
  return out;
}

bool CandidateSpec::Decode(std::string_view bytes, CandidateSpec* spec) {
  std::string line, waits;
  if (!GetSized(&bytes, &spec->program) || !GetSized(&bytes, &spec->module_name) ||
      !GetSized(&bytes, &line) || !GetSized(&bytes, &waits)) {
    return false;
  }
  spec->first_line = std::strtoll(line.c_str(), nullptr, 10);
  spec->waits_for_setup = !waits.empty();
  while (!bytes.empty()) {
    std::string record;
    if (!GetSized(&bytes, &record)) return false;
    spec->records.push_back(std::move(record));
  }
  return true;
}

}  // namespace assay::jail
