// MinHash (Broder 1997): a text as a short signature from which the Jaccard similarity of two texts' sets of word n-grams can be
// estimated, and near duplicates among many texts by locality-sensitive hashing (bands of rows, as datatrove and text-dedup have them).
// MinHasher is immutable and safe from many threads; FindNearDuplicates is a pure function. Not for texts of equal bytes: those are
// cheaper to find by a hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace assay {

struct MinHashSettings {
  int ngram = 5;   // words in a row
  int bands = 14;  // a pair is looked at if all rows of one band agree
  int rows = 8;
  // Bandings of the same signature: the second takes its rows from everywhere. With 14 x 8 one finds 92 % of the pairs of similarity
  // 0.8, two find 99 %.
  int passes = 2;
  // Pairs below this estimated similarity are no duplicates, whatever bands say.
  double similarity = 0.7;

  int size() const { return bands * rows; }
};

class MinHasher {
 public:
  explicit MinHasher(const MinHashSettings& settings);
  // Writes settings.size() values (16 bits of each minimum). False for a text without words: it has no signature.
  bool Sign(std::string_view text, uint16_t* signature) const;

 private:
  const MinHashSettings settings_;
  std::vector<uint32_t> keys_, factors_;  // of each hash function
};

// The share of equal entries: an unbiased estimate of the Jaccard similarity, deviation sqrt(s (1 - s) / size).
double SignatureSimilarity(const uint16_t* a, const uint16_t* b, int size);

// One signature behind the other, in the order of preference: of texts that are near each other the first stays. `scopes` (may be empty):
// only texts of one scope are compared. Result: for each text the place of the one that it duplicates, or its own. Memory: 16 bytes a
// text beside the signatures.
std::vector<uint32_t> FindNearDuplicates(const MinHashSettings& settings,
                                         const std::vector<uint16_t>& signatures,
                                         const std::vector<uint32_t>& scopes);

}  // namespace assay
