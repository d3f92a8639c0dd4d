#include "engine/internal/processes.h"

#include <pwd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "base/strings.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

const std::vector<std::string> kFull = {"uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"};  // -ef
const std::vector<std::string> kUser = {"user", "pid",  "%cpu",  "%mem", "vsz",    "rss",
                                        "tty",  "stat", "start", "time", "command"};

struct ProcessFacts {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
  std::string comm, command, state;
  uint32_t uid = 0, gid = 0;
  int64_t terminal = 0, nice = 0, priority = 0, threads = 0;
  uint64_t cpu_ticks = 0, start_ticks = 0, vsize_kb = 0, rss_kb = 0;
};

struct Clock {
  int64_t boot = 0;  // seconds since 1970
  int64_t now = 0;
  int64_t ticks = ::sysconf(_SC_CLK_TCK);
  uint64_t memory_kb =
      static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
};

Clock read_clock() {
  Clock clock;
  clock.now = ::time(nullptr);
  for (const auto& line : split(sys::read_file("/proc/stat").value_or(""), '\n')) {
    if (line.starts_with("btime ")) clock.boot = parse_int(trim(std::string_view(line).substr(6))).value_or(0);
  }
  return clock;
}

std::string command_line(pid_t pid, const std::string& comm) {
  std::string text = sys::read_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.empty() ? "[" + comm + "]" : text;
}

std::optional<ProcessFacts> read_process(pid_t pid) {
  auto stat = sys::read_file(fmt::format("/proc/{}/stat", pid));
  auto status = sys::read_file(fmt::format("/proc/{}/status", pid));
  if (!stat || !status) return std::nullopt;
  // The name may hold anything, also ") ": it ends at the last one.
  size_t open = stat->find('('), close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcessFacts out;
  out.pid = pid;
  out.comm = stat->substr(open + 1, close - open - 1);
  auto fields = split(trim(std::string_view(*stat).substr(close + 1)), ' ');
  if (fields.size() < 22) return std::nullopt;
  auto number = [&](size_t field) { return parse_int(fields[field - 3]).value_or(0); };  // numbered as in proc(5)
  out.state = fields[0];
  out.parent = static_cast<pid_t>(number(4));
  out.group = static_cast<pid_t>(number(5));
  out.session = static_cast<pid_t>(number(6));
  out.terminal = number(7);
  out.cpu_ticks = static_cast<uint64_t>(number(14) + number(15));
  out.priority = number(18);
  out.nice = number(19);
  out.threads = number(20);
  out.start_ticks = static_cast<uint64_t>(number(22));
  out.vsize_kb = static_cast<uint64_t>(number(23)) / 1024;
  out.rss_kb = static_cast<uint64_t>(number(24)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  for (const auto& line : split(*status, '\n')) {
    auto words = split(line, '\t');
    if (words.size() < 3) continue;
    if (words[0] == "Uid:") out.uid = static_cast<uint32_t>(parse_uint(words[2]).value_or(0));
    if (words[0] == "Gid:") out.gid = static_cast<uint32_t>(parse_uint(words[2]).value_or(0));
  }
  out.command = command_line(pid, out.comm);
  return out;
}

std::string user_name(uint32_t uid) {
  std::array<char, 4096> buffer;
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
  return std::to_string(uid);
}

std::string terminal_name(int64_t terminal) {
  if (terminal == 0) return "?";
  auto device = static_cast<dev_t>(terminal);
  if (major(device) >= 136 && major(device) <= 143) return fmt::format("pts/{}", minor(device));
  return major(device) == 4 ? fmt::format("tty{}", minor(device)) : "?";
}

std::string start_text(const ProcessFacts& process, const Clock& clock) {
  time_t start = clock.boot + static_cast<int64_t>(process.start_ticks) / clock.ticks;
  tm local{};
  ::localtime_r(&start, &local);
  char text[32];
  bool today = clock.now - start < 24 * 3600;
  ::strftime(text, sizeof text, today ? "%H:%M" : "%b%d", &local);
  return text;
}

std::string cpu_text(const ProcessFacts& process, const Clock& clock, bool decimal) {
  int64_t lived = clock.now - clock.boot - static_cast<int64_t>(process.start_ticks) / clock.ticks;
  double used = static_cast<double>(process.cpu_ticks) / static_cast<double>(clock.ticks);
  double percent = lived > 0 ? used * 100.0 / static_cast<double>(lived) : 0;
  return decimal ? fmt::format("{:.1f}", percent) : fmt::format("{:.0f}", percent);
}

std::string clock_text(int64_t seconds) {
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string elapsed_text(int64_t seconds) {
  if (seconds >= 86400) return fmt::format("{}-{}", seconds / 86400, clock_text(seconds % 86400));
  if (seconds >= 3600) return clock_text(seconds);
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

struct Column {
  const char* name;
  const char* title;
  std::string (*show)(const ProcessFacts&, const Clock&);
};
const Column kColumns[] = {
    {"uid", "UID", [](const ProcessFacts& p, const Clock&) { return user_name(p.uid); }},
    {"user", "USER", [](const ProcessFacts& p, const Clock&) { return user_name(p.uid); }},
    {"euser", "EUSER", [](const ProcessFacts& p, const Clock&) { return user_name(p.uid); }},
    {"gid", "GID", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.gid); }},
    {"pid", "PID", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.pid); }},
    {"ppid", "PPID", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.parent); }},
    {"pgid", "PGID", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.group); }},
    {"sid", "SID", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.session); }},
    {"c", "C", [](const ProcessFacts& p, const Clock& c) { return cpu_text(p, c, false); }},
    {"%cpu", "%CPU", [](const ProcessFacts& p, const Clock& c) { return cpu_text(p, c, true); }},
    {"pcpu", "%CPU", [](const ProcessFacts& p, const Clock& c) { return cpu_text(p, c, true); }},
    {"%mem", "%MEM",
     [](const ProcessFacts& p, const Clock& c) {
       return fmt::format("{:.1f}", static_cast<double>(p.rss_kb) * 100.0 / static_cast<double>(c.memory_kb));
     }},
    {"pmem", "%MEM",
     [](const ProcessFacts& p, const Clock& c) {
       return fmt::format("{:.1f}", static_cast<double>(p.rss_kb) * 100.0 / static_cast<double>(c.memory_kb));
     }},
    {"vsz", "VSZ", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.vsize_kb); }},
    {"rss", "RSS", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.rss_kb); }},
    {"stime", "STIME", [](const ProcessFacts& p, const Clock& c) { return start_text(p, c); }},
    {"start", "START", [](const ProcessFacts& p, const Clock& c) { return start_text(p, c); }},
    {"tty", "TTY", [](const ProcessFacts& p, const Clock&) { return terminal_name(p.terminal); }},
    {"tt", "TT", [](const ProcessFacts& p, const Clock&) { return terminal_name(p.terminal); }},
    {"time", "TIME",
     [](const ProcessFacts& p, const Clock& c) { return clock_text(static_cast<int64_t>(p.cpu_ticks) / c.ticks); }},
    {"etime", "ELAPSED",
     [](const ProcessFacts& p, const Clock& c) {
       return elapsed_text(c.now - c.boot - static_cast<int64_t>(p.start_ticks) / c.ticks);
     }},
    {"stat", "STAT",
     [](const ProcessFacts& p, const Clock&) {
       return p.state + (p.session == p.pid ? "s" : "") + (p.threads > 1 ? "l" : "");
     }},
    {"state", "S", [](const ProcessFacts& p, const Clock&) { return p.state; }},
    {"s", "S", [](const ProcessFacts& p, const Clock&) { return p.state; }},
    {"ni", "NI", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.nice); }},
    {"pri", "PRI", [](const ProcessFacts& p, const Clock&) { return std::to_string(39 - p.priority); }},
    {"nlwp", "NLWP", [](const ProcessFacts& p, const Clock&) { return std::to_string(p.threads); }},
    {"comm", "COMMAND", [](const ProcessFacts& p, const Clock&) { return p.comm; }},
    {"ucmd", "CMD", [](const ProcessFacts& p, const Clock&) { return p.comm; }},
    {"cmd", "CMD", [](const ProcessFacts& p, const Clock&) { return p.command; }},
    {"args", "COMMAND", [](const ProcessFacts& p, const Clock&) { return p.command; }},
    {"command", "COMMAND", [](const ProcessFacts& p, const Clock&) { return p.command; }},
};

const Column* find_column(const std::string& name) {
  for (const auto& column : kColumns) {
    if (name == column.name) return &column;
  }
  return nullptr;
}

Result<void> add_columns(const std::string& list, std::vector<std::string>& columns) {
  for (const auto& name : split(list, ',')) {
    if (name.empty()) continue;
    if (!find_column(name)) return fail(Code::InvalidArgument, "ps: unknown column \"{}\"", name);
    columns.push_back(name);
  }
  return {};
}

/// Whether the word only chooses which processes to show; a container's are shown all.
bool is_selection(const std::string& word) {
  return word == "-e" || word == "-A" || word == "-a" || word == "-x" || word == "-ax" || word == "ax" || word == "a" ||
         word == "x" || word == "-ww" || word == "-w" || word == "ww" || word == "w";
}

}  // namespace

Result<std::vector<std::string>> parse_ps_arguments(const std::string& arguments) {
  std::vector<std::string> columns, words;
  for (auto& word : split(arguments, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  const std::vector<std::string>* preset = &kFull;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    bool format = word == "-o" || word == "o" || word == "-eo" || word == "axo" || word == "-axo" || word == "--format";
    if (format) {
      if (++i == words.size()) return fail(Code::InvalidArgument, "ps: {} needs a list of columns", word);
      TRY(add_columns(words[i], columns));
    } else if (word.starts_with("-o") && word.size() > 2) {
      TRY(add_columns(word.substr(2), columns));
    } else if (word.starts_with("--format=")) {
      TRY(add_columns(word.substr(9), columns));
    } else if (word == "aux" || word == "-aux" || word == "u" || word == "auxww" || word == "auxw") {
      preset = &kUser;
    } else if (word != "-ef" && word != "-f" && word != "f" && !is_selection(word)) {
      return fail(Code::InvalidArgument, "ps: argument \"{}\" is not understood here (use -ef, aux, or -o COLUMNS)",
                  word);
    }
  }
  return columns.empty() ? *preset : columns;
}

Top list_processes(const std::vector<pid_t>& pids, const std::vector<std::string>& columns) {
  Top out;
  for (const auto& name : columns) out.titles.emplace_back(find_column(name)->title);
  Clock clock = read_clock();
  for (pid_t pid : pids) {
    auto process = read_process(pid);
    if (!process) continue;
    std::vector<std::string> row;
    for (const auto& name : columns) row.push_back(find_column(name)->show(*process, clock));
    out.processes.push_back(std::move(row));
  }
  return out;
}

}  // namespace sampan::engine
