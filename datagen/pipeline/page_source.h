// What the page of a pipeline shows, read from its folder alone (OUT/stages.json and what the stages left), or of one trainer's run
// (DIR/metrics.jsonl). Reads files that may be written at the same time: what is half there is left out until the next look. Nothing
// is written. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

struct PageStage {
  std::string name, kind, model;
  std::vector<std::string> needs;  // stages
  std::vector<std::string> data;   // what came in: stages and files
  std::string output;              // the file or folder that it leaves, found from where we stand
  bool begun = false, done = false;
  double seconds = 0;
  Json figures;  // of an eval or score
};

// One completion with what it was worth.
struct PageReply {
  int64_t step = 0;
  std::string prompt, text;
  bool right = false;
  double reward = 0;
};

// What the held-out problems whose answers are kept were answered at one step, in their order.
struct PageEvaluation {
  int64_t step = 0;
  std::vector<PageReply> answers;
};

using PageMetrics = std::map<std::string, std::vector<std::pair<double, double>>>;  // by step

struct PageRun {
  std::string name;
  bool rl = false;
  PageMetrics metrics;
  std::vector<PageEvaluation> evaluations;  // by step
  std::vector<PageReply> by_step;           // a reply of the first, of middle and of the last steps
  std::vector<PageReply> turns;  // first replies that turn round on themselves and are right
};

struct PageSource {
  std::string title, folder;
  std::string note;               // under the title
  std::vector<PageStage> stages;  // none for a trainer's run
  std::vector<PageRun> runs;
  bool finished = false;
};

// Errors: kInput for a folder with neither stages.json nor metrics.jsonl.
Result<PageSource> ReadPageSource(const std::string& folder);

// All of it but the replies: stages with their figures, and of every run each metric as a list of [step, value].
Json PageSourceJson(const PageSource& source);

}  // namespace assay
