/* A reward plugin in plain C: the share of the reference answer's words (separated by commas) that stand in the reply.
 *
 *   cc -shared -fPIC -I verifiers/own examples/plugin/keywords.c -o examples/plugin/keywords.so
 *   assay score examples/plugin/rows.jsonl --rubric examples/plugin/keywords.toml
 */
#include <stdio.h>
#include <string.h>

#include "assay_plugin.h"

/* Whether `word` stands somewhere in `text`. Texts are not terminated: no strstr. */
static int stands_in(assay_text text, const char* word, size_t size) {
  for (size_t at = 0; at + size <= text.size; ++at) {
    if (memcmp(text.bytes + at, word, size) == 0) return 1;
  }
  return 0;
}

static int judge(void* state, const assay_sample* sample, assay_verdict* verdict) {
  const char* word = sample->answer.bytes;
  const char* end = word + sample->answer.size;
  int words = 0, found = 0;
  (void)state;
  while (word < end) {
    const char* comma = memchr(word, ',', (size_t)(end - word));
    const char* stop = comma != NULL ? comma : end;
    if (stop > word) {
      ++words;
      found += stands_in(sample->completion, word, (size_t)(stop - word));
    }
    word = stop + 1;
  }
  if (words == 0) {
    verdict->outcome = ASSAY_ABSTAIN;
    return 0;
  }
  verdict->score = (double)found / words;
  snprintf(verdict->detail, sizeof(verdict->detail), "%d of %d words", found, words);
  return 0;
}

static const assay_plugin kPlugin = {ASSAY_PLUGIN_VERSION, "keywords", NULL, judge, NULL};

const assay_plugin* assay_plugin_v1(void) { return &kPlugin; }
