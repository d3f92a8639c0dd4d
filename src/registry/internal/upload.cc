#include "registry/internal/errors.h"
#include "registry/internal/operations.h"

namespace sampan::registry {

Result<bool> has_blob(Session& session, const oci::Reference& reference, const oci::Digest& digest) {
  Call call{.method = "HEAD", .path = reference.path + "/blobs/" + digest.str(), .scope = push_scope(reference)};
  auto response = TRY(session.send(call));
  if (response.success()) return true;
  if (response.status == 404) return false;
  return plain_error(response);
}

Result<void> upload_blob(Session& session, const oci::Reference& reference, const oci::Descriptor& blob,
                         ByteSource& content, const Progress& progress) {
  Call begin{.method = "POST", .path = reference.path + "/blobs/uploads/", .scope = push_scope(reference)};
  auto begun = TRY(session.send(begin));
  if (!begun.success()) return plain_error(begun);
  const auto here = TRY(parse_url(TRY(session.endpoint()).base.str() + begin.path));
  Call put{.method = "PUT", .scope = push_scope(reference), .upload = &content, .upload_size = blob.size};
  put.url = TRY(session.follow(here, begun.header("location")));
  put.url->add_query("digest", blob.digest);
  put.headers.push_back("Content-Type: application/octet-stream");
  if (progress) put.on_uploaded = [&](int64_t bytes) { progress(bytes, blob.size); };
  auto response = TRY(session.send(put));
  if (!response.success()) return plain_error(response);
  return {};
}

}  // namespace sampan::registry
