// The first line of state.json, as a later command of the runtime reads it.
#include "fuzz/fuzz.h"

#include "bin/runtime/store.h"
#include "codec/json.h"
#include "runtime/runtime.h"

using namespace sampan;

FUZZ_TARGET(state) {
  auto record = codec::from_json<bin::Record>(input);
  if (!record) return;
  std::string text = codec::to_json(*record);
  auto again = codec::from_json<bin::Record>(text);
  require(again.has_value(), "what was written can be read");
  require(codec::to_json(*again) == text, "reading and writing keeps everything");
  std::string state =
      runtime::format_state({record->id, "running", record->bundle, record->pid, record->annotations});
  require(codec::parse_json(state).has_value(), "the state document is JSON");
}
