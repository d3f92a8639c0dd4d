#include "engine/internal/names.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "codec/text.h"

namespace sampan::engine {

namespace {

constexpr const char* kAdjectives[] = {
    "able",     "agile",  "amber",  "ample",   "awake",  "balmy",  "bold",   "brave",  "breezy", "bright", "brisk",
    "calm",     "candid", "cheery", "civil",   "clear",  "clever", "coral",  "cosy",   "crisp",  "daring", "deft",
    "dewy",     "eager",  "early",  "earnest", "even",   "fair",   "fleet",  "fluent", "fond",   "frank",  "fresh",
    "gentle",   "glad",   "golden", "grand",   "hardy",  "hearty", "honest", "humble", "jolly",  "keen",   "kind",
    "lively",   "loyal",  "lucid",  "lucky",   "mellow", "merry",  "mild",   "modest", "neat",   "nimble", "noble",
    "patient",  "placid", "plucky", "polite",  "proud",  "quick",  "quiet",  "ready",  "robust", "rosy",   "serene",
    "sharp",    "silver", "smart",  "snug",    "sober",  "solid",  "spry",   "steady", "sunny",  "swift",  "tidy",
    "tranquil", "trusty", "upbeat", "vivid",   "warm",   "wise",   "witty",  "zesty"};
// People of computing, mathematics and the sea.
constexpr const char* kSurnames[] = {
    "abbate",   "allen",   "amdahl",   "babbage",  "backus",    "bartik",   "berners",   "boole",    "brooks",
    "cantor",   "cerf",    "chang",    "church",   "clarke",    "codd",     "cook",      "cori",     "cray",
    "curie",    "darwin",  "dijkstra", "drake",    "engelbart", "euclid",   "euler",     "fermat",   "floyd",
    "franklin", "galois",  "gauss",    "goldberg", "gray",      "hamilton", "hamming",   "hoare",    "hopper",
    "hypatia",  "iverson", "johnson",  "kahn",     "karp",      "kepler",   "kernighan", "kildall",  "knuth",
    "lamarr",   "lamport", "leibniz",  "liskov",   "lovelace",  "magellan", "matsumoto", "mccarthy", "mclean",
    "milner",   "minsky",  "naur",     "newton",   "noether",   "pascal",   "perlis",    "perlman",  "pike",
    "polo",     "ritchie", "rivest",   "shannon",  "sinclair",  "stallman", "tarjan",    "tesla",    "thompson",
    "torvalds", "turing",  "wilkes",   "wirth",    "wozniak",   "yao",      "zheng",     "zu",       "zuse"};

}  // namespace

std::string random_id() {
  std::array<char, 32> bytes;
  for (;;) {
    (void)::getentropy(bytes.data(), bytes.size());  // cannot fail for at most 256 bytes on a kernel with getrandom
    std::string id = codec::format_hex({bytes.data(), bytes.size()});
    if (!std::ranges::all_of(id.substr(0, 12), [](char c) { return c >= '0' && c <= '9'; })) return id;
  }
}

uint64_t random_seed() {
  uint64_t seed = 0;
  (void)::getentropy(&seed, sizeof seed);
  return seed;
}

std::string make_name(uint64_t seed, int attempt) {
  std::string name = kAdjectives[seed % std::size(kAdjectives)];
  name += "_";
  name += kSurnames[(seed >> 16) % std::size(kSurnames)];
  if (attempt > 0) name += static_cast<char>('0' + (seed >> 32) % 10);
  return name;
}

}  // namespace sampan::engine
