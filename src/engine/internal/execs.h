#pragma once
// engine/internal/execs: the further processes of containers: from create to five minutes after their end.

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace sampan::engine {

class Execs {
 public:
  std::string add(const std::string& container_id, const ExecSpec& spec);
  /// Errors: NotFound "No such exec instance: x".
  Result<ExecState> get(const std::string& id) const;
  /// Claims the one start that an exec has. Errors: NotFound, Conflict when it was started before.
  Result<ExecState> begin(const std::string& id);
  void started(const std::string& id, int64_t pid);
  /// The state after its end; nullopt for one that is unknown or had ended before.
  std::optional<ExecState> finish(const std::string& id, int exit_code);
  /// Ends what still runs in the container, as SIGKILL does: an end that nobody saw is never a success.
  void finish_all(const std::string& container_id);
  void forget_all(const std::string& container_id);
  std::vector<std::string> of(const std::string& container_id) const;

 private:
  struct Entry {
    ExecState state;
    std::optional<std::chrono::steady_clock::time_point> ended;
    std::chrono::steady_clock::time_point made = std::chrono::steady_clock::now();
  };
  void sweep();

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace sampan::engine
