#include "datagen/filter/minhash.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "core/rng.h"
#include "datagen/filter/word_hashes.h"

// The loop over all hash functions is most of the time; wider registers halve it where the machine has them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ASSAY_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define ASSAY_WIDE
#endif

namespace assay {
namespace {

// Signatures are compared between runs of the program, so the functions never change.
constexpr uint64_t kFunctionsSeed = 1;
// Texts of one band's bucket are compared with so many that are unlike each other; the rest of an adversarial bucket is left alone.
constexpr size_t kRepresentatives = 16;

ASSAY_WIDE void TakeMinima(uint32_t hash, const uint32_t* keys, const uint32_t* factors, int size,
                           uint32_t* minima) {
  for (int i = 0; i < size; ++i) {
    const uint32_t value = (hash ^ keys[i]) * factors[i];
    minima[i] = std::min(minima[i], value);
  }
}

// Union-find in which the root of a set is its smallest place.
class Sets {
 public:
  explicit Sets(size_t size) : parents_(size) { std::iota(parents_.begin(), parents_.end(), 0u); }
  uint32_t Root(uint32_t place) {
    while (parents_[place] != place) {
      parents_[place] = parents_[parents_[place]];
      place = parents_[place];
    }
    return place;
  }
  void Join(uint32_t a, uint32_t b) {
    a = Root(a);
    b = Root(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<uint32_t> parents_;
};

class Banding {
 public:
  Banding(const MinHashSettings& settings, const std::vector<uint16_t>& signatures,
          const std::vector<uint32_t>& scopes)
      : settings_(settings),
        signatures_(signatures),
        scopes_(scopes),
        texts_(signatures.size() / static_cast<size_t>(settings.size())),
        sets_(texts_) {}

  std::vector<uint32_t> Find() {
    for (int pass = 0; pass < settings_.passes; ++pass) {
      for (int band = 0; band < settings_.bands; ++band) Look(pass, band);
    }
    std::vector<uint32_t> out(texts_);
    for (uint32_t place = 0; place < texts_; ++place) out[place] = sets_.Root(place);
    return out;
  }

 private:
  const uint16_t* Signature(uint32_t place) const {
    return &signatures_[static_cast<size_t>(place) * static_cast<size_t>(settings_.size())];
  }

  uint64_t Key(uint32_t place, int pass, int band) const {
    uint16_t rows[256];
    const uint16_t* signature = Signature(place);
    for (int row = 0; row < settings_.rows; ++row) {
      // Later passes step through the signature with a stride, so that their bands share few rows with the first pass's.
      const int at = pass == 0 ? band * settings_.rows + row : band + row * settings_.bands;
      rows[row] = signature[(at + (pass > 1 ? pass * row : 0)) % settings_.size()];
    }
    const std::string_view bytes(reinterpret_cast<const char*>(rows),
                                 static_cast<size_t>(settings_.rows) * sizeof(rows[0]));
    return HashBytes64(bytes, scopes_.empty() ? 0 : scopes_[place]);
  }

  void Look(int pass, int band) {
    keys_.clear();
    for (uint32_t place = 0; place < texts_; ++place)
      keys_.emplace_back(Key(place, pass, band), place);
    std::sort(keys_.begin(), keys_.end());
    for (size_t begin = 0; begin < keys_.size();) {
      size_t end = begin + 1;
      while (end < keys_.size() && keys_[end].first == keys_[begin].first) ++end;
      if (end - begin > 1) LookInBucket(begin, end);
      begin = end;
    }
  }

  void LookInBucket(size_t begin, size_t end) {
    std::vector<uint32_t> representatives;
    for (size_t i = begin; i < end; ++i) {
      const uint32_t place = keys_[i].second;
      const auto near = [&](uint32_t other) {
        return sets_.Root(other) == sets_.Root(place) ||
               SignatureSimilarity(Signature(other), Signature(place), settings_.size()) >=
                   settings_.similarity;
      };
      const auto found = std::find_if(representatives.begin(), representatives.end(), near);
      if (found != representatives.end()) {
        sets_.Join(*found, place);
      } else if (representatives.size() < kRepresentatives) {
        representatives.push_back(place);
      }
    }
  }

  const MinHashSettings& settings_;
  const std::vector<uint16_t>& signatures_;
  const std::vector<uint32_t>& scopes_;
  const size_t texts_;
  Sets sets_;
  std::vector<std::pair<uint64_t, uint32_t>> keys_;
};

}  // namespace

MinHasher::MinHasher(const MinHashSettings& settings) : settings_(settings) {
  ASSAY_CHECK(settings.rows >= 1 && settings.rows <= 256 && settings.bands >= 1);
  Rng rng(kFunctionsSeed, "minhash");
  for (int i = 0; i < settings.size(); ++i) {
    keys_.push_back(static_cast<uint32_t>(rng.Next()));
    factors_.push_back(static_cast<uint32_t>(rng.Next()) | 1u);
  }
}

bool MinHasher::Sign(std::string_view text, uint16_t* signature) const {
  std::vector<uint64_t> words, runs;
  HashWords(text, &words);
  if (words.empty()) return false;
  HashRuns(words, settings_.ngram, &runs);
  std::vector<uint32_t> minima(static_cast<size_t>(settings_.size()),
                               std::numeric_limits<uint32_t>::max());
  for (const uint64_t run : runs) {
    TakeMinima(static_cast<uint32_t>(run >> 32), keys_.data(), factors_.data(), settings_.size(),
               minima.data());
  }
  for (size_t i = 0; i < minima.size(); ++i)
    signature[i] = static_cast<uint16_t>((minima[i] * 0x9E3779B1u) >> 16);
  return true;
}

double SignatureSimilarity(const uint16_t* a, const uint16_t* b, int size) {
  int equal = 0;
  for (int i = 0; i < size; ++i) equal += a[i] == b[i];
  return static_cast<double>(equal) / size;
}

std::vector<uint32_t> FindNearDuplicates(const MinHashSettings& settings,
                                         const std::vector<uint16_t>& signatures,
                                         const std::vector<uint32_t>& scopes) {
  return Banding(settings, signatures, scopes).Find();
}

}  // namespace assay
