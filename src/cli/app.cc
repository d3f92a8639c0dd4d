#include "cli/app.h"

#include <unistd.h>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

Query& Query::add(std::string_view name, std::string_view value) {
  text_ += separator_;
  separator_ = '&';
  text_ += std::string(name) + "=" + codec::format_percent(value);
  return *this;
}

std::string segment(std::string_view name) {
  std::string out;
  for (const std::string& piece : split(name, '/')) {
    if (!out.empty() || name.starts_with('/')) out += '/';
    out += codec::format_percent(piece);
  }
  return out;
}

Result<void> add_query(const Arguments& arguments, Query& query) {
  json::object filters;
  std::string filters_name = "filters";
  for (const auto& [option, value] : arguments.given) {
    if (!option->field.starts_with("query:")) continue;
    std::string_view name = option->field.substr(6);
    if (option->kind == Kind::Filter) {
      auto pair = split_once(value, '=');
      if (!pair) return fail(Code::InvalidArgument, "invalid filter \"{}\" (expected name=value)", value);
      auto& slot = filters[std::string(trim(pair->first))];
      if (!slot.is_object()) slot = json::object();
      slot.get_object()[std::string(trim(pair->second))] = true;
    } else if (option->kind == Kind::Flag) {
      if (value == "true")
        query.add(name, "1");
      else if (option->initial == "true")
        query.add(name, "0");
    } else {
      query.add(name, value);
    }
  }
  if (!filters.empty()) query.add(filters_name, codec::format_json(filters));
  return {};
}

Result<client::Response> request(App& app, const std::string& method, const std::string& path,
                                 const client::CallOptions& options) {
  auto response = TRY(app.client->call(method, path, options));
  if (response.status >= 400) return client::response_error(response);
  return response;
}

Result<client::Response> stream_request(App& app, const std::string& method, const std::string& path,
                                        const client::CallOptions& options,
                                        const std::function<Result<void>(std::string_view)>& chunk) {
  auto response = TRY(app.client->stream(method, path, options, chunk));
  if (response.status >= 400) return client::response_error(response);
  return response;
}

Result<json::value> get_json(App& app, const std::string& path) {
  auto response = TRY(request(app, "GET", path));
  return codec::parse_json(response.body);
}

client::CallOptions json_body(const json::value& body) {
  client::CallOptions options;
  options.headers.emplace_back("Content-Type", "application/json");
  options.body = codec::format_json(body);
  return options;
}

Result<json::value> post_json(App& app, const std::string& path, const json::value& body) {
  auto response = TRY(request(app, "POST", path, json_body(body)));
  if (trim(response.body).empty()) return json::value(nullptr);
  return codec::parse_json(response.body);
}

Result<client::Response> post(App& app, const std::string& path) {
  return request(app, "POST", path);
}

// A reader that has gone ends the program by SIGPIPE, as it should; other failures have nobody to tell.
void print_out(std::string_view text) {
  (void)sys::write_all(STDOUT_FILENO, text);
}
void print_err(std::string_view text) {
  (void)sys::write_all(STDERR_FILENO, text);
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

bool confirm(std::string_view question) {
  print_out(fmt::format("{} [y/N] ", question));
  std::string answer;
  char c = 0;
  while (true) {
    auto count = sys::read_some(STDIN_FILENO, std::span(&c, 1));
    if (!count || *count == 0 || c == '\n') break;
    answer += c;
  }
  answer = to_lower(trim(answer));
  return answer == "y" || answer == "yes";
}

Result<int> for_each_name(const std::vector<std::string>& names,
                          const std::function<Result<std::string>(const std::string&)>& action) {
  int exit_code = 0;
  for (const std::string& name : names) {
    auto text = action(name);
    if (text) {
      if (!text->empty()) print_out(*text + "\n");
      continue;
    }
    if (text.error().code() == Code::Unavailable) return std::move(text).error();
    print_err(text.error().message() + "\n");
    exit_code = 1;
  }
  return exit_code;
}

}  // namespace sampan::cli
