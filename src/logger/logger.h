#pragma once
// logger: `sampan-logger`, which sends one container's log away: to syslog, gelf, fluentd or journald.
//
//   shim --(socketpair, logs/forward.h)--> sampan-logger --> the server
//
// One process per container, started by its shim, for two reasons: a server that is slow, absent or hostile can hold up
// nobody but this container, and the shim stays small: name resolution and TLS live here. The process outlives the
// daemon, and its shim by a few seconds, in which it sends what it still holds.
//
// Two threads. One reads entries into a bounded queue; one sends them, with blocking calls. A full queue makes the
// reader wait (blocking mode: the shim then holds the container back) or drop the newest (non-blocking mode). While
// there is no server at all, entries are dropped in both modes once the queue is full, as with Docker; only fluentd
// without fluentd-async waits for its server to come back.
//
// The first connection decides the container's start: its failure is reported to the shim in the words of Docker's
// drivers. Every later one is tried again with growing pauses.

namespace sampan::logger {

/// The program: `sampan-logger FD`, a connected stream socket. Returns the exit status.
int logger_main(int argc, char** argv);

}  // namespace sampan::logger
