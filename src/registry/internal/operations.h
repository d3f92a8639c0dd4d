#pragma once
// The operations of a Client, one file each.

#include "registry/internal/session.h"

namespace sampan::registry {

inline std::string pull_scope(const oci::Reference& reference) {
  return "repository:" + reference.path + ":pull";
}
inline std::string push_scope(const oci::Reference& reference) {
  return "repository:" + reference.path + ":pull,push";
}

Result<Fetched> fetch_manifest(Session& session, const oci::Reference& reference, const std::string& tag_or_digest);
Result<oci::Digest> push_manifest(Session& session, const oci::Reference& reference, const std::string& tag_or_digest,
                                  const std::string& body, const std::string& media_type);
Result<std::vector<std::string>> list_tags(Session& session, const oci::Reference& reference);
Result<void> download_blob(Session& session, const oci::Reference& reference, const oci::Descriptor& blob,
                           const std::string& path, const Progress& progress, const Cancel& cancel);
Result<bool> has_blob(Session& session, const oci::Reference& reference, const oci::Digest& digest);
Result<void> upload_blob(Session& session, const oci::Reference& reference, const oci::Descriptor& blob,
                         ByteSource& content, const Progress& progress);

}  // namespace sampan::registry
