#include "core/json_repair.h"

#include <simdjson.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/text.h"

namespace assay {

JsonRepairer::JsonRepairer(std::string_view text, JsonRepairs* repairs)
    : text_(text), repairs_(repairs) {
  for (int i = 0;; ++i) {
    marker_ = StrCat("assay-number-", i, ":");
    if (text.find(marker_) == std::string_view::npos) break;
  }
}

std::string JsonRepairer::Run() {
  std::string clean;
  if (!simdjson::validate_utf8(text_.data(), text_.size())) {
    clean = SanitizeUtf8(text_, &repairs_->invalid_utf8);
    text_ = clean;
  }
  out_.reserve(text_.size() + 64);
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      CopyString();
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      CopyNumber();
    } else if (CopyNonfinite("NaN") || CopyNonfinite("Infinity")) {
      continue;
    } else {
      out_.push_back(c);
      ++at_;
    }
  }
  return std::move(out_);
}

void JsonRepairer::CopyString() {
  out_.push_back(text_[at_++]);
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\\' && at_ + 1 < text_.size()) {
      if (text_[at_ + 1] == 'u') {
        CopyUnicodeEscape();
      } else {
        out_.append(text_.substr(at_, 2));
        at_ += 2;
      }
      continue;
    }
    out_.push_back(c);
    ++at_;
    if (c == '"') return;
  }
}

int JsonRepairer::EscapeAt(size_t at) const {
  if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    const char c = text_[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

void JsonRepairer::CopyUnicodeEscape() {
  const int unit = EscapeAt(at_);
  const bool high = unit >= 0xD800 && unit <= 0xDBFF;
  const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
  if (high) {
    const int next = EscapeAt(at_ + 6);
    if (next >= 0xDC00 && next <= 0xDFFF) {
      out_.append(text_.substr(at_, 12));
      at_ += 12;
      return;
    }
  }
  if (high || low) {
    out_.append("\\ufffd");
    ++repairs_->lone_surrogates;
    at_ += 6;
    return;
  }
  out_.append(text_.substr(at_, 2));  // malformed escapes stay, for simdjson to report
  at_ += 2;
}

void JsonRepairer::CopyNumber() {
  const size_t start = at_;
  if (text_[at_] == '-') {
    ++at_;
    if (CopyNonfinite("Infinity")) return;
  }
  while (at_ < text_.size() && std::strchr("0123456789.eE+-", text_[at_]) != nullptr) ++at_;
  const std::string token(text_.substr(start, at_ - start));
  const size_t sign = token[0] == '-' ? 1 : 0;
  const bool whole =
      token.find_first_not_of("0123456789", sign) == std::string::npos && token.size() > sign;
  if (whole && token.size() > 18 && (token[sign] != '0')) {
    errno = 0;
    if (sign == 1) {
      (void)std::strtoll(token.c_str(), nullptr, 10);
    } else {
      (void)std::strtoull(token.c_str(), nullptr, 10);
    }
    if (errno == ERANGE) {
      StrAppend(&out_, "\"", marker_, token, "\"");
      ++repairs_->big_numbers;
      return;
    }
  } else if (!whole && std::isinf(std::strtod(token.c_str(), nullptr))) {
    out_.append("null");
    ++repairs_->nonfinite;
    return;
  }
  out_.append(token);
}

bool JsonRepairer::CopyNonfinite(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return false;
  out_.append("null");
  ++repairs_->nonfinite;
  at_ += word.size();
  return true;
}

}  // namespace assay
