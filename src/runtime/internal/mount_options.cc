#include "runtime/internal/mount_options.h"

#include <string_view>

#include "base/strings.h"
#include "sys/mount.h"

namespace sampan::runtime::internal {
namespace {

enum class Kind { Nothing, Set, Clear, Atime, Propagation, Bind, RecursiveBind, CopyUp, Idmap, RecursiveIdmap };
struct Option {
  std::string_view name;
  Kind kind;
  uint64_t value = 0;
};

// An "r" before a name in the first table makes it recursive.
constexpr Option kAttributes[] = {
    {"ro", Kind::Set, sys::attr::kReadOnly},
    {"rw", Kind::Clear, sys::attr::kReadOnly},
    {"nosuid", Kind::Set, sys::attr::kNoSuid},
    {"suid", Kind::Clear, sys::attr::kNoSuid},
    {"nodev", Kind::Set, sys::attr::kNoDev},
    {"dev", Kind::Clear, sys::attr::kNoDev},
    {"noexec", Kind::Set, sys::attr::kNoExec},
    {"exec", Kind::Clear, sys::attr::kNoExec},
    {"nodiratime", Kind::Set, sys::attr::kNoDirAtime},
    {"diratime", Kind::Clear, sys::attr::kNoDirAtime},
    {"nosymfollow", Kind::Set, sys::attr::kNoSymFollow},
    {"symfollow", Kind::Clear, sys::attr::kNoSymFollow},
    {"noatime", Kind::Atime, sys::attr::kNoatime},
    {"strictatime", Kind::Atime, sys::attr::kStrictAtime},
    {"relatime", Kind::Atime, sys::attr::kRelatime},
    {"atime", Kind::Atime, sys::attr::kRelatime},
    {"norelatime", Kind::Atime, sys::attr::kRelatime},
    {"nostrictatime", Kind::Atime, sys::attr::kRelatime},
    {"private", Kind::Propagation, sys::propagation::kPrivate},
    {"slave", Kind::Propagation, sys::propagation::kSlave},
    {"shared", Kind::Propagation, sys::propagation::kShared},
    {"unbindable", Kind::Propagation, sys::propagation::kUnbindable},
};
constexpr Option kOthers[] = {
    {"bind", Kind::Bind},          {"rbind", Kind::RecursiveBind},   {"tmpcopyup", Kind::CopyUp},
    {"idmap", Kind::Idmap},        {"ridmap", Kind::RecursiveIdmap}, {"defaults", Kind::Nothing},
    {"async", Kind::Nothing},      {"nomand", Kind::Nothing},        {"loud", Kind::Nothing},
    {"nolazytime", Kind::Nothing}, {"noiversion", Kind::Nothing},    {"remount", Kind::Nothing},
    {"silent", Kind::Nothing},
};

const Option* find_option(std::span<const Option> table, std::string_view name) {
  for (const auto& option : table)
    if (option.name == name) return &option;
  return nullptr;
}

void add_attribute(MountOptions& out, const Option& option, bool recursive) {
  uint64_t& set = recursive ? out.recursive_set : out.set;
  uint64_t& clear = recursive ? out.recursive_clear : out.clear;
  switch (option.kind) {
    case Kind::Set:
      set |= option.value, clear &= ~option.value;
      break;
    case Kind::Clear:
      clear |= option.value, set &= ~option.value;
      break;
    case Kind::Atime:
      set = (set & ~sys::attr::kAtimeMask) | option.value;
      clear |= sys::attr::kAtimeMask;
      break;
    default:
      (recursive ? out.recursive_propagation : out.propagation) = option.value;
      (recursive ? out.propagation : out.recursive_propagation) = 0;
  }
}

void add_other(MountOptions& out, const Option& option) {
  switch (option.kind) {
    case Kind::Bind:
      out.bind = true;
      break;
    case Kind::RecursiveBind:
      out.bind = out.recursive = true;
      break;
    case Kind::CopyUp:
      out.copy_up = true;
      break;
    case Kind::Idmap:
      out.idmap = true;
      break;
    case Kind::RecursiveIdmap:
      out.recursive_idmap = true;
      break;
    default:
      break;
  }
}

}  // namespace

bool MountOptions::read_only() const {
  return (set | recursive_set) & sys::attr::kReadOnly;
}

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions out;
  for (const auto& text : options) {
    if (text.empty()) continue;
    if (const Option* other = find_option(kOthers, text))
      add_other(out, *other);
    else if (const Option* plain = find_option(kAttributes, text))
      add_attribute(out, *plain, false);
    else if (const Option* deep = text[0] == 'r' ? find_option(kAttributes, std::string_view(text).substr(1)) : nullptr)
      add_attribute(out, *deep, true);
    else if (auto pair = split_once(text, '='))
      out.values.emplace_back(pair->first, pair->second);
    else
      out.flags.push_back(text);
  }
  return out;
}

bool is_bind(const oci::Mount& mount, const MountOptions& options) {
  return options.bind || mount.type == "bind";
}

}  // namespace sampan::runtime::internal
