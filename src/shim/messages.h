#pragma once
// shim/messages: what daemon, zygote and shim say to each other.
//
// Every socket is SOCK_SEQPACKET; every message is one packet, a small JSON object. A request that wants an answer
// brings its own reply socket as its first descriptor, so calls of many threads need neither locks nor numbers, and a
// caller that has gone is noticed. Large payloads travel in memory files.
//
//   daemon                                zygote                       shim
//     | -- netns  [reply] ----------------> |                           |
//     | <-- Reply [netns, netlink] -------- |  from the warm pool       |
//     | -- netlink [reply, ns] -------------> |  a socket inside it       |
//     | <-- Reply [netlink] ---------------- |                           |
//     | -- create [reply, link, payload,(netns)] --> | -- fork -------> |
//     | <-- Reply {pid, warnings} -------------------------------------- |  on `reply`; `link` is now the connection
//     |
//     | -- attach [reply, client, (leftover)] --------------------------> |  wired before the process runs
//     | -- start  [reply] ----------------------------------------------> |
//     | <-- Reply {pid, warnings} --------------------------------------- |  after its execve
//     | -- signal, resize, signal_exec, exec [reply, ...] --------------> |
//     | -- update [reply, payload, (netns)] ----------------------------> |  what its own next start is made of
//     | -- thawed [reply] ----------------------------------------------> |  after a pause
//     | -- checkpoint [reply] {images, work, leave_running} ------------> |  answered when CRIU has ended
//     | <-- Event {kind, number, ...} ----------------------------------- |  on the link, unasked
//     | -- claim [reply] {number of an Exit} ---------------------------> |  before it acts: is the restart its own?
//     | -- ack {number} ------------------------------------------------> |  the daemon has acted on the event
//     |
//     | after a restart of the daemon: connect to <dir>/shim.sock, then
//     | -- hello [reply] -----------------------------------------------> |
//     | <-- Reply {pid, generation, execs}, then the events nobody got -- |
//
// An end event (Exit, ExecExit) is sent before the clients of that process see the end of their stream, and they see it
// only after the ack (or four seconds): who reads to the end and then asks the daemon for the exit code gets it.
//
// A shim whose container is to be started again does it when no daemon is connected, or when one is that has not
// claimed the Exit within kAttention: it hangs. It asks when it goes on, and hears that it came too late.
//
// The payload of `create`, `update` and `exec` is one memory file: a PayloadHeader, the JSON text, the seccomp program.

// Versions: a shim runs on under daemons of later builds, and of earlier ones when an upgrade is taken back. So members
// and kinds of messages are only ever added; none is removed, renamed or given another meaning, nor another default,
// since a member that has it is not written. What a reader does not know it ignores: members, and kinds of events,
// which it acknowledges. `hello` and its answer tell kProtocol of either side (0: of before it was told), which grows
// with each kind of request; one that a shim does not know is answered with NotImplemented. exit.json follows the same
// rule.

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "shim/shim.h"

namespace sampan::shim {

inline constexpr int kProtocol = 1;

/// How a client is wired; see AttachOptions.
struct WireAttach {
  bool stdin_ = false, stdout_ = false, stderr_ = false, multiplexed = false;
  std::string detach_keys;
};

struct Request {
  std::string op;  // "netns" "netlink" "create" "hello" "start" "attach" "signal" "resize" "exec" "signal_exec"
                   // "update" "thawed" "checkpoint" "claim" "ack"
  std::string exec_id;
  int signal = 0;
  uint16_t rows = 0, columns = 0;
  uint64_t number = 0;
  WireAttach attach;
  bool ends = false;  // signal: the container is not to be started again
  bool with_client = false, with_leftover = false, with_netns = false;  // which optional descriptors are there
  int protocol = 0;                                                     // hello: the daemon's
  std::string images, work;                                             // checkpoint: directories for CRIU
  bool leave_running = false;                                           // checkpoint
  std::vector<oci::IdMapping> uid_mappings, gid_mappings;               // netns: of the user namespace that owns it
};

struct Reply {
  // The failure, when message is not empty.
  int code = 0;
  int err = 0;
  std::string message;
  std::string step;  // the contexts at the head of `message`

  int64_t pid = 0;
  uint64_t generation = 0;
  std::vector<std::string> warnings;
  std::vector<std::string> execs;  // running ones
  int protocol = 0;                // create, hello: the shim's
};

struct Event {
  int kind = 0;         // ShimEvent::Kind
  uint64_t number = 0;  // to be acknowledged; 0: not
  uint64_t generation = 0;
  std::string exec_id;
  int exit_code = 0, signal = 0;
  bool oom_killed = false;
  uint64_t memory_limit = 0;
  std::string time;
  bool unhealthy = false, health_changed = false;
  std::string health, started_at, output;
  int64_t failing_streak = 0;
  int64_t pid = 0;
  int64_t delay_ms = 0;
};

/// exit.json.
struct WireExit {
  uint64_t generation = 0;
  int exit_code = 0, signal = 0;
  bool oom_killed = false, unhealthy = false;
  std::string finished_at;
  std::vector<Event> journal;
};

struct WireForwarding {
  std::string program;
  std::map<std::string, std::string> settings;
  bool blocking = false;
  int64_t buffer_bytes = 0;
};
struct WireLog {
  std::string driver, path;
  int64_t max_size = 0, max_file = 0;
  bool compress = false;
  std::map<std::string, std::string> attributes;
  std::optional<WireForwarding> forwarding;
};
struct WireHealth {
  int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;  // ns
  int64_t retries = 0;
  oci::Process process;
  std::string user;
  bool end_unhealthy = false;
  int stop_signal = 0;
  int64_t stop_timeout_ms = 0;
};
struct StartMessage {
  std::string id;
  uint64_t generation = 0;
  std::string dir;
  oci::Spec spec;
  oci::Mount rootfs;
  std::string user;
  std::vector<std::string> group_add;
  std::string cgroup_path, init_path;
  bool tty = false, open_stdin = false, stdin_once = false;
  WireLog log;
  std::optional<WireHealth> health;
  int restart = 0;  // RestartRule::When
  int64_t restart_most = 0, restart_count = 0, restart_delay_ms = 0;
  std::string restore_images, restore_work;
};
struct ExecMessage {
  std::string exec_id;
  oci::Process process;
  std::string user;
  bool privileged = false, tty = false, detach = false;
  WireAttach attach;
};

BOOST_DESCRIBE_STRUCT(WireAttach, (), (stdin_, stdout_, stderr_, multiplexed, detach_keys))
BOOST_DESCRIBE_STRUCT(Request, (),
                      (op, exec_id, signal, rows, columns, number, attach, ends, with_client, with_leftover, with_netns,
                       uid_mappings, gid_mappings, protocol, images, work, leave_running))
BOOST_DESCRIBE_STRUCT(Reply, (), (code, err, message, step, pid, generation, warnings, execs, protocol))
BOOST_DESCRIBE_STRUCT(Event, (),
                      (kind, number, generation, exec_id, exit_code, signal, oom_killed, memory_limit, time, unhealthy,
                       health_changed, health, started_at, output, failing_streak, pid, delay_ms))
BOOST_DESCRIBE_STRUCT(WireForwarding, (), (program, settings, blocking, buffer_bytes))
BOOST_DESCRIBE_STRUCT(WireLog, (), (driver, path, max_size, max_file, compress, attributes, forwarding))
BOOST_DESCRIBE_STRUCT(WireHealth, (),
                      (interval, timeout, start_period, start_interval, retries, process, user, end_unhealthy,
                       stop_signal, stop_timeout_ms))
BOOST_DESCRIBE_STRUCT(StartMessage, (),
                      (id, generation, dir, spec, rootfs, user, group_add, cgroup_path, init_path, tty, open_stdin,
                       stdin_once, log, health, restart, restart_most, restart_count, restart_delay_ms, restore_images,
                       restore_work))
BOOST_DESCRIBE_STRUCT(ExecMessage, (), (exec_id, process, user, privileged, tty, detach, attach))
BOOST_DESCRIBE_STRUCT(WireExit, (), (generation, exit_code, signal, oom_killed, unhealthy, finished_at, journal))

inline constexpr codec::JsonStyle kWireStyle{codec::Naming::Snake, codec::Emit::NonEmpty};
inline codec::JsonStyle json_style(const WireAttach*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const Request*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const Reply*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const Event*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const WireForwarding*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const WireLog*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const WireHealth*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const StartMessage*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const ExecMessage*) {
  return kWireStyle;
}
inline codec::JsonStyle json_style(const WireExit*) {
  return {codec::Naming::Snake, codec::Emit::All};
}

std::string format_request(const Request& request);
Result<Request> parse_request(std::string_view text);
std::string format_reply(const Reply& reply);
Result<Reply> parse_reply(std::string_view text);
std::string format_event(const Event& event);
Result<Event> parse_event(std::string_view text);
std::string format_exit_record(const WireExit& record);
Result<ExitRecord> parse_exit_record(std::string_view text);
ShimEvent shim_event_of(Event event);

/// A reply that carries the error as data: its code, errno and whole message.
Reply reply_of(const Error& error);
/// The error in the reply, when there is one.
Result<Reply> result_of(Reply reply);

/// The payload of `create` and `exec`.
struct PayloadHeader {
  uint32_t magic = kMagic;
  uint32_t json_bytes = 0;
  uint64_t seccomp_count = 0;
  bool has_seccomp = false;
  static constexpr uint32_t kMagic = 0x314d4853;  // "SHM1"
};
template <typename Message>
struct Payload {
  Message message;
  std::optional<runtime::SeccompProgram> seccomp;
};
Result<sys::Fd> make_payload(const StartRequest& request);
Result<sys::Fd> make_payload(const ExecRequest& request);
Result<Payload<StartMessage>> read_start_payload(int file);
Result<Payload<ExecMessage>> read_exec_payload(int file);

WireAttach wire_of(const AttachOptions& options);
logs::WriterOptions writer_options_of(const WireLog& log);

/// Runs every codec once, so that what they build on first use lies in pages that all shims share.
void warm_up_messages();

}  // namespace sampan::shim
