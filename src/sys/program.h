#pragma once
// sys/program: a child process becomes a program of the host, with nothing of ours but what is named here.

#include <span>
#include <string>
#include <vector>

namespace sampan::sys {

struct Program {
  std::string path;
  std::vector<std::string> args;  // with the program's own name
  std::vector<std::string> env;
  int in = -1;            // -1: the null device
  int out = -1;           // its standard output and standard error; -1: the null device
  std::vector<int> kept;  // descriptors that it shall have as well, under their numbers
};

/// For a child that was just cloned: no signal is blocked, every other descriptor closes. Exits with 126 when the
/// streams cannot be made, with 127 when the file cannot be run.
[[noreturn]] void become_program(const Program& program);

}  // namespace sampan::sys
