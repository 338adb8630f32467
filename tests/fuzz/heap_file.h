// MappedFile for fuzzers: "opening" any path gives the input, in an allocation of its exact size, so that AddressSanitizer sees a read
// behind its end (of a map it would not).
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay {

// What is opened next; the bytes must stay valid.
void SetHeapFile(const uint8_t* data, size_t size);

}  // namespace assay
