#pragma once
// shim/scratch: the one read buffer of a shim. Its pages go back to the kernel when the shim is idle.

#include <cstddef>
#include <span>

namespace sampan::shim {

class ScratchBuffer {
 public:
  static constexpr size_t kBytes = 64 << 10;  // what a pipe holds

  ScratchBuffer() = default;
  ScratchBuffer(const ScratchBuffer&) = delete;
  ScratchBuffer& operator=(const ScratchBuffer&) = delete;
  ~ScratchBuffer();
  /// The buffer; its content does not survive the next caller. Empty when the machine is out of memory.
  std::span<char> get();
  /// Gives its pages back, when it was used since the last time.
  void release();

 private:
  char* bytes_ = nullptr;
  bool used_ = false;
};

}  // namespace sampan::shim
