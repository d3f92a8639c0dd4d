#include "codec/json.h"
#include "runtime/runtime.h"

namespace sampan::runtime {

std::string format_state(const StateDocument& state) {
  codec::json::object out;
  out["ociVersion"] = "1.2.0";
  out["id"] = state.id;
  out["status"] = state.status;
  out["pid"] = state.pid;
  out["bundle"] = state.bundle;
  if (!state.annotations.empty()) out["annotations"] = codec::write_json(state.annotations);
  return codec::format_json(out);
}

}  // namespace sampan::runtime
