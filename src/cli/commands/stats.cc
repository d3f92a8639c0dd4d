// stats: one thread per container reads its stream; the main thread redraws.
#include <unistd.h>

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/commands/stats_sample.h"
#include "cli/format/human.h"
#include "cli/format/progress.h"
#include "cli/format/table.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {{"Container", "CONTAINER"},
                               {"ID", "CONTAINER ID"},
                               {"Name", "NAME"},
                               {"CPUPerc", "CPU %"},
                               {"MemUsage", "MEM USAGE / LIMIT"},
                               {"MemPerc", "MEM %"},
                               {"NetIO", "NET I/O"},
                               {"BlockIO", "BLOCK I/O"},
                               {"PIDs", "PIDS"}};
constexpr TableShape kShape{
    kColumns, "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"};

Result<std::vector<std::string>> running_containers(App& app, bool all) {
  auto list = TRY(get_json(app, all ? "/containers/json?all=1" : "/containers/json"));
  std::vector<std::string> out;
  for (const auto& container : list_at(list, "")) out.push_back(text_at(container, "Id"));
  return out;
}

// The newest row of each container, filled by the readers.
struct Board {
  struct Entry {
    std::string name;
    json::value row;
    bool ended = false;
    std::optional<Error> error;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::list<Entry> entries;
};

void read_stream(App& app, Board& board, Board::Entry& entry, bool full) {
  JsonStream samples([&](const json::value& sample) -> Result<void> {
    json::value row = stats_row(sample, entry.name, full);
    std::lock_guard lock(board.mutex);
    entry.row = std::move(row);
    board.changed.notify_all();
    return {};
  });
  auto done = stream_request(app, "GET", "/containers/" + segment(entry.name) + "/stats?stream=1", {},
                             [&](std::string_view bytes) { return samples.feed(bytes); });
  std::lock_guard lock(board.mutex);
  entry.ended = true;
  if (!done) entry.error = std::move(done).error();
  board.changed.notify_all();
}

Result<int> show_once(App& app, const Arguments& arguments, const std::vector<std::string>& names,
                      const TablePrinter& printer) {
  std::vector<json::value> rows(names.size());
  std::vector<std::optional<Error>> errors(names.size());
  std::vector<std::thread> threads;
  // Each answer takes the daemon a second: it needs two samples. So they are asked for together.
  for (size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] {
      auto sample = get_json(app, "/containers/" + segment(names[i]) + "/stats?stream=0");
      if (sample)
        rows[i] = stats_row(*sample, names[i], arguments.flag("no-trunc"));
      else
        errors[i] = std::move(sample).error();
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& error : errors) {
    if (error) return std::move(*error);
  }
  print_out(TRY(printer.format(rows)));
  return 0;
}

Result<int> show_live(App& app, const Arguments& arguments, const std::vector<std::string>& names,
                      const TablePrinter& printer) {
  Board board;
  for (const std::string& name : names)
    board.entries.push_back({name, stats_row(json::object(), name, false), false, {}});
  std::vector<std::thread> threads;
  for (auto& entry : board.entries) {
    threads.emplace_back([&] { read_stream(app, board, entry, arguments.flag("no-trunc")); });
  }
  std::optional<Error> error;
  while (true) {
    std::vector<json::value> rows;
    {
      std::unique_lock lock(board.mutex);
      board.changed.wait_for(lock, std::chrono::milliseconds(500));
      for (auto& entry : board.entries) {
        if (entry.error && !error) error = entry.error;
        if (!entry.ended) rows.push_back(entry.row);
      }
    }
    if (rows.empty()) break;
    std::string screen = TRY(printer.format(rows));
    if (printer.is_table())
      print_out("\x1b[H\x1b[J" + screen);
    else
      print_out(screen);
  }
  for (auto& thread : threads) thread.join();
  if (error) return std::move(*error);
  return 0;
}

}  // namespace

Result<int> show_stats(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  if (format.empty()) format = app.config.text("statsFormat");
  auto printer = TRY(TablePrinter::make(kShape, format, false));
  std::vector<std::string> names = arguments.positional;
  if (names.empty()) names = TRY(running_containers(app, arguments.flag("all")));
  if (arguments.flag("no-stream") || names.empty()) return show_once(app, arguments, names, printer);
  return show_live(app, arguments, names, printer);
}

}  // namespace sampan::cli
