// The rows themselves: every flag says where its value goes, and every flag of run gets there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/options/help.h"
#include "cli/options/parser.h"
#include "cli/values/body.h"
#include "cli/values/kind.h"
#include "codec/json.h"

namespace sampan::cli {
namespace {

namespace json = boost::json;

std::vector<const Command*> all_commands() {
  std::vector<const Command*> out;
  for (auto table : command_tables()) {
    for (const Command& command : table) out.push_back(&command);
  }
  return out;
}

std::vector<const Option*> rows_of(const Command& command) {
  std::vector<const Option*> out;
  for (auto rows : {command.options, command.more_options}) {
    for (const Option& row : rows) out.push_back(&row);
  }
  return out;
}

// A value that the kind accepts.
std::string sample(const Option& row) {
  switch (row.kind) {
    case Kind::Flag:
      return "true";
    case Kind::Int:
    case Kind::Uint:
    case Kind::Uint16:
      return "42";
    case Kind::Bytes:
    case Kind::SwapBytes:
      return "64m";
    case Kind::Duration:
      return "5s";
    case Kind::Cpus:
      return "1.5";
    case Kind::Map:
    case Kind::Label:
    case Kind::Filter:
      return "key=value";
    case Kind::Sysctl:
      return "net.ipv4.ip_forward=1";
    case Kind::ExtraHost:
      return "name:10.0.0.1";
    case Kind::IpAddress:
      return "10.0.0.1";
    case Kind::AttachTo:
      return "stdin";
    case Kind::Ulimit:
      return "nofile=1:2";
    case Kind::Device:
      return "/dev/null";
    case Kind::DeviceRule:
      return "c 1:3 rwm";
    case Kind::DeviceRate:
      return "/dev/sda:1m";
    case Kind::DeviceIops:
      return "/dev/sda:10";
    case Kind::DeviceWeight:
      return "/dev/sda:100";
    case Kind::Gpus:
      return "all";
    case Kind::Tmpfs:
      return "/tmp:size=1m";
    case Kind::Restart:
      return "on-failure:3";
    case Kind::Mount:
      return "type=bind,src=/a,dst=/b";
    case Kind::Publish:
      return "80:80";
    case Kind::Expose:
      return "80";
    case Kind::Volume:
      return "/a:/b";
    case Kind::Network:
      return "net1";
    case Kind::Env:
      return "NAME=value";
    default:
      return "value";
  }
}

std::string sample_for_run(const Option& row, const std::string& file) {
  if (row.name == "env-file" || row.name == "label-file") return file;
  if (row.name == "pid" || row.name == "uts" || row.name == "userns" || row.name == "cgroupns") return "host";
  if (row.name == "pull") return "always";
  if (row.name == "security-opt") return "no-new-privileges";
  if (row.name == "storage-opt") return "size=1g";
  return sample(row);
}

bool is_set(const json::value& body, std::string_view path) {
  const json::value* at = &body;
  for (const std::string& name : split(path, '.')) {
    at = at->is_object() ? at->get_object().if_contains(name) : nullptr;
    if (!at) return false;
  }
  return !at->is_null();
}

TEST(OptionTables, every_row_names_its_destination_and_explains_itself) {
  for (const Command* command : all_commands()) {
    for (const Option* row : rows_of(*command)) {
      auto colon = row->field.find(':');
      ASSERT_NE(colon, std::string_view::npos) << command->path << " --" << row->name;
      EXPECT_THAT(row->field.substr(0, colon), testing::AnyOf("body", "query", "client")) << row->name;
      EXPECT_GT(row->field.size(), colon + 1) << row->name;
      EXPECT_FALSE(row->help.empty()) << command->path << " --" << row->name;
    }
  }
}

TEST(OptionTables, spellings_are_unique_within_a_command) {
  for (const Command* command : all_commands()) {
    std::set<std::string> seen;
    for (const Option* row : rows_of(*command)) {
      EXPECT_TRUE(seen.insert("--" + std::string(row->name)).second) << command->path << " --" << row->name;
      if (row->letter)
        EXPECT_TRUE(seen.insert(std::string("-") + row->letter).second) << command->path << " -" << row->letter;
    }
  }
}

TEST(OptionTables, command_spellings_are_unique_and_found) {
  std::set<std::string> seen;
  for (const Command* command : all_commands()) {
    EXPECT_NE(command->handler, nullptr) << command->path;
    std::string all =
        std::string(command->path) + (command->aliases.empty() ? "" : "|" + std::string(command->aliases));
    for (const std::string& spelling : split(all, '|')) {
      EXPECT_TRUE(seen.insert(spelling).second) << spelling;
      EXPECT_EQ(find_command(spelling), command) << spelling;
    }
  }
}

TEST(OptionTables, every_flag_of_run_reaches_its_api_field) {
  std::string file = testing::TempDir() + "cli_env_file";
  std::ofstream(file) << "FROM_FILE=1\n";
  const Command& run = *find_command("run");
  size_t checked = 0;
  for (const Option* row : rows_of(run)) {
    ParsedLine line = parse_line({"run", "--" + std::string(row->name) + "=" + sample_for_run(*row, file), "image"});
    ASSERT_FALSE(line.error) << row->name << ": " << line.error->text;
    if (row->field.starts_with("query:")) {
      Query query("/containers/create");
      ASSERT_TRUE(add_query(line.arguments, query));
      EXPECT_NE(query.str().find("?" + std::string(row->field.substr(6)) + "="), std::string::npos) << row->name;
      ++checked;
    }
    if (!row->field.starts_with("body:")) continue;
    // A body without the flag has no such field, or another value: so the flag made it.
    auto plain = make_create_request(parse_line({"run", "image"}).arguments, false);
    auto request = make_create_request(line.arguments, false);
    ASSERT_TRUE(request) << row->name << ": " << request.error().message();
    auto body = codec::parse_json(request->body);
    EXPECT_TRUE(is_set(*body, row->field.substr(5))) << row->name << " -> " << row->field << " in " << request->body;
    EXPECT_NE(request->body, plain->body) << row->name;
    ++checked;
  }
  EXPECT_GT(checked, 80u);
}

TEST(OptionTables, every_query_flag_reaches_the_query) {
  for (const Command* command : all_commands()) {
    if (command->path == "image build" || command->path == "container run" || command->path == "container create")
      continue;
    for (const Option* row : rows_of(*command)) {
      if (!row->field.starts_with("query:")) continue;
      bool turns_off = row->kind == Kind::Flag && row->initial == "true";
      Arguments arguments;
      arguments.command = command;
      arguments.given.emplace_back(row, turns_off ? "false" : sample(*row));
      Query query("/x");
      ASSERT_TRUE(add_query(arguments, query));
      EXPECT_THAT(query.str(), testing::HasSubstr(std::string(row->field.substr(6)) + "="))
          << command->path << " --" << row->name;
    }
  }
}

TEST(OptionTables, every_sample_is_a_value_of_its_kind) {
  for (const Command* command : all_commands()) {
    for (const Option* row : rows_of(*command)) {
      auto value = value_to_json(row->kind, sample(*row));
      EXPECT_TRUE(value) << command->path << " --" << row->name << ": " << value.error().message();
      EXPECT_EQ(kind_info(row->kind).word.empty(), row->kind == Kind::Flag) << row->name;
    }
  }
}

TEST(Help, names_every_flag_and_fits_eighty_columns) {
  for (const Command* command : all_commands()) {
    std::string help = command_help(*command, "sampan " + std::string(command->path));
    for (const Option* row : rows_of(*command)) EXPECT_THAT(help, testing::HasSubstr("--" + std::string(row->name)));
    size_t options = help.find("\nOptions:\n");
    if (options == std::string::npos) continue;
    for (const std::string& line : split(help.substr(options), '\n')) EXPECT_LE(line.size(), 81u) << line;
  }
}

TEST(Help, lists_every_command) {
  std::string program = program_help();
  for (const Command* command : all_commands()) {
    std::string first(command->path.substr(0, command->path.find(' ')));
    EXPECT_THAT(program, testing::HasSubstr("  " + first));
    if (command->path.find(' ') != std::string_view::npos) {
      EXPECT_THAT(group_help(first), testing::HasSubstr(std::string(command->path.substr(first.size() + 1))));
    }
  }
}

}  // namespace
}  // namespace sampan::cli
