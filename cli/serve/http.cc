#include "cli/serve/http.h"

namespace assay {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                        HexDigit(text[i + 2]) >= 0;
    if (escape) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

HttpResponse HttpResponse::OfJson(int status, const Json& body) {
  HttpResponse response;
  response.status = status;
  body.AppendTo(&response.body);
  return response;
}

Json QueryObject(std::string_view query) {
  Json out = Json::MakeObject();
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    const std::string key = Decoded(pair.substr(0, equals));
    if (!key.empty() && out.Find(key) == nullptr)
      out.Set(key, equals == std::string_view::npos ? "" : Decoded(pair.substr(equals + 1)));
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
  }
  return out;
}

HttpResponse HttpError(int status, const std::string& message, const std::string& hint) {
  Json body = Json().Set("detail", message);
  if (!hint.empty()) body.Set("error", Json().Set("message", message).Set("hint", hint));
  return HttpResponse::OfJson(status, body);
}

}  // namespace assay
