#include "container/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container/lifecycle.h"

namespace sampan::container {
namespace {

using testing::HasSubstr;
using testing::Not;

ContainerRecord running() {
  ContainerRecord record;
  record.id = std::string(64, 'a');
  record.name = "web";
  record.has_been_started = true;
  return apply_started(begin_start(record), 12, "2026-01-02T03:04:05Z");
}
ContainerRecord ended(ContainerRecord record, ExitFacts exit) {
  exit.finished_at = "2026-01-02T03:04:08.5Z";
  return apply_exit(std::move(record), exit, false);
}

TEST(Explain, a_container_that_never_ran) {
  ContainerRecord record;
  EXPECT_EQ(explain(record).reason, "created");
  EXPECT_THAT(explain(record).text, HasSubstr("never been started"));
}

TEST(Explain, an_exit_of_its_own_with_code_and_time) {
  auto why = explain(ended(running(), {.exit_code = 3}));
  EXPECT_EQ(why.reason, "exit");
  EXPECT_THAT(why.text, HasSubstr("after 3.5 s with exit code 3"));
  EXPECT_THAT(explain(ended(running(), {.exit_code = 0})).text, HasSubstr("success"));
  EXPECT_THAT(explain(ended(running(), {.exit_code = 139})).text, HasSubstr("SIGSEGV"));
}

TEST(Explain, running_out_of_memory_names_the_limit) {
  auto record = apply_oom(running(), 16 << 20);
  EXPECT_THAT(explain(record).text, HasSubstr("16 MiB"));
  auto killed = ended(record, {.exit_code = 137, .signal = 9, .oom_killed = true});
  EXPECT_EQ(explain(killed).reason, "oom");
  EXPECT_THAT(explain(killed).text, HasSubstr("16 MiB"));
  EXPECT_TRUE(killed.state.oom_killed);
  EXPECT_EQ(ending_attributes(killed).at("memoryLimit"), "16777216");
  // A child was killed, the main process went on and left by itself.
  auto later = ended(record, {.exit_code = 1});
  EXPECT_EQ(explain(later).reason, "exit");
  EXPECT_THAT(explain(later).text, HasSubstr("memory ran out"));
  // Nothing of it stays for the next run.
  EXPECT_EQ(begin_start(killed).state.ending.memory_limit, 0);
}

TEST(Explain, memory_of_the_host_is_not_called_a_limit) {
  auto killed = ended(apply_oom(running(), 0), {.exit_code = 137, .signal = 9, .oom_killed = true});
  EXPECT_THAT(explain(killed).text, HasSubstr("no memory limit of its own"));
}

TEST(Explain, a_signal_that_nobody_asked_for) {
  auto why = explain(ended(running(), {.exit_code = 137, .signal = 9}));
  EXPECT_EQ(why.reason, "signal");
  EXPECT_THAT(why.text, HasSubstr("SIGKILL"));
  EXPECT_THAT(why.text, HasSubstr("nobody asked"));
}

TEST(Explain, a_stop_that_was_asked_for) {
  auto record = running();
  record.manually_stopped = true;
  record.state.ending.asked = "stop";
  auto why = explain(ended(record, {.exit_code = 143, .signal = 15}));
  EXPECT_EQ(why.reason, "stop");
  EXPECT_THAT(why.text, HasSubstr("docker stop"));
  EXPECT_THAT(why.text, Not(HasSubstr("nobody asked")));
}

TEST(Explain, an_end_that_nobody_saw_and_a_start_that_failed) {
  EXPECT_EQ(explain(ended(running(), {.exit_code = 137, .error = "lost"})).reason, "lost");
  auto failed = apply_start_failure(begin_start({}), "exec: \"x\": executable file not found in $PATH");
  EXPECT_EQ(explain(failed).reason, "start");
  EXPECT_THAT(explain(failed).text, HasSubstr("executable file not found"));
}

TEST(Explain, a_start_that_failed_names_its_step_and_its_path) {
  auto mount =
      Error(Code::NotFound, "open_tree \"/srv/data\": No such file or directory", ENOENT).context("mount rootfs");
  auto failed = failed_step(mount, "create the container");
  EXPECT_EQ(failed.step, "create the container: mount rootfs");
  EXPECT_EQ(failed.path, "/srv/data");
  auto record = apply_start_failure(begin_start({}), mount.message(), failed.step, failed.path);
  EXPECT_THAT(explain(record).text, HasSubstr("at the step \"create the container: mount rootfs\", for /srv/data"));
  EXPECT_EQ(ending_attributes(record).at("step"), failed.step);
  EXPECT_EQ(ending_attributes(record).at("path"), "/srv/data");
  EXPECT_EQ(failed_step(Error(Code::NotFound, "exec: \"x\": executable file not found in $PATH"), "run").path, "x");
  EXPECT_EQ(failed_step(Error(Code::NotFound, "bind source path does not exist: /a b"), "run").path, "/a");
  EXPECT_EQ(failed_step(Error(Code::Conflict, "port is taken"), "join networks").path, "");
  // Nothing of it stays for the next run.
  EXPECT_EQ(begin_start(record).state.ending.step, "");
}

TEST(Explain, a_restart_that_is_awaited_and_a_policy_that_is_used_up) {
  auto record = running();
  record.host_config.restart_policy = {"on-failure", 1};
  auto waiting = apply_exit(record, {.exit_code = 1, .finished_at = "2026-01-02T03:04:08Z"}, true);
  EXPECT_EQ(explain(waiting).reason, "restarting");
  EXPECT_THAT(explain(waiting).text, HasSubstr("on-failure:1"));
  auto again = apply_started(begin_start(waiting), 13, "2026-01-02T03:04:09Z");
  EXPECT_THAT(explain(apply_exit(again, {.exit_code = 1}, false)).text, HasSubstr("allows no more"));
}

}  // namespace
}  // namespace sampan::container
