#include "sys/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/error.h"

namespace sampan::sys {

namespace {

constexpr uint32_t kFirstRegister = NFT_REG32_00;
// A list of elements is one attribute with a 16-bit length.
constexpr size_t kElementsPerMessage = 400;

std::string family_header(uint8_t family, uint16_t resource) {
  nfgenmsg header{family, NFNETLINK_V0, htons(resource)};
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

uint16_t nft_type(int message) {
  return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

// nft(8)'s own type numbers: the kernel stores them for listings only.
uint32_t type_number(NftField field) {
  switch (field) {
    case NftField::Ipv4Address:
      return 7;
    case NftField::Protocol:
      return 12;
    case NftField::Port:
      return 13;
    case NftField::InterfaceName:
      return 41;
  }
  return 0;
}

uint32_t type_of(const std::vector<NftField>& fields) {
  uint32_t type = 0;
  for (NftField field : fields) type = type << 6 | type_number(field);
  return type;
}

uint32_t length_of(const std::vector<NftField>& fields) {
  if (fields.size() == 1 && fields[0] == NftField::InterfaceName) return 16;
  return static_cast<uint32_t>(fields.size() * 4);
}

uint32_t hook_number(NftHook hook) {
  switch (hook) {
    case NftHook::Prerouting:
      return NF_INET_PRE_ROUTING;
    case NftHook::Input:
      return NF_INET_LOCAL_IN;
    case NftHook::Forward:
      return NF_INET_FORWARD;
    case NftHook::Output:
      return NF_INET_LOCAL_OUT;
    case NftHook::Postrouting:
      return NF_INET_POST_ROUTING;
  }
  return 0;
}

std::string native(uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

std::string nft_ipv4(uint32_t address) {
  return native(htonl(address));
}
std::string nft_protocol(uint8_t protocol) {
  return {static_cast<char>(protocol), 0, 0, 0};
}
std::string nft_port(uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port & 0xff), 0, 0};
}
std::string nft_interface(std::string_view name) {
  std::string out(name);
  out.resize(16, '\0');
  return out;
}

Result<Fd> open_nft_events() {
  auto fd = TRY(open_netlink(NetlinkFamily::Netfilter));
  int group = NFNLGRP_NFTABLES;
  if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
    return sys_error("setsockopt", "NETLINK_ADD_MEMBERSHIP");
  }
  return fd;
}

bool read_nft_events(int fd, std::string_view table) {
  bool deleted = false;
  std::string buffer(64 << 10, '\0');
  for (;;) {
    ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == ENOBUFS)
      deleted = true;
    else if (got < 0 && errno != EINTR)
      return deleted;
    if (got <= 0) continue;
    visit_netlink_messages({buffer.data(), static_cast<size_t>(got)}, [&](uint16_t type, std::string_view body) {
      if (type != nft_type(NFT_MSG_DELTABLE) || body.size() < sizeof(nfgenmsg)) return;
      visit_attributes(body.substr(sizeof(nfgenmsg)), [&](uint16_t attribute, std::string_view value) {
        if (attribute == NFTA_TABLE_NAME && value.substr(0, value.find('\0')) == table) deleted = true;
      });
    });
  }
}

Result<bool> nft_table_exists(const std::string& table) {
  auto fd = TRY(open_netlink(NetlinkFamily::Netfilter));
  NetlinkBatch request;
  request.begin(nft_type(NFT_MSG_GETTABLE), 0, family_header(NFPROTO_IPV4, 0));
  request.put_string(NFTA_TABLE_NAME, table);
  auto found = dump_netlink(fd.get(), request, [](uint16_t, std::string_view) {});
  if (!found && found.error().errno_value() != ENOENT) return std::move(found).error();
  return found.has_value();
}

NftTransaction::NftTransaction(std::string table) : table_(std::move(table)) {
  batch_.begin(NFNL_MSG_BATCH_BEGIN, 0, family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  whats_.push_back("begin");
}

void NftTransaction::end() {
  if (open_ != Open::None) batch_.close_nest(nest_);
  open_ = Open::None;
}

void NftTransaction::begin(uint16_t type, uint16_t flags, std::string what) {
  end();
  batch_.begin(nft_type(type), flags, family_header(NFPROTO_IPV4, 0));
  whats_.push_back(std::move(what));
}

void NftTransaction::ensure_table() {
  begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, "add table");
  batch_.put_string(NFTA_TABLE_NAME, table_);
}

void NftTransaction::delete_table() {
  begin(NFT_MSG_DELTABLE, 0, "delete table");
  batch_.put_string(NFTA_TABLE_NAME, table_);
}

void NftTransaction::add_chain(const std::string& chain, const char* type, NftHook hook, int priority) {
  begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, fmt::format("add chain {}", chain));
  batch_.put_string(NFTA_CHAIN_TABLE, table_);
  batch_.put_string(NFTA_CHAIN_NAME, chain);
  size_t nest = batch_.open_nest(NFTA_CHAIN_HOOK);
  batch_.put_be32(NFTA_HOOK_HOOKNUM, hook_number(hook));
  batch_.put_be32(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(priority));
  batch_.close_nest(nest);
  batch_.put_be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  batch_.put_string(NFTA_CHAIN_TYPE, type);
}

void NftTransaction::declare_set(const std::string& set, const std::vector<NftField>& key,
                                 const std::vector<NftField>& data) {
  begin(NFT_MSG_NEWSET, NLM_F_CREATE, fmt::format("add set {}", set));
  batch_.put_string(NFTA_SET_TABLE, table_);
  batch_.put_string(NFTA_SET_NAME, set);
  batch_.put_be32(NFTA_SET_FLAGS, data.empty() ? 0 : NFT_SET_MAP);
  batch_.put_be32(NFTA_SET_KEY_TYPE, type_of(key));
  batch_.put_be32(NFTA_SET_KEY_LEN, length_of(key));
  if (!data.empty()) {
    batch_.put_be32(NFTA_SET_DATA_TYPE, type_of(data));
    batch_.put_be32(NFTA_SET_DATA_LEN, length_of(data));
  }
  batch_.put_be32(NFTA_SET_ID, next_set_id_++);
  // For listings by nft(8): "the key's byte order" (type 0, length 4) "is the host's" (1), else names come out empty.
  static constexpr char kHostOrder[] = {0, 4, 1, 0, 0, 0};
  if (key.front() == NftField::InterfaceName) batch_.put(NFTA_SET_USERDATA, {kHostOrder, sizeof kHostOrder});
}

void NftTransaction::add_set(const std::string& set, const std::vector<NftField>& key) {
  declare_set(set, key, {});
}

void NftTransaction::add_map(const std::string& map, const std::vector<NftField>& key,
                             const std::vector<NftField>& data) {
  declare_set(map, key, data);
}

void NftTransaction::begin_elements(uint16_t type, const std::string& set) {
  bool same = open_ == Open::Elements && elements_type_ == type && elements_set_ == set;
  if (same && elements_++ < kElementsPerMessage) return;
  begin(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, fmt::format("change elements of {}", set));
  batch_.put_string(NFTA_SET_ELEM_LIST_TABLE, table_);
  batch_.put_string(NFTA_SET_ELEM_LIST_SET, set);
  nest_ = batch_.open_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  open_ = Open::Elements;
  elements_ = 1;
  elements_type_ = type;
  elements_set_ = set;
}

void NftTransaction::put_value(uint16_t attribute, std::string_view bytes) {
  size_t nest = batch_.open_nest(attribute);
  batch_.put(NFTA_DATA_VALUE, bytes);
  batch_.close_nest(nest);
}

void NftTransaction::add_element(const std::string& set, std::string_view key, std::string_view data) {
  begin_elements(NFT_MSG_NEWSETELEM, set);
  size_t element = batch_.open_nest(NFTA_LIST_ELEM);
  put_value(NFTA_SET_ELEM_KEY, key);
  if (!data.empty()) put_value(NFTA_SET_ELEM_DATA, data);
  batch_.close_nest(element);
}

void NftTransaction::delete_element(const std::string& set, std::string_view key) {
  begin_elements(NFT_MSG_DELSETELEM, set);
  size_t element = batch_.open_nest(NFTA_LIST_ELEM);
  put_value(NFTA_SET_ELEM_KEY, key);
  batch_.close_nest(element);
}

void NftTransaction::begin_rule(const std::string& chain) {
  begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, fmt::format("add rule to {}", chain));
  batch_.put_string(NFTA_RULE_TABLE, table_);
  batch_.put_string(NFTA_RULE_CHAIN, chain);
  nest_ = batch_.open_nest(NFTA_RULE_EXPRESSIONS);
  open_ = Open::Rule;
}

size_t NftTransaction::begin_expression(const char* name) {
  size_t element = batch_.open_nest(NFTA_LIST_ELEM);
  batch_.put_string(NFTA_EXPR_NAME, name);
  return element;
}

void NftTransaction::end_expression(size_t element) {
  batch_.close_nest(element);
}

void NftTransaction::load_meta(uint32_t key, uint32_t reg) {
  size_t element = begin_expression("meta");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_META_DREG, reg);
  batch_.put_be32(NFTA_META_KEY, key);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::load_payload(uint32_t base, uint32_t offset, uint32_t length, uint32_t reg) {
  size_t element = begin_expression("payload");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_PAYLOAD_DREG, reg);
  batch_.put_be32(NFTA_PAYLOAD_BASE, base);
  batch_.put_be32(NFTA_PAYLOAD_OFFSET, offset);
  batch_.put_be32(NFTA_PAYLOAD_LEN, length);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::load_ct(uint32_t key) {
  size_t element = begin_expression("ct");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_CT_DREG, kFirstRegister);
  batch_.put_be32(NFTA_CT_KEY, key);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::compare(std::string_view bytes, Negate negate) {
  size_t element = begin_expression("cmp");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_CMP_SREG, kFirstRegister);
  batch_.put_be32(NFTA_CMP_OP, negate == Negate::Yes ? NFT_CMP_NEQ : NFT_CMP_EQ);
  put_value(NFTA_CMP_DATA, bytes);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::mask(std::string_view bytes) {
  size_t element = begin_expression("bitwise");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_BITWISE_SREG, kFirstRegister);
  batch_.put_be32(NFTA_BITWISE_DREG, kFirstRegister);
  batch_.put_be32(NFTA_BITWISE_LEN, static_cast<uint32_t>(bytes.size()));
  put_value(NFTA_BITWISE_MASK, bytes);
  put_value(NFTA_BITWISE_XOR, std::string(bytes.size(), '\0'));
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::match_bits(uint32_t bits) {
  mask(native(bits));
  compare(native(0), Negate::Yes);
}

void NftTransaction::match_interface(uint32_t key, const std::string& interface, Negate negate) {
  load_meta(key, kFirstRegister);
  compare(nft_interface(interface), negate);
}

void NftTransaction::match_input(const std::string& interface, Negate negate) {
  match_interface(NFT_META_IIFNAME, interface, negate);
}
void NftTransaction::match_output(const std::string& interface, Negate negate) {
  match_interface(NFT_META_OIFNAME, interface, negate);
}

void NftTransaction::lookup(const std::string& set, bool loads_data) {
  size_t element = begin_expression("lookup");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_string(NFTA_LOOKUP_SET, set);
  batch_.put_be32(NFTA_LOOKUP_SREG, kFirstRegister);
  if (loads_data) batch_.put_be32(NFTA_LOOKUP_DREG, kFirstRegister);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::match_input_in(const std::string& set) {
  load_meta(NFT_META_IIFNAME, kFirstRegister);
  lookup(set, false);
}
void NftTransaction::match_output_in(const std::string& set) {
  load_meta(NFT_META_OIFNAME, kFirstRegister);
  lookup(set, false);
}

void NftTransaction::match_prefix(uint32_t offset, uint32_t network, int prefix_len) {
  uint32_t bits = prefix_len == 0 ? 0 : 0xffffffffu << (32 - prefix_len);
  load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, 4, kFirstRegister);
  mask(nft_ipv4(bits));
  compare(nft_ipv4(network & bits), Negate::No);
}

// Offsets of the addresses in an IPv4 header.
void NftTransaction::match_source(uint32_t network, int prefix_len) {
  match_prefix(12, network, prefix_len);
}
void NftTransaction::match_destination(uint32_t network, int prefix_len) {
  match_prefix(16, network, prefix_len);
}

void NftTransaction::match_destination_is_local() {
  size_t element = begin_expression("fib");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_FIB_DREG, kFirstRegister);
  batch_.put_be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  batch_.put_be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  batch_.close_nest(data);
  end_expression(element);
  compare(native(RTN_LOCAL), Negate::No);
}

void NftTransaction::match_established_or_related() {
  load_ct(NFT_CT_STATE);
  match_bits(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
}

void NftTransaction::match_translated() {
  load_ct(NFT_CT_STATUS);
  match_bits(IPS_DST_NAT);
}

void NftTransaction::verdict(uint32_t code) {
  size_t element = begin_expression("immediate");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  size_t value = batch_.open_nest(NFTA_IMMEDIATE_DATA);
  size_t inner = batch_.open_nest(NFTA_DATA_VERDICT);
  batch_.put_be32(NFTA_VERDICT_CODE, code);
  batch_.close_nest(inner);
  batch_.close_nest(value);
  batch_.close_nest(data);
  end_expression(element);
}

void NftTransaction::accept() {
  verdict(NF_ACCEPT);
}
void NftTransaction::drop() {
  verdict(NF_DROP);
}
void NftTransaction::masquerade() {
  size_t element = begin_expression("masq");
  batch_.close_nest(batch_.open_nest(NFTA_EXPR_DATA));
  end_expression(element);
}

void NftTransaction::dnat() {
  size_t element = begin_expression("nat");
  size_t data = batch_.open_nest(NFTA_EXPR_DATA);
  batch_.put_be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
  batch_.put_be32(NFTA_NAT_FAMILY, NFPROTO_IPV4);
  batch_.put_be32(NFTA_NAT_REG_ADDR_MIN, kFirstRegister);
  batch_.put_be32(NFTA_NAT_REG_PROTO_MIN, kFirstRegister + 1);
  batch_.close_nest(data);
  end_expression(element);
}

// Bytes 2 and 3 of TCP, UDP and SCTP headers are the destination port.
void NftTransaction::dnat_by_port(const std::string& map) {
  load_meta(NFT_META_L4PROTO, kFirstRegister);
  load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, kFirstRegister + 1);
  lookup(map, true);
  dnat();
}

void NftTransaction::dnat_by_address_and_port(const std::string& map) {
  load_payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, kFirstRegister);
  load_meta(NFT_META_L4PROTO, kFirstRegister + 1);
  load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, kFirstRegister + 2);
  lookup(map, true);
  dnat();
}

Result<void> NftTransaction::commit(int fd) {
  end();
  batch_.begin(NFNL_MSG_BATCH_END, 0, family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  whats_.push_back("end");
  auto failures = TRY(exchange_netlink(fd, batch_));
  if (failures.empty()) return {};
  const auto& first = failures.front();
  return sys_error_of(first.err, fmt::format("nftables table {}: {}{}{}", table_, whats_[first.index],
                                             first.detail.empty() ? "" : " ", first.detail));
}

}  // namespace sampan::sys
