// The agent that answers SCMP_ACT_NOTIFY: it gets the filter's listener and a description of the process.
// Source: runtime-spec config-linux.md "Seccomp", "The Container Process State".
#include "codec/json.h"
#include "runtime/internal/seccomp.h"
#include "sys/packet.h"

namespace sampan::runtime::internal {

Result<Agent> Agent::connect(const oci::Seccomp& seccomp) {
  if (seccomp.listener_path.empty())
    return fail(Code::InvalidArgument, "linux.seccomp.listenerPath is not set, and a rule has SCMP_ACT_NOTIFY");
  auto socket = TRY_CONTEXT(sys::connect_stream(seccomp.listener_path), "seccomp listenerPath");
  return Agent{std::move(socket), seccomp.listener_metadata};
}

Result<void> Agent::hand_over(int listener, const StateDocument& state, pid_t pid) const {
  codec::json::object out;
  out["ociVersion"] = "1.2.0";
  out["fds"] = codec::json::array{"seccompFd"};
  out["pid"] = pid;
  if (!metadata.empty()) out["metadata"] = metadata;
  out["state"] = TRY(codec::parse_json(format_state(state)));
  int fds[] = {listener};
  return sys::send_packet(socket.get(), codec::format_json(out), fds, std::chrono::seconds(5));
}

}  // namespace sampan::runtime::internal
