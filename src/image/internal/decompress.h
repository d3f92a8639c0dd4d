#pragma once
// image/decompress: one decoder per format behind one small interface. See archive.h, make_decompressor.

#include <memory>
#include <span>
#include <string_view>

#include "image/archive.h"

namespace sampan::image {

/// Turns compressed bytes into plain ones. Knows nothing of where they come from.
class Decoder {
 public:
  virtual ~Decoder() = default;
  struct Step {
    size_t consumed = 0, produced = 0;
  };
  /// Works on what it is given; makes progress as long as there is input, or output left from earlier input.
  /// A new member begins by itself when input follows a finished one.
  virtual Result<Step> decode(std::string_view in, std::span<char> out) = 0;
  /// True when no member is half done: the input may end here.
  virtual bool finished() const = 0;
  virtual const char* name() const = 0;
};

std::unique_ptr<Decoder> make_gzip_decoder();
std::unique_ptr<Decoder> make_zstd_decoder();
std::unique_ptr<Decoder> make_bzip2_decoder();
std::unique_ptr<Decoder> make_xz_decoder();

}  // namespace sampan::image
