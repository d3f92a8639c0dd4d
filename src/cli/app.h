#pragma once
// cli/app: what every command gets: the daemon, the configuration, the terminal, and the ways to ask and to print.

#include <boost/json/fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/config_file.h"
#include "cli/options/arguments.h"
#include "client/client.h"

namespace sampan::cli {

/// The API version the program speaks when the daemon does too.
inline constexpr const char* kApiVersion = "1.51";

struct App {
  std::string host;
  ConfigFile config;
  std::unique_ptr<client::Client> client;
  bool debug = false;
};

// --- asking --------------------------------------------------------------------------------------------------------
/// Path with query, percent-encoded.
class Query {
 public:
  explicit Query(std::string path) : text_(std::move(path)) {}
  Query& add(std::string_view name, std::string_view value);
  const std::string& str() const { return text_; }

 private:
  std::string text_;
  char separator_ = '?';
};
/// One path segment ("containers/" + segment(name)); slashes are kept, as image names have them.
std::string segment(std::string_view name);
/// Adds a parameter for every flag given whose row says "query:..."; filters become one JSON parameter.
/// Errors: InvalidArgument (a filter without "=").
Result<void> add_query(const Arguments& arguments, Query& query);

/// An answer below 400, or its error "Error response from daemon: ...".
Result<client::Response> request(App& app, const std::string& method, const std::string& path,
                                 const client::CallOptions& options = {});
Result<boost::json::value> get_json(App& app, const std::string& path);
/// POSTs a JSON body; the answer's JSON, null when it has none.
Result<boost::json::value> post_json(App& app, const std::string& path, const boost::json::value& body);
/// POST without a body.
Result<client::Response> post(App& app, const std::string& path);
/// Streams the answer's body into `chunk`; an answer of 400 and above is its error.
Result<client::Response> stream_request(App& app, const std::string& method, const std::string& path,
                                        const client::CallOptions& options,
                                        const std::function<Result<void>(std::string_view)>& chunk);
client::CallOptions json_body(const boost::json::value& body);

// --- printing ------------------------------------------------------------------------------------------------------
void print_out(std::string_view text);
void print_err(std::string_view text);
/// Asks on stderr and reads one line from stdin; true for y and yes.
bool confirm(std::string_view question);
bool is_terminal(int fd);

/// Runs `action` for each name, prints what it returned and each error; exit code 1 when one failed.
Result<int> for_each_name(const std::vector<std::string>& names,
                          const std::function<Result<std::string>(const std::string&)>& action);

}  // namespace sampan::cli
