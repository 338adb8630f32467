/* What a plugin had better not do, and what becomes of it: it crashes on replies that hold "crash", sleeps for ever on "sleep", refuses
 * "refuse", gives NaN for "nan" and scores all others 1. Only the sample that it was at loses its reward.
 *
 *   cc -shared -fPIC -I verifiers/own examples/plugin/faulty.c -o examples/plugin/faulty.so
 *   assay score examples/plugin/faulty_rows.jsonl --rubric examples/plugin/faulty.toml
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay_plugin.h"

static int says(const assay_sample* sample, const char* word) {
  return sample->completion.size == strlen(word) &&
         memcmp(sample->completion.bytes, word, sample->completion.size) == 0;
}

static int open_it(assay_text options, void** state, char* error, size_t error_size) {
  if (memchr(options.bytes, '!', options.size) != NULL) {
    snprintf(error, error_size, "no exclamation marks, please");
    return 1;
  }
  *state = malloc(1);
  return *state == NULL;
}

static int judge(void* state, const assay_sample* sample, assay_verdict* verdict) {
  (void)state;
  if (says(sample, "crash")) abort();
  while (says(sample, "sleep")) sleep(1000);
  if (says(sample, "nan")) {
    verdict->score = 0.0 / 0.0;
    return 0;
  }
  if (says(sample, "refuse")) {
    snprintf(verdict->detail, sizeof(verdict->detail), "I will not judge this");
    return 1;
  }
  verdict->score = 1;
  verdict->outcome = ASSAY_PASS;
  snprintf(verdict->reason, sizeof(verdict->reason), "as_it_should");
  return 0;
}

static const assay_plugin kPlugin = {ASSAY_PLUGIN_VERSION, "faulty", open_it, judge, free};

const assay_plugin* assay_plugin_v1(void) { return &kPlugin; }
