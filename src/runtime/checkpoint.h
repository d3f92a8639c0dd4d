#pragma once
// runtime/checkpoint: the processes of a container written into files, and made again from them, by CRIU.
//
// CRIU is run as a program (criu(8)), found in PATH. What lies outside the container is named to it by keys of our own,
// never by paths that the container could have shaped: "m<index>" is the bind mount at that index of the list of them,
// "network" a network namespace that the container was given. A restore takes what the keys mean from the
// configuration that it is given, not from the image.
//
// Threads: single-threaded callers, as all that clones.

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "sys/process.h"

namespace sampan::runtime {

/// One run of CRIU: its arguments, and where its files are.
struct Criu {
  std::string program, images, work, log;
  std::vector<std::string> args;
  std::vector<int> kept;  // descriptors that it shall have
  void add(std::initializer_list<std::string> words) { args.insert(args.end(), words); }
};

/// `verb`: "dump", "pre-dump" or "restore". Makes the directories.
/// Errors: NotImplemented when CRIU is not installed.
Result<Criu> prepare_criu(const char* verb, const std::string& images, const std::string& work);

/// A mount that CRIU is to take from outside.
struct BindMount {
  std::string destination, source;
};
std::vector<BindMount> bind_mounts_of(const oci::Spec& spec, const std::string& init_path = {});

/// Names the bind mounts of a running container. One that lies elsewhere than the configuration says (the image had a
/// link there) could change places with another on the way back, and one whose name CRIU would take apart could name
/// anything: both are refused (CVE-2026-119101).
Result<void> name_mounts(Criu& criu, const std::vector<std::string>& destinations, pid_t init);
/// What the keys mean now. Errors: InvalidArgument when the image was made with other bind mounts.
Result<void> give_mounts(Criu& criu, const std::vector<BindMount>& mounts);
/// The network namespace of a container that was given one: nothing of it is written.
Result<void> name_network(Criu& criu, const std::string& path);
/// `network`: borrowed; CRIU inherits it.
void give_network(Criu& criu, int network);
/// Writes which pipes the standard streams are, so that a restore can put its own in their place.
Result<void> save_streams(const Criu& criu, pid_t init);
Result<void> give_streams(Criu& criu, const Stdio& streams);

/// Where a restore's root file system is to be, in a mount namespace that only CRIU sees.
struct CriuRoot {
  oci::Mount mount;
  std::string directory;
};
/// Starts it. `root`: nullptr for a dump.
Result<sys::Child> start_criu(const Criu& criu, const CriuRoot* root);
/// The error of a run that has ended: CRIU's first complaint, and where its log is.
Result<void> outcome_of(const Criu& criu, const sys::ExitStatus& status);
/// Starts it and waits.
Result<void> run_criu(const Criu& criu, const CriuRoot* root);
/// The process that a restore with `--pidfile` has made.
Result<pid_t> restored_pid(const std::string& pid_file);

/// Makes a container from the image in `images`: as create(), but its init runs at once, and start() does nothing.
/// The caller must be the reaper of orphans (PR_SET_CHILD_SUBREAPER): init becomes its child.
/// `work`: for CRIU's log. `root_directory`: an empty directory to work on.
/// Blocks: while CRIU works. Errors: CRIU's first complaint; nothing is left of the container.
struct RestoreOptions {
  std::string images, work, root_directory;
};
Result<std::unique_ptr<Container>> restore(const oci::Spec& spec, const CreateOptions& options,
                                           const RestoreOptions& from);

}  // namespace sampan::runtime
