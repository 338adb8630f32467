#include "verifiers/format.h"

#include <re2/re2.h>

#include <chrono>

#include "core/text.h"

namespace assay {
namespace {

struct FormatOptions {
  bool prefilled = false;
};

Options Table(FormatOptions* o) {
  Options table = VerifierOptions("format");
  table.Add("prefilled", &o->prefilled, "the prompt ended with <think> already");
  return table;
}

class FormatVerifier : public Verifier {
 public:
  explicit FormatVerifier(FormatOptions options)
      : options_(options),
        tag_("<(/?)think>"),
        space_("[\\s\\x{0B}\\x{85}\\p{Z}]*"),
        // What shows nothing: marks without a letter, fillers and the blank of Braille besides.
        blank_(
            "[\\s\\p{Z}\\p{Cc}\\p{Cf}\\p{M}\\x{115F}\\x{1160}\\x{3164}\\x{FFA0}\\x{2800}\\x{FFFC}"
            "\\x{1D159}]*") {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    FormatOptions options = options_;
    if (row_options != nullptr) {
      if (Status status = Table(&options).Read(*row_options); !status.ok())
        return BadRowOptions(status.error(), group.samples.size());
    }
    std::vector<Verdict> verdicts;
    verdicts.reserve(group.samples.size());
    for (const Sample& sample : group.samples) {
      const auto start = std::chrono::steady_clock::now();
      verdicts.push_back(Judge(sample.text, options));
      verdicts.back().ms =
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
              .count();
    }
    return verdicts;
  }

 private:
  Verdict Judge(std::string_view reply, const FormatOptions& options) const {
    size_t open_count = options.prefilled ? 1 : 0, close_count = 0;
    size_t open_start = 0, open_end = 0, close_start = 0, close_end = 0;
    re2::StringPiece rest(reply.data(), reply.size());
    re2::StringPiece slash;
    while (RE2::FindAndConsume(&rest, tag_, &slash)) {
      const size_t end = reply.size() - rest.size();
      if (slash.empty()) {
        if (++open_count == 1) {
          open_start = end - 7;
          open_end = end;
        }
      } else if (++close_count == 1) {
        close_start = end - 8;
        close_end = end;
      }
    }
    if (open_count == 0) return Verdict::Fail("no_think", "there is no <think> tag");
    if (close_count == 0)
      return Verdict::Fail("think_not_closed", "<think> is never closed by </think>");
    if (open_count > 1 || close_count > 1) {
      return Verdict::Fail("think_repeated", StrCat("there are ", open_count, " opening and ",
                                                    close_count, " closing think tags"));
    }
    if (close_start < open_end)
      return Verdict::Fail("think_out_of_order", "</think> comes before <think>");
    if (!RE2::FullMatch(Piece(reply.substr(0, open_start)), space_)) {
      return Verdict::Fail("text_before_think", "the reply does not start with <think>");
    }
    if (RE2::FullMatch(Piece(reply.substr(open_end, close_start - open_end)), blank_)) {
      return Verdict::Fail("empty_reasoning", "nothing stands between <think> and </think>");
    }
    if (RE2::FullMatch(Piece(reply.substr(close_end)), blank_)) {
      return Verdict::Fail("empty_answer", "nothing follows </think>");
    }
    return Verdict::Pass();
  }

  static re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

  FormatOptions options_;
  RE2 tag_, space_, blank_;
};

}  // namespace

std::vector<OptionInfo> FormatOptionInfos() {
  FormatOptions defaults;
  return Table(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeFormatVerifier(const Json& options, const VerifierEnv&) {
  FormatOptions read;
  if (Status status = Table(&read).Read(options); !status.ok()) return status.error();
  return std::unique_ptr<Verifier>(std::make_unique<FormatVerifier>(read));
}

}  // namespace assay
