#pragma once
// api/internal/json_image: images as Docker's clients read them. Pure; for .cc files only.

#include "api/internal/json_answer.h"

namespace sampan::api {

struct ImageRow {
  int64_t containers = -1, shared_size = -1;  // -1: not computed
};
json::object format_image_row(const image::ImageRecord& image, const ImageRow& row, Version version);

struct ImageDirs {
  std::string upper;
  std::vector<std::string> lower;
};
json::object format_image_inspect(const image::ImageRecord& image, const ImageDirs& dirs, Version version);
/// `layer_sizes` top first.
json::array format_history(const image::ImageRecord& image, const std::vector<int64_t>& layer_sizes);
json::array format_removed(const std::vector<image::RemovedImage>& removed);

}  // namespace sampan::api
