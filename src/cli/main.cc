// From argv to an exit code: global options, then the command's handler.
#include <stdlib.h>

#include "cli/app.h"
#include "cli/cli.h"
#include "cli/options/help.h"
#include "cli/options/parser.h"

namespace sampan::cli {

namespace {

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value ? value : "";
}

std::string choose_host(const ParsedLine& line) {
  std::string host = line.global("host");
  if (host.empty()) host = environment("SAMPAN_HOST");
  if (host.empty()) host = environment("DOCKER_HOST");
  if (host.empty()) return "unix:///run/sampan/sampan.sock";
  if (host.starts_with('/')) return "unix://" + host;
  return host.find("://") == std::string::npos ? "tcp://" + host : host;
}

std::string config_directory(const ParsedLine& line) {
  std::string directory = line.global("config");
  if (directory.empty()) directory = environment("DOCKER_CONFIG");
  return directory.empty() ? environment("HOME") + "/.docker" : directory;
}

Result<App> make_app(const ParsedLine& line) {
  for (const auto& [option, value] : line.globals) {
    if (option->name == "context") return fail(Code::NotImplemented, "contexts are not supported: use --host");
    if (option->name.starts_with("tls") && value != "false") {
      return fail(Code::NotImplemented,
                  "TLS is not supported by this client: use a tunnel to the daemon's unix socket");
    }
  }
  App app;
  app.host = choose_host(line);
  app.config = ConfigFile(config_directory(line));
  app.debug = line.global("debug") == "true" || line.global("log-level") == "debug";
  client::ClientOptions options;
  options.api_version = environment("DOCKER_API_VERSION");
  if (options.api_version.empty()) options.api_version = kApiVersion;
  if (options.api_version.starts_with('v')) options.api_version.erase(0, 1);
  options.headers = app.config.http_headers();
  app.client = TRY(client::open_client(app.host, options));
  return app;
}

int print_help(const ParsedLine& line) {
  if (line.arguments.command) {
    print_out(command_help(*line.arguments.command, line.arguments.spelling));
  } else {
    print_out(line.group.empty() ? program_help() : group_help(line.group));
  }
  return 0;
}

}  // namespace

int run_main(int argc, char** argv) {
  ParsedLine line = parse_line(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  if (line.error) {
    print_err(line.error->text);
    return line.error->exit_code;
  }
  if (line.global("version") == "true") {
    print_out("Sampan version " SAMPAN_VERSION "\n");
    return 0;
  }
  if (line.help || !line.arguments.command) return print_help(line);
  auto app = make_app(line);
  auto code = app ? line.arguments.command->handler(*app, line.arguments) : Result<int>(std::move(app).error());
  if (code) return *code;
  print_err(code.error().message() + "\n");
  return 1;
}

}  // namespace sampan::cli
