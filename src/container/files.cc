#include "base/strings.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

/// A value that goes into a line of its own must not bring another line with it.
Result<void> check_line(std::string_view text) {
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) return fail(Code::InvalidArgument, "control characters are not allowed in \"{}\"", text);
  }
  return {};
}

}  // namespace

Result<std::string> format_hosts(const ContainerRecord& record, std::span<const HostsEntry> own,
                                 const std::string& host_gateway) {
  std::string out =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::\tip6-localnet\n"
      "ff00::\tip6-mcastprefix\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  if (record.host_config.extra_hosts) {
    for (const auto& text : *record.host_config.extra_hosts) {
      TRY(check_line(text));
      size_t at = text.find_first_of(":=");
      if (at == std::string::npos || at == 0)
        return fail(Code::InvalidArgument, "bad format for add-host: \"{}\"", text);
      std::string address = text.substr(at + 1);
      if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
      if (address == "host-gateway") address = host_gateway;
      if (address.empty()) return fail(Code::InvalidArgument, "invalid IP address in add-host: \"{}\"", text);
      for (const auto& one : split(address, ',')) out += one + "\t" + text.substr(0, at) + "\n";
    }
  }
  for (const auto& entry : own) {
    out += entry.address + "\t" + join(entry.names, " ") + "\n";
  }
  return out;
}

std::string format_resolv_conf(const HostConfig& config, std::string_view host, const std::string& nameserver) {
  std::vector<std::string> servers = config.dns, search = config.dns_search, options = config.dns_options;
  std::vector<std::string> host_servers, host_search, host_options;
  for (const auto& line : split(host, '\n')) {
    std::vector<std::string> words;
    for (auto& word : split(std::string(trim(line)), ' ')) {
      for (auto& piece : split(word, '\t')) {
        if (!piece.empty()) words.push_back(piece);
      }
    }
    if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';') continue;
    std::vector<std::string> values(words.begin() + 1, words.end());
    if (words[0] == "nameserver") host_servers.push_back(values[0]);
    if (words[0] == "search" || words[0] == "domain") host_search = values;
    if (words[0] == "options") host_options.insert(host_options.end(), values.begin(), values.end());
  }
  if (servers.empty()) servers = nameserver.empty() ? host_servers : std::vector<std::string>{nameserver};
  if (search.empty()) search = host_search;
  if (options.empty()) options = host_options;
  std::string out;
  for (const auto& server : servers) out += "nameserver " + server + "\n";
  if (!search.empty() && search != std::vector<std::string>{"."}) out += "search " + join(search, " ") + "\n";
  if (!options.empty()) out += "options " + join(options, " ") + "\n";
  return out;
}

}  // namespace sampan::container
