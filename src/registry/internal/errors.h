#pragma once
// A registry's error answers in Docker's words.

#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/internal/transport.h"

namespace sampan::registry {

struct RegistryError {
  std::string code;  // "MANIFEST_UNKNOWN"; empty when the body said nothing
  std::string text;  // "manifest unknown: manifest unknown"
};
/// Reads `{"errors":[...]}`; several errors become one text. For an answer without one the status decides.
RegistryError read_registry_error(const Response& response);

/// The error of a failed read (manifest, blob, tags) of `familiar` ("busybox:latest" or a repository's name).
Error pull_error(const Response& response, const std::string& familiar, const std::string& repository);
/// The error of a failed write or login.
Error plain_error(const Response& response);

}  // namespace sampan::registry
