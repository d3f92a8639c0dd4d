#pragma once
// Fuzz targets: one function each, fed with bytes that nobody trusts. `./dev fuzz` links every target with libFuzzer
// and the sanitizers; `fuzz_corpus_test` runs all of them once over the inputs in corpus/<target>/.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>

#ifdef SAMPAN_FUZZ
#define FUZZ_ENTRY(name)                                                      \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {   \
    fuzz_##name(std::string_view(reinterpret_cast<const char*>(data), size)); \
    return 0;                                                                 \
  }
#else
#define FUZZ_ENTRY(name)
#endif

#define FUZZ_TARGET(name)                   \
  void fuzz_##name(std::string_view input); \
  FUZZ_ENTRY(name)                          \
  void fuzz_##name(std::string_view input)

/// What must hold for every input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  __builtin_trap();  // what a fuzzer reports as a finding
}
