#include "network/internal/dns_message.h"

#include <gtest/gtest.h>

#include "network/internal/name_table.h"

namespace sampan::network {
namespace {

std::string query_for(const std::vector<std::string>& labels, uint16_t type) {
  std::string out("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  for (const auto& label : labels) out += static_cast<char>(label.size()) + label;
  out.push_back('\0');
  out += {static_cast<char>(type >> 8), static_cast<char>(type & 255), 0, 1};
  return out;
}

TEST(DnsMessage, question_is_read_in_lower_case) {
  auto question = parse_question(query_for({"WEB", "Blue"}, 1));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->name, "web.blue");
  EXPECT_EQ(question->id, 0x1234);
  EXPECT_EQ(question->type, 1);
}

TEST(DnsMessage, hostile_bytes_are_no_question) {
  std::string good = query_for({"web"}, 1);
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(parse_question(good.substr(0, length)));
  std::string pointer = good;
  pointer[12] = static_cast<char>(0xc0);
  EXPECT_FALSE(parse_question(pointer));
  std::string answer = good;
  answer[2] = static_cast<char>(0x81);
  EXPECT_FALSE(parse_question(answer));
  EXPECT_FALSE(parse_question(query_for(std::vector<std::string>(5, std::string(63, 'a')), 1)));
}

TEST(DnsMessage, answer_carries_addresses_and_the_query_id) {
  std::string query = query_for({"web"}, 1);
  auto question = parse_question(query);
  std::string answer = format_dns_addresses(query, question->end, {0x0a000001, 0x0a000002});
  EXPECT_TRUE(is_dns_answer(query, question->end, 0x1234, answer));
  EXPECT_FALSE(is_dns_answer(query, question->end, 0x1235, answer));
  EXPECT_FALSE(is_dns_answer(query_for({"wob"}, 1), question->end, 0x1234, answer));
  EXPECT_EQ(answer.size(), query.size() + 2 * 16);
  EXPECT_EQ(answer.substr(answer.size() - 4), std::string("\x0a\0\0\x02", 4));
}

TEST(DnsMessage, reverse_names) {
  EXPECT_EQ(parse_reverse_name("2.0.17.172.in-addr.arpa"), parse_ipv4("172.17.0.2"));
  EXPECT_FALSE(parse_reverse_name("17.172.in-addr.arpa"));
  EXPECT_FALSE(parse_reverse_name("example.com"));
}

struct Table {
  NameTable names;
  NetworkRecord blue, red, standard;
  Table() {
    blue.id = "b", blue.name = "blue";
    red.id = "r", red.name = "red", red.internal = true;
    standard.id = "d", standard.name = "bridge", standard.builtin = true;
  }
  void put(const char* endpoint, const char* container, const NetworkRecord& network, const char* address,
           std::vector<std::string> dns_names) {
    Endpoint out;
    out.endpoint_id = endpoint;
    out.container_id = container;
    out.ip_address = address;
    out.dns_names = std::move(dns_names);
    names.put(out, network);
  }
};

TEST(NameTable, container_sees_names_of_all_its_networks_only) {
  Table t;
  t.put("e1", "c1", t.blue, "10.0.0.2", {"Web", "c1"});
  t.put("e2", "c2", t.blue, "10.0.0.3", {"app"});
  t.put("e3", "c2", t.red, "10.1.0.3", {"app"});
  t.put("e4", "c3", t.red, "10.1.0.4", {"db"});
  Asker app{"b", *parse_ipv4("10.0.0.3")}, web{"b", *parse_ipv4("10.0.0.2")};
  EXPECT_TRUE(t.names.addresses_of(app, "db"));
  EXPECT_TRUE(t.names.addresses_of(app, "web"));
  EXPECT_TRUE(t.names.addresses_of(app, "web.blue"));
  EXPECT_FALSE(t.names.addresses_of(web, "db"));
  EXPECT_EQ(t.names.name_of(app, *parse_ipv4("10.0.0.2")), "web.blue");
  t.names.drop("e1");
  EXPECT_FALSE(t.names.addresses_of(app, "web"));
}

TEST(NameTable, holders_of_one_alias_come_in_turns) {
  Table t;
  t.put("e1", "c1", t.blue, "10.0.0.2", {"web"});
  t.put("e2", "c2", t.blue, "10.0.0.3", {"web"});
  auto first = t.names.addresses_of({"b", 0}, "web"), second = t.names.addresses_of({"b", 0}, "web");
  ASSERT_EQ(first->size(), 2u);
  EXPECT_NE(first->front(), second->front());
}

TEST(NameTable, default_bridge_has_no_names) {
  Table t;
  t.put("e1", "c1", t.standard, "172.17.0.2", {"web"});
  EXPECT_FALSE(t.names.addresses_of({"d", *parse_ipv4("172.17.0.2")}, "web"));
}

TEST(NameTable, only_containers_with_a_way_out_ask_outside) {
  Table t;
  t.put("e1", "c1", t.red, "10.1.0.2", {"a"});
  t.put("e2", "c2", t.red, "10.1.0.3", {"b"});
  t.put("e3", "c2", t.blue, "10.0.0.3", {"b"});
  EXPECT_FALSE(t.names.may_ask_outside({"r", *parse_ipv4("10.1.0.2")}, true));
  EXPECT_TRUE(t.names.may_ask_outside({"r", *parse_ipv4("10.1.0.3")}, true));
  EXPECT_TRUE(t.names.may_ask_outside({"b", 0}, false));
}

}  // namespace
}  // namespace sampan::network
