#pragma once
// image/tar_builder_for_test: archives byte by byte, so that a test can build what no writer would.

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/io.h"

namespace sampan::image::tar {

/// A ByteSource over a string, in pieces of at most `step` bytes.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string text, size_t step = 1 << 20) : text_(std::move(text)), step_(step) {}
  Result<size_t> read(std::span<char> out) override {
    size_t n = std::min({out.size(), step_, text_.size() - at_});
    std::memcpy(out.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }
  bool at_end() const { return at_ == text_.size(); }

 private:
  std::string text_;
  size_t step_, at_ = 0;
};

class StringSink final : public ByteSink {
 public:
  Result<void> write(std::string_view bytes) override {
    text += bytes;
    return {};
  }
  std::string text;
};

struct RawMember {
  std::string name;
  char type = '0';
  std::string content;
  std::string link;
  int mode = 0644;
  long uid = 0, gid = 0, mtime = 1000000000;
  int major = 0, minor = 0;
  std::string size_field, uid_field, major_field;  // raw bytes instead of octal
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
};

class TarBuilder {
 public:
  TarBuilder& add(const RawMember& member) {
    std::string block(512, '\0');
    auto put = [&](size_t at, std::string_view bytes) { block.replace(at, bytes.size(), bytes); };
    put(0, std::string_view(member.name).substr(0, 100));
    put(100, fmt::format("{:07o}", member.mode));
    put(108, member.uid_field.empty() ? fmt::format("{:07o}", member.uid) : member.uid_field);
    put(116, fmt::format("{:07o}", member.gid));
    put(124, member.size_field.empty() ? fmt::format("{:011o}", member.content.size()) : member.size_field);
    put(136, fmt::format("{:011o}", member.mtime));
    put(148, "        ");
    block[156] = member.type;
    put(157, std::string_view(member.link).substr(0, 100));
    put(257, member.magic);
    put(329, member.major_field.empty() ? fmt::format("{:07o}", member.major) : member.major_field);
    put(337, fmt::format("{:07o}", member.minor));
    unsigned sum = 0;
    for (char c : block) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum));
    block[154] = '\0';
    return raw(block).raw(member.content).pad();
  }
  TarBuilder& file(const std::string& name, const std::string& content = "x", int mode = 0644) {
    return add({.name = name, .content = content, .mode = mode});
  }
  TarBuilder& dir(const std::string& name, int mode = 0755) { return add({.name = name, .type = '5', .mode = mode}); }
  TarBuilder& symlink(const std::string& name, const std::string& to) {
    return add({.name = name, .type = '2', .link = to});
  }
  TarBuilder& link(const std::string& name, const std::string& to) {
    return add({.name = name, .type = '1', .link = to});
  }
  TarBuilder& device(const std::string& name, char type, int major, int minor) {
    return add({.name = name, .type = type, .major = major, .minor = minor});
  }
  /// A PAX header for the next member.
  TarBuilder& pax(const std::vector<std::pair<std::string, std::string>>& records, char type = 'x') {
    std::string body;
    for (const auto& [key, value] : records) {
      size_t size = key.size() + value.size() + 3, length = size;
      while (length != size + std::to_string(length).size()) length = size + std::to_string(length).size();
      body += fmt::format("{} {}={}\n", length, key, value);
    }
    return add({.name = "PaxHeaders/x", .type = type, .content = body});
  }
  TarBuilder& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  TarBuilder& pad() {
    text_.resize((text_.size() + 511) / 512 * 512, '\0');
    return *this;
  }
  std::string end() const { return text_ + std::string(1024, '\0'); }
  std::string cut(size_t bytes) const { return text_.substr(0, text_.size() - bytes); }

 private:
  std::string text_;
};

}  // namespace sampan::image::tar
