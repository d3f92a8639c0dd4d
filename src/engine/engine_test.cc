// The engine with its real parts: root, its own data and exec roots below /tmp, containers without networks.

#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>

#include "engine/internal/names.h"
#include "image/archive.h"
#include "oci/reference.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::engine {
namespace {

using container::ContainerSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class StringSink final : public ByteSink {
 public:
  Result<void> write(std::string_view bytes) override {
    text.append(bytes);
    return {};
  }
  std::string text;
};
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string text) : text_(std::move(text)) {}
  Result<size_t> read(std::span<char> buffer) override {
    size_t n = std::min(buffer.size(), text_.size() - at_);
    text_.copy(buffer.data(), n, at_);
    at_ += n;
    return n;
  }

 private:
  std::string text_;
  size_t at_ = 0;
};

#define ASSERT_OK(expr)                                    \
  do {                                                     \
    auto&& ok_result = (expr);                             \
    ASSERT_TRUE(ok_result) << ok_result.error().message(); \
  } while (0)

/// A root filesystem with busybox and little else, as a tar.
std::string busybox_tar(const std::string& scratch) {
  std::string root = scratch + "/rootfs";
  for (const char* dir : {"/bin", "/etc", "/tmp", "/data"}) EXPECT_TRUE(sys::make_dirs(root + dir, 0755));
  auto busybox = sys::read_file("/bin/busybox");
  EXPECT_TRUE(busybox);
  EXPECT_TRUE(sys::replace_file(root + "/bin/busybox", std::move(busybox).value_or(""), 0755, sys::Durable::No));
  for (const char* name : {"sh", "sleep", "cat", "echo", "true", "false", "touch", "ls", "test", "kill"}) {
    EXPECT_EQ(::link((root + "/bin/busybox").c_str(), (root + "/bin/" + name).c_str()), 0);
  }
  EXPECT_TRUE(sys::replace_file(root + "/etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:1000:1001::/:/bin/sh\n", 0644,
                                sys::Durable::No));
  EXPECT_TRUE(sys::replace_file(root + "/data/seed", "from the image\n", 0644, sys::Durable::No));
  StringSink tar;
  auto dir = sys::open_dir(root);
  EXPECT_TRUE(dir && image::pack_tar(dir->get(), "", tar, {}, {}));
  return tar.text;
}

class EngineTest : public ::testing::Test {
 protected:
  /// Bridges and firewall tables of the tests stay in a network namespace of their own.
  static void SetUpTestSuite() {
    if (::geteuid() != 0) return;
    ASSERT_OK(sys::unshare_namespaces(sys::ns::kNet));
    ASSERT_OK(sys::bring_loopback_up());
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "containers need root";
    scratch_ = "/tmp/engine." + random_id().substr(0, 8);
    options_.data_root = scratch_ + "/data";
    options_.exec_root = scratch_ + "/run";
    options_.shim_program = SAMPAN_SHIM;
    options_.cgroup_parent = "/sampan-test-" + scratch_.substr(12);
    options_.instance = scratch_.substr(12, 6);
    open();
    StringSource tar(busybox_tar(scratch_));
    auto image = engine_->images().import(tar, {}, "", reference("box"), std::nullopt, {});
    ASSERT_OK(image);
  }
  void TearDown() override {
    if (engine_) {
      auto all = engine_->list_containers({.all = true});
      for (const auto& record : std::move(all).value_or({}))
        (void)engine_->remove_container(record->id, {.force = true, .volumes = true});
      EXPECT_TRUE(engine_->networks().teardown());
      engine_.reset();
    }
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
      ::rmdir((root + options_.cgroup_parent).c_str());
    for (const auto& name : sys::list_dir("/sys/fs/cgroup").value_or({})) {
      ::rmdir(("/sys/fs/cgroup/" + name + options_.cgroup_parent).c_str());
    }
    if (!scratch_.empty()) EXPECT_TRUE(sys::remove_tree(scratch_));
  }

  static oci::Reference reference(const std::string& text) { return oci::parse_reference(text).value_or({}); }

  void open() {
    auto engine = open_engine(options_);
    ASSERT_OK(engine);
    engine_ = std::move(*engine);
    ASSERT_OK(engine_->recover());
  }
  /// A daemon that is killed leaves everything as it is.
  void restart_engine() {
    engine_.reset();
    open();
  }

  ContainerSpec spec(const std::string& name, std::vector<std::string> cmd) {
    ContainerSpec out;
    out.name = name;
    out.config.image = "box";
    out.config.cmd = std::move(cmd);
    out.host_config.network_mode = "none";
    return out;
  }
  std::string create(const ContainerSpec& spec) {
    auto created = engine_->create_container(spec);
    EXPECT_TRUE(created) << created.error().message();
    return created ? created->id : "";
  }
  std::string run(const std::string& name, std::vector<std::string> cmd) {
    std::string id = create(spec(name, std::move(cmd)));
    auto started = engine_->start_container(id);
    EXPECT_TRUE(started) << started.error().message();
    return id;
  }
  /// Waits, with a deadline, for the condition; -1000 when it did not come.
  int64_t wait(const std::string& id, WaitCondition condition = WaitCondition::NotRunning) {
    auto state = std::make_shared<WaitState>();
    auto handle = engine_->wait_container(id, condition, [state](WaitResult result) {
      std::lock_guard lock(state->mutex);
      state->result = std::move(result);
      state->changed.notify_all();
    });
    EXPECT_TRUE(handle) << handle.error().message();
    std::unique_lock lock(state->mutex);
    bool came = handle && state->changed.wait_for(lock, 20s, [&] { return state->result.has_value(); });
    return came ? state->result->status_code : -1000;
  }
  container::ContainerRecord record(const std::string& id) {
    auto found = engine_->get_container(id);
    EXPECT_TRUE(found) << found.error().message();
    return found ? **found : container::ContainerRecord();
  }
  template <typename Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      ::usleep(5000);
    }
    return false;
  }
  std::string log_of(const std::string& id) {
    auto reader = engine_->open_logs(id, {});
    std::string out;
    while (reader) {
      auto line = (*reader)->next();
      if (!line || !*line) break;
      out += (*line)->text;
    }
    return out;
  }
  std::vector<std::string> actions(const std::string& type) {
    std::vector<std::string> out;
    for (const auto& event : engine_->events().read(0, std::nullopt, std::nullopt, 1000).value_or({})) {
      if (event.type == type) out.push_back(event.action);
    }
    return out;
  }
  std::string exec(const std::string& id, std::vector<std::string> cmd, int* code = nullptr) {
    auto exec_id = engine_->create_exec(id, {.attach_stdout = true, .attach_stderr = true, .cmd = std::move(cmd)});
    EXPECT_TRUE(exec_id) << exec_id.error().message();
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    sys::Fd ours(ends[0]), theirs(ends[1]);
    shim::AttachOptions options;
    options.stdout_ = options.stderr_ = true;
    options.multiplexed = false;
    auto started = engine_->start_exec(*exec_id, false, std::move(theirs), options, std::nullopt);
    if (!started) return started.error().message();
    std::string text = sys::read_fd(ours.get()).value_or("");
    auto state = engine_->get_exec(*exec_id);
    EXPECT_TRUE(state && state->exit_code) << "the exit code is known when the stream has ended";
    if (code && state) *code = state->exit_code.value_or(-1);
    return text;
  }

  struct WaitState {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<WaitResult> result;
  };
  std::string scratch_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, a_container_runs_and_its_log_exit_code_and_events_stay_until_it_is_removed) {
  std::string id = run("one", {"sh", "-c", "echo hello; exit 3"});
  EXPECT_EQ(wait(id), 3);
  EXPECT_EQ(record(id).state.status, "exited");
  EXPECT_EQ(record(id).state.exit_code, 3);
  EXPECT_EQ(log_of(id), "hello\n");
  ASSERT_OK(engine_->remove_container("one", {}));
  EXPECT_EQ(engine_->get_container(id).error().code(), Code::NotFound);
  EXPECT_THAT(actions("container"), ElementsAre("create", "start", "die", "destroy"));
  EXPECT_FALSE(sys::path_exists(options_.data_root + "/containers/" + id));
  EXPECT_FALSE(sys::path_exists(options_.exec_root + "/shim/" + id));
  EXPECT_FALSE(engine_->snapshots().exists(SnapshotKey(id)));
}

TEST_F(EngineTest, a_program_that_is_missing_fails_the_start_with_dockers_words_and_code_127) {
  std::string id = create(spec("bad", {"nonsense"}));
  auto started = engine_->start_container(id);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("exec: \"nonsense\": executable file not found in $PATH: unknown"));
  EXPECT_EQ(started.error().code(), Code::InvalidArgument);
  EXPECT_EQ(record(id).state.status, "created");
  EXPECT_EQ(record(id).state.exit_code, 127);
  ASSERT_OK(engine_->remove_container(id, {}));
}

TEST_F(EngineTest, stop_sends_the_signal_and_kills_what_does_not_listen) {
  std::string id = run("deaf", {"sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1; done"});
  EXPECT_TRUE(eventually([&] { return log_of(id) == "ready\n"; }));
  EXPECT_EQ(engine_->start_container(id).error().code(), Code::NotModified);
  EXPECT_EQ(engine_->remove_container(id, {}).error().code(), Code::Conflict);
  ASSERT_OK(engine_->stop_container(id, 1, ""));
  EXPECT_EQ(record(id).state.exit_code, 137);
  EXPECT_EQ(engine_->stop_container(id, 1, "").error().code(), Code::NotModified);
  EXPECT_THAT(actions("container"), ElementsAre("create", "start", "kill", "kill", "die", "stop"));
}

TEST_F(EngineTest, auto_remove_takes_the_container_away_and_a_late_wait_still_gets_its_code) {
  auto once = spec("once", {"sh", "-c", "exit 5"});
  once.host_config.auto_remove = true;
  std::string id = create(once);
  ASSERT_OK(engine_->start_container(id));
  EXPECT_EQ(wait(id, WaitCondition::Removed), 5);
  EXPECT_EQ(wait("once", WaitCondition::Removed), 5);
  EXPECT_EQ(engine_->get_container(id).error().code(), Code::NotFound);
}

TEST_F(EngineTest, exec_runs_beside_init_and_its_code_is_there_when_its_output_ends) {
  std::string id = run("host", {"sleep", "100"});
  int code = -1;
  EXPECT_EQ(exec(id, {"sh", "-c", "echo inside; exit 4"}, &code), "inside\n");
  EXPECT_EQ(code, 4);
  EXPECT_THAT(exec(id, {"nonsense"}), HasSubstr("executable file not found"));
  ASSERT_OK(engine_->kill_container(id, "KILL"));
  EXPECT_EQ(engine_->create_exec(id, {.cmd = {"true"}}).error().code(), Code::Conflict);
}

TEST_F(EngineTest, a_client_that_attached_before_start_gets_every_byte) {
  std::string id = create(spec("early", {"echo", "first words"}));
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  sys::Fd ours(ends[0]), theirs(ends[1]);
  shim::AttachOptions options;
  options.stdout_ = true;
  options.multiplexed = false;
  ASSERT_OK(engine_->attach_container(id, theirs, options));
  EXPECT_FALSE(theirs.valid());
  ASSERT_OK(engine_->start_container(id));
  EXPECT_EQ(sys::read_fd(ours.get()).value_or(""), "first words\n");
  EXPECT_EQ(wait(id), 0);
}

TEST_F(EngineTest, pause_freezes_and_a_stop_thaws) {
  std::string id = run("cold", {"sleep", "100"});
  ASSERT_OK(engine_->pause_container(id));
  EXPECT_EQ(record(id).state.status, "paused");
  EXPECT_EQ(engine_->pause_container(id).error().code(), Code::Conflict);
  ASSERT_OK(engine_->unpause_container(id));
  ASSERT_OK(engine_->pause_container(id));
  ASSERT_OK(engine_->stop_container(id, 1, "KILL"));
  EXPECT_EQ(record(id).state.status, "exited");
}

TEST_F(EngineTest, names_are_unique_and_rename_moves_them) {
  std::string id = create(spec("first", {"true"}));
  auto taken = engine_->create_container(spec("first", {"true"}));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Code::Conflict);
  EXPECT_THAT(taken.error().message(),
              HasSubstr("The container name \"/first\" is already in use by container \"" + id));
  ASSERT_OK(engine_->rename_container("first", "second"));
  EXPECT_EQ(record("second").id, id);
  EXPECT_NE(create(spec("first", {"true"})), id);
  EXPECT_EQ(engine_->rename_container("first", "second").error().code(), Code::Conflict);
}

TEST_F(EngineTest, a_restart_policy_starts_it_again_until_somebody_stops_it) {
  auto again = spec("again", {"sh", "-c", "exit 1"});
  again.host_config.restart_policy = {"on-failure", 2};
  std::string id = create(again);
  ASSERT_OK(engine_->start_container(id));
  EXPECT_TRUE(eventually([&] { return record(id).state.status == "exited"; }));
  EXPECT_EQ(record(id).restart_count, 2);
}

TEST_F(EngineTest, containers_outlive_the_daemon_and_are_found_again) {
  std::string id = run("stays", {"sh", "-c", "while true; do sleep 0.05; test -e /tmp/end && exit 6; done"});
  int64_t pid = record(id).state.pid;
  restart_engine();
  EXPECT_EQ(record(id).state.status, "running");
  EXPECT_EQ(record(id).state.pid, pid);
  EXPECT_EQ(exec(id, {"touch", "/tmp/end"}), "");
  EXPECT_EQ(wait(id), 6);
}

TEST_F(EngineTest, an_exit_while_no_daemon_ran_is_not_lost) {
  std::string id = run("ends", {"sh", "-c", "sleep 0.2; exit 9"});
  engine_.reset();
  ::usleep(600'000);
  open();
  EXPECT_EQ(record(id).state.status, "exited");
  EXPECT_EQ(record(id).state.exit_code, 9);
}

TEST_F(EngineTest, a_second_daemon_on_the_same_roots_is_refused) {
  auto second = open_engine(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::Conflict);
}

TEST_F(EngineTest, a_new_volume_is_filled_from_the_image_and_anonymous_ones_go_with_the_container) {
  auto with = spec("vol", {"sh", "-c", "cat /data/seed; echo more > /data/own"});
  with.config.volumes = {"/data"};
  std::string id = create(with);
  ASSERT_OK(engine_->start_container(id));
  EXPECT_EQ(wait(id), 0);
  EXPECT_EQ(log_of(id), "from the image\n");
  auto volumes = engine_->volumes().list();
  ASSERT_TRUE(volumes && volumes->size() == 1);
  EXPECT_TRUE(sys::path_exists(volumes->front().mountpoint + "/own"));
  EXPECT_EQ(engine_->remove_volume(volumes->front().name, false).error().code(), Code::Conflict);
  ASSERT_OK(engine_->remove_container(id, {.volumes = true}));
  EXPECT_TRUE(engine_->volumes().list().value_or({}).empty());
}

TEST_F(EngineTest, removing_volumes_spares_those_asked_for_by_name) {
  auto with = spec("named", {"true"});
  with.host_config.binds = {{"kept:/data"}};
  std::string id = create(with);
  ASSERT_OK(engine_->remove_container(id, {.volumes = true}));
  EXPECT_TRUE(engine_->volumes().get("kept"));
  ASSERT_OK(engine_->remove_volume("kept", false));
}

TEST_F(EngineTest, an_exited_auto_remove_container_goes_when_the_daemon_comes_back) {
  auto once = spec("once", {"sh", "-c", "sleep 0.2"});
  once.host_config.auto_remove = true;
  std::string id = create(once);
  ASSERT_OK(engine_->start_container(id));
  engine_.reset();
  ::usleep(500'000);
  open();
  EXPECT_TRUE(eventually([&] { return !engine_->get_container(id); }));
}

TEST_F(EngineTest, files_are_copied_in_and_out_of_running_and_stopped_containers) {
  std::string id = create(spec("files", {"sleep", "100"}));
  auto copy_round = [&](const std::string& content) {
    std::string dir = scratch_ + "/in-" + content;
    EXPECT_TRUE(sys::make_dirs(dir));
    EXPECT_TRUE(sys::replace_file(dir + "/note", content, 0644, sys::Durable::No));
    StringSink tar;
    auto fd = sys::open_dir(dir);
    EXPECT_TRUE(fd && image::pack_tar(fd->get(), "", tar, {}, {}));
    StringSource source(tar.text);
    auto in = engine_->copy_to(id, "/tmp", source, false, false, {});
    EXPECT_TRUE(in) << in.error().message();
    StringSink out;
    auto packed = engine_->copy_from(id, "/tmp/note", out, {});
    EXPECT_TRUE(packed) << packed.error().message();
    EXPECT_THAT(out.text, HasSubstr(content));
    auto stat = engine_->stat_path(id, "/tmp/note");
    EXPECT_TRUE(stat) << stat.error().message();
    EXPECT_EQ(stat->size, static_cast<int64_t>(content.size()));
    EXPECT_EQ(stat->name, "note");
  };
  copy_round("stopped");
  ASSERT_OK(engine_->start_container(id));
  EXPECT_EQ(exec(id, {"cat", "/tmp/note"}), "stopped");
  copy_round("live");
  EXPECT_EQ(exec(id, {"cat", "/tmp/note"}), "live");
  EXPECT_EQ(engine_->stat_path(id, "/tmp/none").error().code(), Code::NotFound);
  auto changes = engine_->container_changes(id);
  ASSERT_TRUE(changes);
  EXPECT_TRUE(std::ranges::any_of(*changes, [](const auto& change) { return change.path == "/tmp/note"; }));
}

TEST_F(EngineTest, health_goes_from_starting_to_healthy_with_an_event) {
  auto checked = spec("well", {"sleep", "100"});
  checked.config.healthcheck = oci::HealthConfig{.test = {"CMD-SHELL", "echo fine"}, .interval = 20'000'000};
  std::string id = create(checked);
  ASSERT_OK(engine_->start_container(id));
  EXPECT_TRUE(eventually([&] { return record(id).state.health && record(id).state.health->status == "healthy"; }));
  EXPECT_EQ(record(id).state.health->log.front().output, "fine\n");
  EXPECT_THAT(actions("container"), ::testing::Contains("health_status: healthy"));
}

TEST_F(EngineTest, stats_top_and_update_of_a_running_container) {
  auto limited = spec("busy", {"sleep", "100"});
  limited.host_config.memory = 64 << 20;
  std::string id = create(limited);
  ASSERT_OK(engine_->start_container(id));
  auto sample = engine_->sample_stats(id);
  ASSERT_OK(sample);
  EXPECT_EQ(sample->memory_limit, 64u << 20);
  auto top = engine_->top_container(id, "-o pid,args");
  ASSERT_OK(top);
  ASSERT_EQ(top->processes.size(), 1u);
  EXPECT_EQ(top->processes[0][1], "sleep 100");
  ASSERT_OK(engine_->update_container(id, R"({"Memory": 134217728, "MemorySwap": 268435456})"));
  EXPECT_EQ(engine_->sample_stats(id)->memory_limit, 128u << 20);
}

TEST_F(EngineTest, commit_makes_an_image_of_what_the_container_wrote) {
  std::string id = run("maker", {"sh", "-c", "echo made > /made"});
  EXPECT_EQ(wait(id), 0);
  auto image = engine_->commit_container(
      id,
      {.tag = reference("made:1"), .comment = "", .author = "", .changes = {"CMD [\"cat\", \"/made\"]"}, .config = {}});
  ASSERT_OK(image);
  ContainerSpec next;
  next.config.image = "made:1";
  next.host_config.network_mode = "none";
  std::string second = create(next);
  ASSERT_OK(engine_->start_container(second));
  EXPECT_EQ(wait(second), 0);
  EXPECT_EQ(log_of(second), "made\n");
  EXPECT_EQ(engine_->remove_image(*image, image::Force::No, false).error().code(), Code::Conflict);
}

}  // namespace
}  // namespace sampan::engine
