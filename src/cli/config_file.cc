#include "cli/config_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr const char* kHubServer = "https://index.docker.io/v1/";

json::object load(const std::string& path) {
  auto text = sys::read_file(path, 4 << 20);
  if (!text) return {};
  auto value = codec::parse_json(*text);
  return value && value->is_object() ? value->get_object() : json::object();
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::object* object_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

Credentials decode(const std::string& server, const json::object& entry) {
  Credentials out{text_of(entry, "username"), text_of(entry, "password"), text_of(entry, "identitytoken"), server};
  auto decoded = codec::parse_base64(text_of(entry, "auth"));
  if (decoded) {
    if (auto pair = split_once(*decoded, ':')) {
      out.username = pair->first;
      out.password = pair->second;
      while (out.password.ends_with('\0')) out.password.pop_back();
    }
  }
  return out;
}

// Runs docker-credential-<helper> <verb> with `input` on its stdin; its stdout, or an error when it fails.
Result<std::string> run_helper(const std::string& helper, const char* verb, const std::string& input) {
  if (!is_safe_component(helper)) return fail(Code::InvalidArgument, "invalid credential helper \"{}\"", helper);
  std::string program = "docker-credential-" + helper;
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) < 0) return errno_error(errno, "pipe2");
  sys::Fd in_read(in[0]), in_write(in[1]);
  if (::pipe2(out, O_CLOEXEC) < 0) return errno_error(errno, "pipe2");
  sys::Fd out_read(out[0]), out_write(out[1]);
  pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "fork");
  if (child == 0) {
    ::dup2(in_read.get(), 0);
    ::dup2(out_write.get(), 1);
    ::execlp(program.c_str(), program.c_str(), verb, nullptr);
    ::_exit(127);
  }
  in_read.reset();
  out_write.reset();
  (void)sys::write_all(in_write.get(), input);  // a helper that does not read its input says so by its exit code
  in_write.reset();
  auto answer = sys::read_fd(out_read.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(Code::Unavailable, "{} failed", program);
  return answer;
}

std::string helper_for(const json::object& config, const std::string& server) {
  if (const auto* helpers = object_of(config, "credHelpers")) {
    std::string helper = text_of(*helpers, server);
    if (!helper.empty()) return helper;
  }
  return text_of(config, "credsStore");
}

std::string bare_host(std::string_view server) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (server.starts_with(scheme)) server.remove_prefix(scheme.size());
  }
  return std::string(server.substr(0, server.find('/')));
}

Result<void> save(const std::string& directory, const json::object& config) {
  TRY(sys::make_dirs(directory, 0700));
  return sys::replace_file(directory + "/config.json", codec::format_json_pretty(config, 8) + "\n", 0600);
}

}  // namespace

std::string ConfigFile::text(const char* member) const {
  return text_of(load(path()), member);
}

std::vector<std::pair<std::string, std::string>> ConfigFile::http_headers() const {
  std::vector<std::pair<std::string, std::string>> out;
  json::object config = load(path());
  if (const auto* headers = object_of(config, "HttpHeaders")) {
    for (const auto& item : *headers) {
      if (item.value().is_string()) out.emplace_back(std::string(item.key()), std::string(item.value().get_string()));
    }
  }
  return out;
}

Credentials ConfigFile::credentials(const std::string& server) const {
  json::object config = load(path());
  std::string helper = helper_for(config, server);
  if (!helper.empty()) {
    auto answer = run_helper(helper, "get", server);
    auto value = answer ? codec::parse_json(*answer) : Result<json::value>(answer.error());
    if (!value || !value->is_object()) return {};
    Credentials out{text_of(value->get_object(), "Username"), text_of(value->get_object(), "Secret"), "", server};
    if (out.username == "<token>") {
      out.identity_token = out.password;
      out.username = out.password = "";
    }
    return out;
  }
  const auto* auths = object_of(config, "auths");
  if (!auths) return {};
  if (const auto* entry = object_of(*auths, server)) return decode(server, *entry);
  for (const auto& item : *auths) {
    if (bare_host(std::string_view(item.key())) == bare_host(server) && item.value().is_object()) {
      return decode(server, item.value().get_object());
    }
  }
  return {};
}

std::vector<std::string> ConfigFile::servers() const {
  std::vector<std::string> out;
  json::object config = load(path());
  if (const auto* auths = object_of(config, "auths")) {
    for (const auto& item : *auths) out.emplace_back(item.key());
  }
  return out;
}

Result<void> ConfigFile::store(const Credentials& credentials) const {
  json::object config = load(path());
  auto& auths = config["auths"];
  if (!auths.is_object()) auths = json::object();
  json::object entry;
  std::string helper = helper_for(config, credentials.server);
  if (!helper.empty()) {
    bool token = !credentials.identity_token.empty();
    json::object input{{"ServerURL", credentials.server},
                       {"Username", token ? "<token>" : credentials.username},
                       {"Secret", token ? credentials.identity_token : credentials.password}};
    TRY_CONTEXT(run_helper(helper, "store", codec::format_json(input)), "error storing credentials");
  } else {
    entry["auth"] = codec::format_base64(credentials.username + ":" + credentials.password);
    if (!credentials.identity_token.empty()) entry["identitytoken"] = credentials.identity_token;
  }
  auths.get_object()[credentials.server] = entry;
  return save(directory_, config);
}

Result<bool> ConfigFile::erase(const std::string& server) const {
  json::object config = load(path());
  std::string helper = helper_for(config, server);
  if (!helper.empty()) (void)run_helper(helper, "erase", server);  // it may know nothing of the server
  auto* auths = config.if_contains("auths");
  if (!auths || !auths->is_object() || auths->get_object().erase(server) == 0) return !helper.empty();
  TRY(save(directory_, config));
  return true;
}

std::string registry_auth(const Credentials& credentials) {
  json::object out;
  if (!credentials.username.empty()) out["username"] = credentials.username;
  if (!credentials.password.empty()) out["password"] = credentials.password;
  if (!credentials.server.empty()) out["serveraddress"] = credentials.server;
  if (!credentials.identity_token.empty()) out["identitytoken"] = credentials.identity_token;
  std::string encoded = codec::format_base64(codec::format_json(out));
  std::ranges::replace(encoded, '+', '-');
  std::ranges::replace(encoded, '/', '_');
  return encoded;
}

std::string registry_of(const std::string& image) {
  size_t slash = image.find('/');
  std::string first = image.substr(0, slash);
  bool is_host = slash != std::string::npos && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  if (!is_host || first == "docker.io" || first == "index.docker.io") return kHubServer;
  return first;
}

}  // namespace sampan::cli
