#pragma once
// cli: the command line of Sampan: Docker's commands, flags and output over the Engine API.
//
// A command is a row. Tables in options/ say, for every command, its spellings, its arguments and its flags, and for
// every flag where its value goes: a field of the request's body ("body:HostConfig.Memory"), a query parameter
// ("query:all"), or the command line itself ("client:detach"). The parser, --help and the tests iterate the same rows.
//
//   argv --parse (parser)--> Arguments --run--> one function per command (commands/) --> requests (client/)
//                                                  |                                       |
//                       values/: "8080:80/tcp" -> JSON                 stream/: frames, terminal, tar
//                                                                      format/: Go templates, tables, sizes, progress
//
// Rules: nothing here knows the engine; only base, codec, sys and client are below. No static initialisation beyond
// constant tables: starting the program must cost less than a millisecond. A command returns its exit code or an Error;
// main prints the error once. The terminal is always restored, also when a signal ends the program.

namespace sampan::cli {

/// Runs one command line and returns its exit code. Threads: the main thread, once.
int run_main(int argc, char** argv);

}  // namespace sampan::cli
