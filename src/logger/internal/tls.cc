#include "logger/internal/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace sampan::logger {

namespace {

constexpr int kHandshakeSeconds = 10;

struct Free {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};

std::string reason() {
  unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* text = code ? ::ERR_reason_error_string(code) : nullptr;
  return text ? text : "the connection was closed";
}

class TlsChannel final : public Channel {
 public:
  TlsChannel(sys::Fd fd, std::unique_ptr<SSL_CTX, Free> context, std::unique_ptr<SSL, Free> ssl)
      : fd_(std::move(fd)), context_(std::move(context)), ssl_(std::move(ssl)) {}

  Result<void> write(std::string_view bytes) override {
    char byte;
    ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
      return fail(Code::Unavailable, "the server has closed the connection");
    size_t done = 0;
    if (!bytes.empty() && ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &done) != 1)
      return fail(Code::Unavailable, "write: {}", reason());
    return {};
  }

  Result<size_t> read(std::span<char> buffer, std::chrono::milliseconds patience) override {
    pollfd polled{fd_.get(), POLLIN, 0};
    if (::SSL_pending(ssl_.get()) == 0 && ::poll(&polled, 1, static_cast<int>(patience.count())) <= 0)
      return fail(Code::DeadlineExceeded, "i/o timeout");
    size_t got = 0;
    if (::SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got) != 1)
      return fail(Code::Unavailable, "read: {}", reason());
    return got;
  }

 private:
  sys::Fd fd_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

Result<void> load_files(SSL_CTX* context, const TlsOptions& options) {
  if (options.ca_file.empty()) {
    ::SSL_CTX_set_default_verify_paths(context);
  } else if (::SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    return fail(Code::InvalidArgument, "could not read CA certificate {:?}: {}", options.ca_file, reason());
  }
  if (options.cert_file.empty() && options.key_file.empty()) return {};
  if (::SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::InvalidArgument, "could not load X509 key pair: {}", reason());
  return {};
}

/// The name that the certificate must have; also sent, so that a server of many names picks the right one.
void expect_host(SSL* ssl, const std::string& host) {
  unsigned char address[16];
  X509_VERIFY_PARAM* param = ::SSL_get0_param(ssl);
  if (::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1) {
    ::X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str());
    return;
  }
  ::X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size());
  SSL_set_tlsext_host_name(ssl, host.c_str());
}

void set_timeout(int fd, int seconds) {
  timeval limit{.tv_sec = seconds, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Result<std::unique_ptr<Channel>> open_tls(sys::Fd socket, const std::string& host, const TlsOptions& options) {
  std::unique_ptr<SSL_CTX, Free> context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) return fail(Code::Internal, "tls: {}", reason());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  TRY(load_files(context.get(), options));
  ::SSL_CTX_set_verify(context.get(), options.skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  std::unique_ptr<SSL, Free> ssl(::SSL_new(context.get()));
  if (!ssl) return fail(Code::Internal, "tls: {}", reason());
  if (!options.skip_verify) expect_host(ssl.get(), host);
  ::SSL_set_fd(ssl.get(), socket.get());
  set_timeout(socket.get(), kHandshakeSeconds);
  if (::SSL_connect(ssl.get()) != 1) {
    long verified = ::SSL_get_verify_result(ssl.get());
    std::string why = verified == X509_V_OK ? reason() : ::X509_verify_cert_error_string(verified);
    ::ERR_clear_error();
    return fail(Code::Unavailable, "tls: failed to verify certificate or to agree with the server: {}", why);
  }
  set_timeout(socket.get(), 0);
  return std::unique_ptr<Channel>(std::make_unique<TlsChannel>(std::move(socket), std::move(context), std::move(ssl)));
}

}  // namespace sampan::logger
