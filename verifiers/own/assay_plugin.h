/* assay_plugin.h: the interface of reward plugins for Assay, version 1. Plain C, no other header of the project is needed.
 *
 * A plugin is a shared object that exports `assay_plugin_v1`. It is loaded in a process of its own: a crash costs the sample that it was
 * at its reward, and a call that takes too long ends the process. Several such processes may run at once, each with a state of its own;
 * within one, calls come one after the other, from one thread.
 *
 * Texts are UTF-8, not terminated, may hold zero bytes, and are valid until the call returns. They come from a model and from data
 * files: trust nothing in them. Later versions of the interface get functions of other names; this one stays as it is. */
#ifndef ASSAY_PLUGIN_H_
#define ASSAY_PLUGIN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_PLUGIN_VERSION 1

typedef struct assay_text {
  const char* bytes;
  size_t size;
} assay_text;

typedef struct assay_sample {
  assay_text completion;
  assay_text prompt;
  assay_text answer;        /* the reference answer; empty if there is none */
  assay_text finish_reason; /* "stop", "length", ..; empty if unknown */
  assay_text row;           /* a JSON object with all columns of the row */
} assay_sample;

enum assay_outcome {
  ASSAY_BY_SCORE = 0, /* passes from the option pass_at on */
  ASSAY_PASS = 1,
  ASSAY_FAIL = 2,
  ASSAY_ABSTAIN = 3 /* does not apply to this sample: the term is left out */
};

typedef struct assay_verdict {
  double score;     /* finite */
  int32_t outcome;  /* enum assay_outcome */
  char reason[64];  /* [a-z][a-z0-9_]*, terminated; empty: "ok" or "low_score" */
  char detail[512]; /* a sentence, terminated; may be empty */
} assay_verdict;

typedef struct assay_plugin {
  uint32_t version; /* ASSAY_PLUGIN_VERSION */
  const char* name; /* for messages */

  /* Called once, before anything is judged. `options`: the rubric's, a JSON object. 0, or another number with a sentence in `error`.
   * May be null, if there is nothing to do. */
  int (*open)(assay_text options, void** state, char* error, size_t error_size);

  /* One sample; `verdict` comes all zero. 0, or another number if the sample could not be judged, with the reason why in
   * verdict->detail: a fault, unless the rubric says otherwise. */
  int (*judge)(void* state, const assay_sample* sample, assay_verdict* verdict);

  /* Called before the process ends in good order; may be null. */
  void (*close)(void* state);
} assay_plugin;

/* What a plugin exports. Null: it cannot be used here. */
const assay_plugin* assay_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif /* ASSAY_PLUGIN_H_ */
