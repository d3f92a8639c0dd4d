#pragma once
// cli/options/option: the rows that describe commands and flags.

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace sampan::cli {

/// What a flag's value looks like; values/kind.h knows the word in --help and the way to JSON of each.
enum class Kind : uint8_t {
  Flag,  // --x, --x=false
  String,
  Int,
  Uint,
  Uint16,
  Bytes,       // 64m
  SwapBytes,   // 64m or -1
  Duration,    // 1m30s, as nanoseconds
  Cpus,        // 1.5, as nanocpus
  List,        // repeated, any text
  CommaList,   // repeated or separated by commas
  Map,         // repeated key=value
  Label,       // repeated key or key=value
  Filter,      // repeated key=value, all together one JSON parameter
  Capability,  // repeated, as CAP_NAME
  Entrypoint,  // one word that becomes a list
  ExtraHost,   // name:address
  IpAddress,
  AttachTo,    // stdin, stdout, stderr
  Ulimit,      // name=soft[:hard]
  Sysctl,      // namespaced key=value
  Device,      // path[:path[:rwm]]
  DeviceRule,  // c 1:3 rwm
  DeviceRate,  // path:64mb
  DeviceIops,  // path:1000
  DeviceWeight,
  Gpus,
  Tmpfs,    // path[:options]
  Restart,  // policy[:retries]
  Mount,    // type=...,src=...,dst=...
  Publish,  // [ip:][host:]port[/proto]
  Expose,   // port[-port][/proto]
  Volume,   // [source:]target[:options]
  Network,  // name or name=...,alias=...
  Env,      // NAME or NAME=value
};

/// One flag of a command.
struct Option {
  std::string_view name;  // long spelling without dashes
  char letter = 0;        // short spelling, 0: none
  Kind kind = Kind::Flag;
  std::string_view field;  // where the value goes: "body:A.B", "query:x", "client:<what for>"
  std::string_view help;
  std::string_view initial = {};  // the value when the flag is not given
  std::string_view since = {};    // API version that knows the field; empty: all that are supported
};

struct App;
struct Arguments;
using Handler = Result<int> (*)(App&, const Arguments&);

/// Whether options may follow the first argument: not for run and exec, whose arguments are another program's.
enum class Interspersed : bool { No, Yes };

/// One command.
struct Command {
  std::string_view path;     // "container run"
  std::string_view aliases;  // other full spellings, separated by '|': "run"
  std::string_view usage;    // what follows the spelling in "Usage:"
  std::string_view help;     // one sentence
  int min_arguments = 0;
  int max_arguments = 0;  // -1: any number
  Interspersed interspersed = Interspersed::Yes;
  std::span<const Option> options = {};
  std::span<const Option> more_options = {};
  Handler handler = nullptr;
};

/// A group of commands ("container"): only its help.
struct Group {
  std::string_view name;
  std::string_view help;
};

/// Every command of the program, table after table.
std::span<const std::span<const Command>> command_tables();
std::span<const Group> command_groups();
std::span<const Option> global_options();

// One table per family, each in its own options/*.cc.
std::span<const Command> container_commands();
std::span<const Command> container_read_commands();
std::span<const Command> run_commands();
std::span<const Command> image_commands();
std::span<const Command> build_commands();
std::span<const Command> network_commands();
std::span<const Command> volume_commands();
std::span<const Command> system_commands();

}  // namespace sampan::cli
