#pragma once
// cli/config_file: ~/.docker/config.json, shared with other clients: credentials, headers, detach keys, formats.

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sampan::cli {

struct Credentials {
  std::string username, password, identity_token, server;
};

/// Nothing is read before something is asked: most commands never need the file.
class ConfigFile {
 public:
  ConfigFile() = default;
  explicit ConfigFile(std::string directory) : directory_(std::move(directory)) {}

  std::string path() const { return directory_ + "/config.json"; }
  /// A text member ("detachKeys", "psFormat"); empty when it is missing. Blocks: reads the file.
  std::string text(const char* member) const;
  std::vector<std::pair<std::string, std::string>> http_headers() const;
  /// The credentials for a registry host, empty ones when there are none: a failing helper means no credentials, never
  /// another host's. Blocks: reads the file, may run docker-credential-<helper>.
  Credentials credentials(const std::string& server) const;
  /// Every registry that has credentials in the file.
  std::vector<std::string> servers() const;
  /// Rewrites the file, 0600, keeping members that this program does not know.
  Result<void> store(const Credentials& credentials) const;
  /// False when there was nothing to remove.
  Result<bool> erase(const std::string& server) const;

 private:
  std::string directory_;
};

/// The value of X-Registry-Auth: base64url of the credentials' JSON.
std::string registry_auth(const Credentials& credentials);
/// The registry an image reference points to: "docker.io" is "https://index.docker.io/v1/" in the file.
std::string registry_of(const std::string& image);

}  // namespace sampan::cli
