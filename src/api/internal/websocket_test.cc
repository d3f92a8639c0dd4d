#include "api/internal/websocket.h"

#include <gmock/gmock.h>

namespace sampan::api {
namespace {

/// A frame as a client sends it.
std::string masked(uint8_t first, std::string_view payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xff);
  }
  const std::string_view mask = "\x12\x34\x56\x78";
  out += mask;
  for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

TEST(WebSocket, the_key_is_answered_as_the_standard_shows) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, frames_of_a_server_have_three_forms_of_length) {
  EXPECT_EQ(format_websocket_frame(Opcode::Binary, "hi"), "\x82\x02hi");
  EXPECT_EQ(format_websocket_frame(Opcode::Text, std::string(126, 'x')).substr(0, 4),
            std::string("\x81\x7e\x00\x7e", 4));
  EXPECT_EQ(format_websocket_frame(Opcode::Binary, std::string(65536, 'x')).substr(0, 10),
            std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  EXPECT_EQ(format_websocket_frame(Opcode::Close, format_websocket_close(1000)), "\x88\x02\x03\xe8");
}

TEST(WebSocket, frames_are_read_in_pieces_of_any_size) {
  std::string wire = masked(0x82, "hello ") + masked(0x01, "wor") + masked(0x89, "are you there") + masked(0x80, "ld") +
                     masked(0x82, std::string(300, 'x')) + masked(0x82, "") + masked(0x88, "\x03\xe8");
  for (size_t piece : {1u, 3u, 7u, 1000u}) {
    WebSocketParser parser;
    WebSocketParser::Input all;
    std::string ping;
    for (size_t at = 0; at < wire.size(); at += piece) {
      ASSERT_TRUE(parser.feed(std::string_view(wire).substr(at, piece), all));
      if (all.pinged && ping.empty()) ping = all.control;
    }
    EXPECT_EQ(all.data, "hello world" + std::string(300, 'x'));
    EXPECT_TRUE(all.pinged);
    if (piece < 1000) EXPECT_EQ(ping, "are you there");
    EXPECT_TRUE(all.closed);
    EXPECT_EQ(all.control, "\x03\xe8");
  }
}

TEST(WebSocket, what_comes_behind_a_close_is_not_read) {
  WebSocketParser parser;
  WebSocketParser::Input all;
  ASSERT_TRUE(parser.feed(masked(0x88, "") + masked(0x82, "late"), all));
  EXPECT_TRUE(all.closed);
  EXPECT_EQ(all.data, "");
}

TEST(WebSocket, what_the_protocol_forbids_is_an_error) {
  auto refused = [](const std::string& wire) {
    WebSocketParser parser;
    WebSocketParser::Input all;
    return !parser.feed(wire, all);
  };
  EXPECT_TRUE(refused("\x82\x02hi")) << "not masked";
  EXPECT_TRUE(refused(masked(0xc2, "x"))) << "a reserved bit";
  EXPECT_TRUE(refused(masked(0x83, "x"))) << "an unknown kind";
  EXPECT_TRUE(refused(masked(0x09, "x"))) << "a control frame in parts";
  EXPECT_TRUE(refused(masked(0x89, std::string(126, 'x')))) << "a long control frame";
  EXPECT_TRUE(refused(masked(0x80, "x"))) << "goes on with what never began";
  EXPECT_TRUE(refused(masked(0x02, "x") + masked(0x82, "y"))) << "begins anew in the middle";
  EXPECT_TRUE(refused(std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 14))) << "2^64 bytes";
}

}  // namespace
}  // namespace sampan::api
