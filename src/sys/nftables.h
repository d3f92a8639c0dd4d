#pragma once
// sys/nftables: one transaction on one table of family ip, written as netlink messages. No nft process, no rule text.
//
// The vocabulary is the little that the network module needs: matches, sets, maps, verdicts. A rule is written between
// begin_rule() and the next begin: every match_ must hold, then the verdict comes last. The registers that
// concatenations pass through are this file's business. commit() is all or nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/netlink.h"

namespace sampan::sys {

/// Fields of set keys and map data; a list of them is a concatenation.
enum class NftField { Ipv4Address, Protocol, Port, InterfaceName };
enum class NftHook { Prerouting, Input, Forward, Output, Postrouting };
enum class Negate { No, Yes };

/// The packed form of one field inside a set key; concatenate the results.
std::string nft_ipv4(uint32_t address);
std::string nft_protocol(uint8_t protocol);
std::string nft_port(uint16_t port);
std::string nft_interface(std::string_view name);

/// A socket that hears of every change to nftables in this namespace.
Result<Fd> open_nft_events();
/// Reads what has come without waiting; true when the table was deleted, by anybody, or when messages were lost.
bool read_nft_events(int fd, std::string_view table);
Result<bool> nft_table_exists(const std::string& table);

class NftTransaction {
 public:
  explicit NftTransaction(std::string table);

  void ensure_table();
  void delete_table();
  /// A base chain with policy accept; `type` is "filter" or "nat".
  void add_chain(const std::string& chain, const char* type, NftHook hook, int priority);
  void add_set(const std::string& set, const std::vector<NftField>& key);
  void add_map(const std::string& map, const std::vector<NftField>& key, const std::vector<NftField>& data);
  void add_element(const std::string& set, std::string_view key, std::string_view data = {});
  void delete_element(const std::string& set, std::string_view key);

  void begin_rule(const std::string& chain);
  void match_input(const std::string& interface, Negate negate = Negate::No);
  void match_output(const std::string& interface, Negate negate = Negate::No);
  void match_input_in(const std::string& set);
  void match_output_in(const std::string& set);
  void match_source(uint32_t network, int prefix_len);
  void match_destination(uint32_t network, int prefix_len);
  /// The destination is an address of this host (fib daddr type local).
  void match_destination_is_local();
  void match_established_or_related();
  /// The connection's destination was translated (ct status dnat).
  void match_translated();
  void accept();
  void drop();
  void masquerade();
  /// dnat to (protocol . port) -> (address . port) of the map; no element: the rule does not apply.
  void dnat_by_port(const std::string& map);
  /// The same with (destination . protocol . port) as the key.
  void dnat_by_address_and_port(const std::string& map);

  /// Errors: errno of the first refused message, nothing is changed then.
  Result<void> commit(int fd);

 private:
  void begin(uint16_t type, uint16_t flags, std::string what);
  void end();
  size_t begin_expression(const char* name);
  void end_expression(size_t data);
  void declare_set(const std::string& set, const std::vector<NftField>& key, const std::vector<NftField>& data);
  void begin_elements(uint16_t type, const std::string& set);
  void put_value(uint16_t attribute, std::string_view bytes);
  void load_meta(uint32_t key, uint32_t reg);
  void load_payload(uint32_t base, uint32_t offset, uint32_t length, uint32_t reg);
  void load_ct(uint32_t key);
  void compare(std::string_view bytes, Negate negate);
  void mask(std::string_view bytes);
  void match_bits(uint32_t bits);
  void match_interface(uint32_t key, const std::string& interface, Negate negate);
  void match_prefix(uint32_t offset, uint32_t network, int prefix_len);
  void lookup(const std::string& set, bool loads_data);
  void verdict(uint32_t code);
  void dnat();

  enum class Open { None, Rule, Elements };
  std::string table_;
  NetlinkBatch batch_;
  std::vector<std::string> whats_;
  Open open_ = Open::None;
  size_t nest_ = 0;      // the open rule's or element list's
  size_t elements_ = 0;  // in the open list
  uint16_t elements_type_ = 0;
  std::string elements_set_;
  uint32_t next_set_id_ = 1;
};

}  // namespace sampan::sys
