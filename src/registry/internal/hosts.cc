#include <fcntl.h>

#include "base/strings.h"
#include "registry/internal/session.h"
#include "sys/file.h"

namespace sampan::registry {
namespace {

std::string_view host_of(std::string_view host_and_port) {
  if (host_and_port.starts_with("[")) return host_and_port.substr(0, host_and_port.find(']') + 1);
  return host_and_port.substr(0, host_and_port.find(':'));
}

}  // namespace

std::string registry_host(const std::string& domain) {
  if (domain == "docker.io" || domain == "index.docker.io") return "registry-1.docker.io";
  return domain;
}

bool is_insecure_host(const ClientOptions& options, const std::string& host_and_port) {
  std::string_view host = host_of(host_and_port);
  if (is_loopback_host(host)) return true;
  for (const auto& entry : options.insecure_registries) {
    if (entry == host_and_port || entry == host || is_in_cidr(host, entry)) return true;
  }
  return false;
}

TlsOptions load_tls(const ClientOptions& options, const std::string& host_and_port, bool insecure) {
  TlsOptions out;
  out.verify = !insecure;
  // The name comes from a reference or a redirect: one path component, or no directory of ours.
  if (host_and_port.find('/') != std::string::npos || host_and_port.starts_with(".")) return out;
  std::string dir = options.certs_dir + "/" + host_and_port;
  auto names = sys::list_dir(dir);
  if (!names) return out;  // most hosts have none
  for (const auto& name : *names) {
    std::string path = dir + "/" + name;
    if (name.ends_with(".crt")) {
      if (auto pem = sys::read_file(path, 4 << 20)) out.ca_pem += *pem + "\n";
    } else if (name.ends_with(".cert") && out.client_cert.empty()) {
      std::string key = path.substr(0, path.size() - 5) + ".key";
      if (sys::path_exists(key)) {
        out.client_cert = path;
        out.client_key = key;
      }
    }
  }
  return out;
}

}  // namespace sampan::registry
