// The mathematical heart of the `math` verifier: reads an answer written in LaTeX or plain text into an immutable
// tree, and decides whether two such answers are the same. Parse once, compare often (a group has one gold and many
// answers). Everything here is pure, thread-safe and bounded: parsing takes time linear in the text, a comparison has
// a budget of work and ends with kUndecided when it is spent; nothing throws, prints or keeps state between calls. What
// counts as equal is written in docs/math.md. Not here: finding the final answer in a whole reply (reply/extract.h) and the
// Verifier with its options (math_verifier.cc).
#pragma once

#include "verifiers/math/equal/compare.h"
#include "verifiers/math/syntax/parsed_answer.h"
