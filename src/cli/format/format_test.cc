// Durations, sizes, tables, progress.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/ports_text.h"
#include "cli/commands/stats_sample.h"
#include "cli/format/human.h"
#include "cli/format/progress.h"
#include "cli/format/table.h"
#include "cli/format/time_argument.h"
#include "codec/json.h"

namespace sampan::cli {
namespace {

namespace json = boost::json;

TEST(Human, durations_are_dockers_words) {
  auto seconds = [](double value) { return human_duration(static_cast<int64_t>(value * 1e9)); };
  EXPECT_EQ(seconds(0.4), "Less than a second");
  EXPECT_EQ(seconds(1), "1 second");
  EXPECT_EQ(seconds(59), "59 seconds");
  EXPECT_EQ(seconds(60), "About a minute");
  EXPECT_EQ(seconds(180), "3 minutes");
  EXPECT_EQ(seconds(3600), "About an hour");
  EXPECT_EQ(seconds(3600 * 1.6), "2 hours");
  EXPECT_EQ(seconds(3600 * 47), "47 hours");
  EXPECT_EQ(seconds(86400 * 3), "3 days");
  EXPECT_EQ(seconds(86400 * 15), "2 weeks");
  EXPECT_EQ(seconds(86400.0 * 90), "3 months");
  EXPECT_EQ(seconds(86400.0 * 365 * 3), "3 years");
}

TEST(Human, sizes_have_significant_digits) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(999), "999B");
  EXPECT_EQ(human_size(1234567, 3), "1.23MB");
  EXPECT_EQ(human_size(1234567), "1.235MB");
  EXPECT_EQ(human_size(2.5e9), "2.5GB");
  EXPECT_EQ(human_bytes(2048), "2KiB");
  EXPECT_EQ(human_bytes(67108864), "64MiB");
}

TEST(Human, ellipsis_counts_characters) {
  EXPECT_EQ(ellipsis("abcdef", 4), "abc…");
  EXPECT_EQ(ellipsis("äöüß", 4), "äöüß");
  EXPECT_EQ(ellipsis("äöüßx", 4), "äöü…");
  EXPECT_EQ(short_id("sha256:0123456789abcdef"), "0123456789ab");
}

TEST(TimeArgument, ages_and_times_become_seconds) {
  EXPECT_EQ(*time_argument("12.5"), "12.5");
  EXPECT_EQ(*time_argument("2024-05-01T10:00:00Z"), "1714557600.000000000");
  EXPECT_FALSE(time_argument("yesterday"));
  EXPECT_TRUE(time_argument("10m"));
}

constexpr Column kColumns[] = {{"ID", "CONTAINER ID"}, {"Name", "NAMES"}};
constexpr TableShape kShape{kColumns, "{{.ID}}\t{{.Name}}"};

std::string print(const std::string& format, bool quiet = false) {
  std::vector<json::value> rows{json::object{{"ID", "1"}, {"Name", "<web>"}},
                                json::object{{"ID", "22"}, {"Name", "db"}}};
  auto printer = TablePrinter::make(kShape, format, quiet);
  if (!printer) return printer.error().message();
  auto text = printer->format(rows);
  return text ? *text : text.error().message();
}

TEST(Table, formats) {
  EXPECT_EQ(print(""), "CONTAINER ID   NAMES\n1              <web>\n22             db\n");
  EXPECT_EQ(print("", true), "1\n22\n");
  EXPECT_EQ(print("{{.Name}}"), "<web>\ndb\n");
  EXPECT_EQ(print("table {{.Name}}\\t{{.ID}}"), "NAMES     CONTAINER ID\n<web>     1\ndb        22\n");
  EXPECT_EQ(print("table {{upper .Name}}"), "NAMES\n<WEB>\nDB\n");
  EXPECT_EQ(print("json"), "{\"ID\":\"1\",\"Name\":\"\\u003cweb\\u003e\"}\n{\"ID\":\"22\",\"Name\":\"db\"}\n");
  EXPECT_THAT(print("{{.Nope}}"), testing::StartsWith("failed to execute template: template: "));
  EXPECT_THAT(print("{{.Name"), testing::StartsWith("failed to parse template: template: "));
}

TEST(PortsText, equal_numbers_join_others_do_not) {
  auto text = [](const char* list) { return ports_text(codec::parse_json(list)->as_array()); };
  EXPECT_EQ(text("[]"), "");
  EXPECT_EQ(text(R"([{"PrivatePort":80,"Type":"tcp"},{"PrivatePort":81,"Type":"tcp"}])"), "80-81/tcp");
  EXPECT_EQ(text(R"([{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
                     {"IP":"127.0.0.1","PrivatePort":53,"PublicPort":53,"Type":"udp"},
                     {"IP":"::","PrivatePort":90,"PublicPort":90,"Type":"tcp"},
                     {"IP":"::","PrivatePort":91,"PublicPort":91,"Type":"tcp"}])"),
            "127.0.0.1:53->53/udp, [::]:90-91->90-91/tcp, 0.0.0.0:8080->80/tcp");
}

TEST(StatsSample, rates_are_computed_from_two_samples) {
  auto sample = codec::parse_json(R"({"id":"0123456789abcdef","name":"/web","read":"2024-01-01T00:00:01Z",
    "cpu_stats":{"cpu_usage":{"total_usage":300},"system_cpu_usage":2000,"online_cpus":2},
    "precpu_stats":{"cpu_usage":{"total_usage":100},"system_cpu_usage":1000},
    "memory_stats":{"usage":2097152,"limit":4194304,"stats":{"inactive_file":1048576}},
    "networks":{"eth0":{"rx_bytes":1000,"tx_bytes":2000}},"pids_stats":{"current":3},
    "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":4096}]}})");
  auto row = stats_row(*sample, "web", false).as_object();
  EXPECT_EQ(row["CPUPerc"], "40.00%");
  EXPECT_EQ(row["MemUsage"], "1MiB / 4MiB");
  EXPECT_EQ(row["MemPerc"], "25.00%");
  EXPECT_EQ(row["NetIO"], "1kB / 2kB");
  EXPECT_EQ(row["BlockIO"], "4.1kB / 0B");
  EXPECT_EQ(row["Name"], "web");
  EXPECT_EQ(stats_row(json::object(), "web", false).as_object()["CPUPerc"], "--");
}

TEST(JsonStream, texts_may_be_cut_anywhere) {
  std::string wire = "{\"a\":1}\r\n{\"b\":\"}{\"}\r\n\x1e{\"c\":[1]}\n";
  std::vector<std::string> got;
  JsonStream stream([&](const json::value& value) -> Result<void> {
    got.push_back(codec::format_json(value));
    return {};
  });
  for (char c : wire) ASSERT_TRUE(stream.feed(std::string_view(&c, 1)));
  EXPECT_THAT(got, testing::ElementsAre("{\"a\":1}", "{\"b\":\"}{\"}", "{\"c\":[1]}"));
  EXPECT_FALSE(stream.feed("rubbish"));
}

std::string show(unsigned columns, const std::vector<const char*>& messages, std::string* error = nullptr) {
  std::string out;
  ProgressView view([&](std::string_view text) { out += text; }, columns);
  for (const char* message : messages) {
    auto result = view.show(*codec::parse_json(message));
    if (!result && error) *error = result.error().message();
  }
  return out;
}

TEST(ProgressView, plain_output_has_only_final_lines) {
  EXPECT_EQ(show(0, {R"({"status":"Pulling from library/x","id":"latest"})",
                     R"({"status":"Pulling fs layer","progressDetail":{},"id":"aa"})",
                     R"({"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"aa"})",
                     R"({"status":"Pull complete","progressDetail":{},"id":"aa"})", R"({"stream":"Step 1\n"})"}),
            "latest: Pulling from library/x\naa: Pulling fs layer\naa: Pull complete\nStep 1\n");
}

TEST(ProgressView, a_terminal_redraws_each_layers_own_line) {
  std::string out = show(80, {R"({"status":"Waiting","progressDetail":{},"id":"aa"})",
                              R"({"status":"Waiting","progressDetail":{},"id":"bb"})",
                              R"({"status":"Downloading","progressDetail":{"current":500,"total":1000},"id":"aa"})"});
  EXPECT_EQ(out,
            "\n\x1b[1A\x1b[2K\raa: Waiting\x1b[1B\r"
            "\n\x1b[1A\x1b[2K\rbb: Waiting\x1b[1B\r"
            "\x1b[2A\x1b[2K\raa: Downloading     500B/1kB\x1b[2B\r");
}

TEST(ProgressView, an_error_message_is_an_error) {
  std::string error;
  show(0, {R"({"errorDetail":{"message":"no space"},"error":"no space"})"}, &error);
  EXPECT_EQ(error, "no space");
}

TEST(ProgressBar, fills_with_the_share_done) {
  EXPECT_EQ(progress_bar(500, 1000, "", false, 200),
            "[" + std::string(25, '=') + ">" + std::string(25, ' ') + "]      500B/1kB");
  EXPECT_EQ(progress_bar(0, 0, "", false, 200), "");
  EXPECT_EQ(progress_bar(1000, 0, "", false, 200), "     1kB");
}

}  // namespace
}  // namespace sampan::cli
