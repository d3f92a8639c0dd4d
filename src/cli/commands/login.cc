#include <termios.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

std::string server_name(const Arguments& arguments) {
  if (arguments.positional.empty()) return registry_of("");
  std::string server = arguments.positional[0];
  for (std::string_view scheme : {"https://", "http://"}) {
    if (server.starts_with(scheme)) server.erase(0, scheme.size());
  }
  server = server.substr(0, server.find('/'));
  return server == "docker.io" || server == "index.docker.io" ? registry_of("") : server;
}

std::string read_line() {
  std::string out;
  char c = 0;
  while (true) {
    auto count = sys::read_some(STDIN_FILENO, std::span(&c, 1));
    if (!count || *count == 0 || c == '\n') return out;
    if (c != '\r') out += c;
  }
}

// Reads a line without showing it; ISIG stays on, so that ctrl-c works, with the echo restored by the shell's own care.
std::string read_secret() {
  termios before{};
  bool changed = ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (changed) {
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  }
  std::string out = read_line();
  if (changed) ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
  print_out("\n");
  return out;
}

Result<Credentials> ask_credentials(App& app, const Arguments& arguments, const std::string& server) {
  Credentials out{arguments.get("username"), arguments.get("password"), "", server};
  if (arguments.flag("password-stdin")) {
    if (arguments.has("password"))
      return fail(Code::InvalidArgument, "--password and --password-stdin are mutually exclusive");
    if (out.username.empty()) return fail(Code::InvalidArgument, "Must provide --username with --password-stdin");
    out.password = TRY(sys::read_fd(STDIN_FILENO, 1 << 20));
    while (out.password.ends_with('\n') || out.password.ends_with('\r')) out.password.pop_back();
  } else if (arguments.has("password")) {
    print_err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  }
  if (!out.username.empty() && !out.password.empty()) return out;
  if (!arguments.has("username") && !arguments.has("password")) {
    Credentials stored = app.config.credentials(server);
    if (!stored.password.empty() || !stored.identity_token.empty()) return stored;
  }
  if (!is_terminal(STDIN_FILENO))
    return fail(Code::InvalidArgument, "Error: Cannot perform an interactive login from a non TTY device");
  if (out.username.empty()) {
    print_out("Username: ");
    out.username = std::string(trim(read_line()));
    if (out.username.empty()) return fail(Code::InvalidArgument, "username is required");
  }
  if (out.password.empty()) {
    print_out("Password: ");
    out.password = read_secret();
    if (out.password.empty()) return fail(Code::InvalidArgument, "password is required");
  }
  return out;
}

}  // namespace

Result<int> login_registry(App& app, const Arguments& arguments) {
  std::string server = server_name(arguments);
  Credentials credentials = TRY(ask_credentials(app, arguments, server));
  json::object body{{"username", credentials.username}, {"password", credentials.password}, {"serveraddress", server}};
  if (!credentials.identity_token.empty()) body["identitytoken"] = credentials.identity_token;
  auto answer = TRY(post_json(app, "/auth", body));
  std::string token = text_at(answer, "IdentityToken");
  if (!token.empty()) {
    credentials.identity_token = token;
    credentials.password.clear();
  }
  TRY_CONTEXT(app.config.store(credentials), "error saving credentials");
  if (token.empty() && app.config.text("credsStore").empty()) {
    print_err(
        fmt::format("\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper "
                    "(credsStore) to keep them elsewhere.\n\n",
                    app.config.path()));
  }
  std::string status = text_at(answer, "Status");
  print_out((status.empty() ? "Login Succeeded" : status) + "\n");
  return 0;
}

Result<int> logout_registry(App& app, const Arguments& arguments) {
  std::string server = server_name(arguments);
  bool removed = TRY(app.config.erase(server));
  print_out(removed ? fmt::format("Removing login credentials for {}\n", server)
                    : fmt::format("Not logged in to {}\n", server));
  return 0;
}

}  // namespace sampan::cli
