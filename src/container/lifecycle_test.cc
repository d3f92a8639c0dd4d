#include "container/lifecycle.h"

#include <gtest/gtest.h>

namespace sampan::container {
namespace {

using namespace std::chrono_literals;

ContainerRecord record_in(Status status) {
  ContainerRecord record;
  record.id = std::string(64, 'a');
  record.name = "web";
  record.state.status = status_name(status);
  return record;
}

TEST(ContainerLifecycle, every_status_has_a_name_that_reads_back) {
  for (auto status : {Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Removing,
                      Status::Exited, Status::Dead}) {
    EXPECT_EQ(find_status(status_name(status)), status);
  }
  EXPECT_EQ(find_status("sleeping"), std::nullopt);
}

constexpr Status kStatuses[] = {Status::Created,  Status::Running, Status::Paused, Status::Restarting,
                                Status::Removing, Status::Exited,  Status::Dead};

TEST(ContainerLifecycle, every_verb_is_allowed_in_every_status_just_where_the_table_has_a_row) {
  struct Verb {
    Incident incident;
    Result<void> (*can)(const ContainerRecord&);
    const char* allowed;  // letters of the statuses: Created Running Paused rEstarting reMoving eXited Dead
  };
  const Verb verbs[] = {
      {Incident::Start, can_start, "CEX"},
      {Incident::Stop, can_stop, "RPE"},
      {Incident::Kill, can_kill, "RPE"},
      {Incident::Pause, can_pause, "R"},
      {Incident::Unpause, can_unpause, "P"},
      {Incident::Exec, can_exec, "R"},
      {Incident::Resize, can_resize, "RP"},
      {Incident::Attach, can_attach, "CRX"},
      {Incident::Remove, [](const ContainerRecord& record) { return can_remove(record, false); }, "CMXD"},
      {Incident::Rename, [](const ContainerRecord& record) { return can(record, Incident::Rename); }, "CRPEXD"},
      {Incident::Update, [](const ContainerRecord& record) { return can(record, Incident::Update); }, "CRPEX"},
  };
  constexpr std::string_view kLetters = "CRPEMXD";
  for (const auto& verb : verbs) {
    for (size_t i = 0; i < std::size(kStatuses); ++i) {
      auto answer = verb.can(record_in(kStatuses[i]));
      bool allowed = std::string_view(verb.allowed).find(kLetters[i]) != std::string_view::npos;
      SCOPED_TRACE(fmt::format("verb {} in {}", static_cast<int>(verb.incident), status_name(kStatuses[i])));
      EXPECT_EQ(answer.has_value(), allowed);
      EXPECT_EQ(answer.has_value(), next_status(kStatuses[i], verb.incident).has_value());
      if (answer) continue;
      EXPECT_TRUE(answer.error().code() == Code::Conflict || answer.error().code() == Code::NotModified);
      EXPECT_EQ(answer.error().message().find('{'), std::string::npos) << answer.error().message();
    }
  }
}

TEST(ContainerLifecycle, the_statuses_follow_each_other_as_the_picture_says) {
  std::map<std::pair<Status, Incident>, Status> moves = {
      {{Status::Created, Incident::Start}, Status::Running},
      {{Status::Exited, Incident::Start}, Status::Running},
      {{Status::Restarting, Incident::Start}, Status::Running},
      {{Status::Restarting, Incident::StartFailed}, Status::Exited},
      {{Status::Running, Incident::Exit}, Status::Exited},
      {{Status::Paused, Incident::Exit}, Status::Exited},
      {{Status::Running, Incident::ExitForRestart}, Status::Restarting},
      {{Status::Paused, Incident::ExitForRestart}, Status::Restarting},
      {{Status::Restarting, Incident::StopRestarting}, Status::Exited},
      {{Status::Running, Incident::Pause}, Status::Paused},
      {{Status::Paused, Incident::Unpause}, Status::Running},
      {{Status::Created, Incident::Remove}, Status::Removing},
      {{Status::Exited, Incident::Remove}, Status::Removing},
      {{Status::Dead, Incident::Remove}, Status::Removing},
      {{Status::Removing, Incident::RemovalFailed}, Status::Dead},
  };
  for (auto status : kStatuses) {
    for (int number = 0; number <= static_cast<int>(Incident::Update); ++number) {
      auto incident = static_cast<Incident>(number);
      auto next = next_status(status, incident);
      SCOPED_TRACE(fmt::format("incident {} in {}", number, status_name(status)));
      auto expected = moves.find({status, incident});
      if (expected != moves.end()) EXPECT_EQ(next, expected->second);
      // Whatever is not in the picture leaves the status alone, or cannot happen.
      if (expected == moves.end() && next) EXPECT_EQ(*next, status);
      auto after = apply_incident(record_in(status), incident);
      EXPECT_EQ(after.state.status, status_name(next.value_or(status)));
    }
  }
}

TEST(ContainerLifecycle, a_removing_container_never_starts_again) {
  EXPECT_EQ(next_status(Status::Removing, Incident::Start), std::nullopt);
  EXPECT_EQ(can_start(record_in(Status::Removing)).error().code(), Code::Conflict);
}

TEST(ContainerLifecycle, start_of_running_and_stop_of_created_are_not_modified) {
  EXPECT_EQ(can_start(record_in(Status::Running)).error().code(), Code::NotModified);
  EXPECT_EQ(can_stop(record_in(Status::Created)).error().code(), Code::NotModified);
}

TEST(ContainerLifecycle, remove_of_running_container_needs_force) {
  auto refused = can_remove(record_in(Status::Running), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message(),
      "cannot remove container \"web\": container is running: stop the container before removing or force remove");
  EXPECT_TRUE(can_remove(record_in(Status::Running), true));
}

TEST(ContainerLifecycle, exec_in_a_stopped_container_is_a_conflict_that_names_it) {
  auto refused = can_exec(record_in(Status::Exited));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Conflict);
  EXPECT_EQ(refused.error().message(), "container " + std::string(64, 'a') + " is not running");
}

TEST(ContainerLifecycle, each_start_is_a_new_generation) {
  auto record = begin_start(record_in(Status::Exited));
  EXPECT_EQ(record.generation, 1u);
  EXPECT_EQ(begin_start(record).generation, 2u);
}

TEST(ContainerLifecycle, exit_clears_what_only_a_running_container_has) {
  auto record = record_in(Status::Running);
  record.state.pid = 12;
  record.networks["bridge"].ip_address = "172.17.0.2";
  record.networks["bridge"].network_id = "n1";
  record.ports["80/tcp"] = {{"0.0.0.0", "8080"}};
  auto after = apply_exit(record, {.exit_code = 3, .finished_at = "2026-01-02T03:04:05Z"}, false);
  EXPECT_EQ(after.state.status, "exited");
  EXPECT_EQ(after.state.exit_code, 3);
  EXPECT_EQ(after.state.pid, 0);
  EXPECT_EQ(after.networks["bridge"].ip_address, "");
  EXPECT_EQ(after.networks["bridge"].network_id, "n1");
  EXPECT_TRUE(after.ports.empty());
}

TEST(ContainerLifecycle, failed_start_keeps_created_and_gets_the_exit_code_of_the_error) {
  auto record = apply_start_failure(record_in(Status::Created), "exec: \"x\": executable file not found in $PATH");
  EXPECT_EQ(record.state.status, "created");
  EXPECT_EQ(record.state.exit_code, 127);
  EXPECT_EQ(apply_start_failure(record_in(Status::Restarting), "x").state.status, "exited");
  EXPECT_EQ(start_failure_code("exec /x: permission denied"), 126);
  EXPECT_EQ(start_failure_code("mount rootfs: Invalid argument"), 128);
}

TEST(RestartPolicy, delay_doubles_to_a_minute_and_begins_anew_after_a_long_run) {
  auto record = record_in(Status::Running);
  record.host_config.restart_policy.name = "always";
  EXPECT_EQ(plan_restart(record, {.exit_code = 0}, 1s, 0ms).delay, 100ms);
  EXPECT_EQ(plan_restart(record, {.exit_code = 0}, 1s, 100ms).delay, 200ms);
  EXPECT_EQ(plan_restart(record, {.exit_code = 0}, 1s, 50s).delay, 60s);
  EXPECT_EQ(plan_restart(record, {.exit_code = 0}, 11s, 50s).delay, 100ms);
}

TEST(RestartPolicy, on_failure_counts_and_ignores_success) {
  auto record = record_in(Status::Running);
  record.host_config.restart_policy = {"on-failure", 2};
  EXPECT_FALSE(plan_restart(record, {.exit_code = 0}, 1s, 0ms).restart);
  EXPECT_TRUE(plan_restart(record, {.exit_code = 1}, 1s, 0ms).restart);
  record.restart_count = 2;
  EXPECT_FALSE(plan_restart(record, {.exit_code = 1}, 1s, 0ms).restart);
}

TEST(RestartPolicy, a_manual_stop_ends_every_policy_but_always_comes_back_with_the_daemon) {
  auto record = record_in(Status::Exited);
  record.has_been_started = record.manually_stopped = true;
  record.host_config.restart_policy.name = "always";
  EXPECT_FALSE(plan_restart(record, {.exit_code = 1}, 1s, 0ms).restart);
  EXPECT_TRUE(restarts_with_daemon(record));
  record.host_config.restart_policy.name = "unless-stopped";
  EXPECT_FALSE(restarts_with_daemon(record));
}

TEST(RestartPolicy, an_unhealthy_end_restarts_under_every_policy_until_its_limit_or_a_stop) {
  auto record = record_in(Status::Running);
  ExitFacts unhealthy{.exit_code = 0, .unhealthy = true};
  EXPECT_TRUE(plan_restart(record, unhealthy, 1s, 0ms).restart);
  record.host_config.restart_policy = {"on-failure", 1};
  EXPECT_TRUE(plan_restart(record, unhealthy, 1s, 0ms).restart);
  record.restart_count = 1;
  EXPECT_FALSE(plan_restart(record, unhealthy, 1s, 0ms).restart);
  record.host_config.restart_policy = {"always", 0};
  record.manually_stopped = true;
  EXPECT_FALSE(plan_restart(record, unhealthy, 1s, 0ms).restart);
  EXPECT_FALSE(restarts_unhealthy(record));
  record.config.labels["sampan.restart-unhealthy"] = "true";
  EXPECT_TRUE(restarts_unhealthy(record));
  record.host_config.annotations["sampan.restart-unhealthy"] = "false";
  EXPECT_FALSE(restarts_unhealthy(record));
}

TEST(RestartPolicy, auto_remove_and_a_policy_exclude_each_other) {
  EXPECT_TRUE(validate_restart_policy({"no", 0}, true));
  EXPECT_FALSE(validate_restart_policy({"always", 0}, true));
  EXPECT_FALSE(validate_restart_policy({"sometimes", 0}, false));
  EXPECT_FALSE(validate_restart_policy({"always", 3}, false));
}

}  // namespace
}  // namespace sampan::container
