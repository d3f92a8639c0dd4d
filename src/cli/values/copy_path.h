#pragma once
// cli/values/copy_path: the arguments of cp, and the rules that say where a copy lands. Pure.

#include <string>

#include "base/result.h"

namespace sampan::cli {

struct CopyArgument {
  std::string container;  // empty: a path on this machine
  std::string path;
};
/// "name:/path"; "./a:b", "/a:b" and "-" are local.
CopyArgument parse_copy_argument(const std::string& text);

/// What stands at one end of a copy.
struct CopyEnd {
  std::string path;  // as asked, with a trailing "/" or "/."
  bool exists = false;
  bool is_directory = false;
};
struct CopyPlan {
  std::string directory;  // to unpack in
  std::string name;       // that the source gets there; empty: its content goes right into the directory
};
/// Docker's table:        destination: directory     file            missing        missing, with "/"
///   source file                       dir/name      replaced        created        error
///   source directory                  dir/name      error           created        created
///   source directory + "/."           dir/*         error           created        created
Result<CopyPlan> plan_copy(const CopyEnd& source, const CopyEnd& destination);

/// The last component of a path, "/" for the root.
std::string base_name(std::string path);
std::string parent_of(std::string path);

}  // namespace sampan::cli
