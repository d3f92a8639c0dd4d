#include "container/log_tag.h"

#include <unistd.h>

#include <array>

#include "base/strings.h"

namespace sampan::container {

namespace {

std::string short_id(std::string_view id) {
  if (id.starts_with("sha256:")) id.remove_prefix(7);
  return std::string(id.substr(0, 12));
}

std::string command_of(const ContainerRecord& record) {
  std::string out = record.path;
  for (const auto& argument : record.args) out += " " + argument;
  return out;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

struct TagField {
  std::string_view name;
  std::string (*value)(const ContainerRecord&);
};

// Docker's type logger.Info: its methods, then its fields.
constexpr TagField kTagFields[] = {
    {"ID", [](const ContainerRecord& r) { return short_id(r.id); }},
    {"FullID", [](const ContainerRecord& r) { return r.id; }},
    {"Name", [](const ContainerRecord& r) { return r.name; }},
    {"Command", command_of},
    {"ImageID", [](const ContainerRecord& r) { return short_id(r.image_id); }},
    {"ImageFullID", [](const ContainerRecord& r) { return r.image_id; }},
    {"ImageName", [](const ContainerRecord& r) { return r.config.image; }},
    {"Hostname", [](const ContainerRecord&) { return host_name(); }},
    {"DaemonName", [](const ContainerRecord&) { return std::string("docker"); }},
    {"ContainerID", [](const ContainerRecord& r) { return r.id; }},
    {"ContainerName", [](const ContainerRecord& r) { return "/" + r.name; }},
    {"ContainerEntrypoint", [](const ContainerRecord& r) { return r.path; }},
    {"ContainerImageID", [](const ContainerRecord& r) { return r.image_id; }},
    {"ContainerImageName", [](const ContainerRecord& r) { return r.config.image; }},
};

Result<std::string> evaluate(const ContainerRecord& record, std::string_view action) {
  std::string text(trim(action));
  for (const auto& field : kTagFields) {
    if (text == "." + std::string(field.name)) return field.value(record);
  }
  if (text.starts_with('.') && text.find_first_of(" |(") == std::string::npos) {
    return fail(Code::InvalidArgument,
                "template: log-tag:1:3: executing \"log-tag\" at <{}>: can't evaluate field {} in type *logger.Info",
                text, text.substr(1));
  }
  return fail(Code::InvalidArgument, "template: log-tag:1: only fields are supported, not \"{}\"", text);
}

}  // namespace

Result<std::string> format_log_tag(const ContainerRecord& record, const std::string& text) {
  std::string out;
  std::string_view rest = text;
  for (;;) {
    size_t open = rest.find("{{");
    out += rest.substr(0, open);
    if (open == std::string_view::npos) return out;
    rest.remove_prefix(open + 2);
    size_t close = rest.find("}}");
    if (close == std::string_view::npos) return fail(Code::InvalidArgument, "template: log-tag:1: unclosed action");
    out += TRY(evaluate(record, rest.substr(0, close)));
    rest.remove_prefix(close + 2);
  }
}

}  // namespace sampan::container
