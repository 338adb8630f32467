// The kinds of constraints that IFEval (Zhou et al., 2311.07911), its multilingual and multi-turn successors and IFBench (Pyatkin et al.,
// 2507.02833) put on a reply, each a function of the reply and its parameters. docs/instructions.md lists them and says where they differ
// from the published checkers. Pure; thread-safe; time linear in the reply.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "verifiers/instructions/reply_text.h"

namespace assay {

// The `kwargs` of one constraint. Whole numbers may be written 3.0, as data frames do.
class ConstraintParameters {
 public:
  explicit ConstraintParameters(const Json& object) : object_(object) {}

  // 0 or empty where it is missing: ConstraintKind::parameters says what must be there.
  int64_t Number(std::string_view name) const;
  std::string_view Text(std::string_view name) const;
  std::vector<std::string_view> Texts(std::string_view name) const;
  // Whether `count` stands in the relation `relation_name` ("less than", "at least", ..) to the number `name`.
  bool Holds(std::string_view relation_name, int64_t count, std::string_view name) const;

  // Empty, or what is wrong with them for a kind whose parameters are `described`.
  std::string Complaint(std::string_view described) const;

 private:
  const Json& object_;
};

struct ConstraintKind {
  const char* id;  // IFEval's name: "keywords:existence"
  // "frequency=number relation=relation keyword=text", texts for lists; all must be given. A name with ? may be missing.
  const char* parameters;
  bool (*follows)(const ReplyText&, const ConstraintParameters&);
  const char* meaning;  // one sentence for docs and help
};

// By families, each a source: constraints_*.cc.
const std::vector<ConstraintKind>& WordConstraints();
const std::vector<ConstraintKind>& LengthConstraints();
const std::vector<ConstraintKind>& FormConstraints();
const std::vector<ConstraintKind>& SentenceConstraints();
const std::vector<ConstraintKind>& CopyConstraints();

// Null if there is none of that name.
const ConstraintKind* FindConstraint(std::string_view id);
std::vector<std::string> ConstraintNames();

}  // namespace assay
