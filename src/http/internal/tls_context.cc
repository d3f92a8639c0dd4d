// The daemon's certificate, and whose signature clients must show.
#include <openssl/err.h>

#include "http/internal/tls_relay.h"

namespace sampan::http {

namespace internal {

namespace {

std::string last_words() {
  char text[256] = "unknown error";
  if (unsigned long code = ERR_peek_last_error()) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return text;
}

void restrict_protocol(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Every connection shows its certificate anew: a session that is resumed would not.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
}

}  // namespace

Result<void> ServerContext::reload() {
  std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!made) return fail(Code::Internal, "TLS: {}", last_words());
  restrict_protocol(made.get());
  if (SSL_CTX_use_certificate_chain_file(made.get(), files_.certificate.c_str()) != 1) {
    return fail(Code::InvalidArgument, "could not load X509 certificate \"{}\": {}", files_.certificate, last_words());
  }
  if (SSL_CTX_use_PrivateKey_file(made.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(Code::InvalidArgument, "could not load X509 key \"{}\": {}", files_.key, last_words());
  }
  if (SSL_CTX_check_private_key(made.get()) != 1) {
    return fail(Code::InvalidArgument, "the key \"{}\" is not that of \"{}\"", files_.key, files_.certificate);
  }
  if (SSL_CTX_load_verify_locations(made.get(), files_.authority.c_str(), nullptr) != 1) {
    return fail(Code::InvalidArgument, "could not read CA certificate \"{}\": {}", files_.authority, last_words());
  }
  if (auto* names = SSL_load_client_CA_file(files_.authority.c_str())) {
    SSL_CTX_set_client_CA_list(made.get(), names);
  }
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  context_ = std::move(made);
  return {};
}

}  // namespace internal

Result<std::shared_ptr<TlsIdentity>> open_tls(TlsFiles files) {
  auto out = std::make_shared<internal::ServerContext>(std::move(files));
  TRY(out->reload());
  return std::shared_ptr<TlsIdentity>(std::move(out));
}

}  // namespace sampan::http
