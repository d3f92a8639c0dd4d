#include "shim/internal/scratch.h"

#include <sys/mman.h>

namespace sampan::shim {

ScratchBuffer::~ScratchBuffer() {
  if (bytes_) ::munmap(bytes_, kBytes);
}

std::span<char> ScratchBuffer::get() {
  if (!bytes_) {
    void* mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return {};
    bytes_ = static_cast<char*>(mapped);
  }
  used_ = true;
  return {bytes_, kBytes};
}

void ScratchBuffer::release() {
  if (!used_) return;
  ::madvise(bytes_, kBytes, MADV_DONTNEED);
  used_ = false;
}

}  // namespace sampan::shim
