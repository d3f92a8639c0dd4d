#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "engine/changes.h"
#include "engine/internal/containers.h"
#include "engine/internal/execs.h"
#include "engine/internal/filters.h"
#include "engine/internal/health.h"
#include "engine/internal/loop.h"
#include "engine/internal/names.h"
#include "engine/internal/processes.h"
#include "engine/internal/waiters.h"
#include "engine/internal/workers.h"

#include <unistd.h>

namespace sampan::engine {
namespace {

using namespace std::chrono_literals;

ContainerRecord make(const std::string& id, const std::string& name, const std::string& created) {
  ContainerRecord record;
  record.id = id;
  record.name = name;
  record.created = created;
  return record;
}

// --- names ------------------------------------------------------------------------------------------------------

TEST(Names, random_ids_have_64_hexadecimal_digits_and_differ) {
  std::string a = random_id(), b = random_id();
  EXPECT_EQ(a.size(), 64u);
  EXPECT_EQ(a.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(a, b);
}

TEST(Names, a_second_attempt_adds_a_digit) {
  EXPECT_EQ(make_name(7, 0), make_name(7, 0));
  EXPECT_EQ(make_name(7, 1).size(), make_name(7, 0).size() + 1);
  EXPECT_NE(make_name(7, 0).find('_'), std::string::npos);
}

// --- containers -------------------------------------------------------------------------------------------------

TEST(Containers, are_found_by_id_name_and_unique_prefix) {
  Containers containers;
  containers.insert(make("aaaa1", "web", "2026-01-01T00:00:00Z"));
  containers.insert(make("aabb2", "db", "2026-01-01T00:00:01Z"));
  EXPECT_EQ(containers.get("web")->record->id, "aaaa1");
  EXPECT_EQ(containers.get("/db")->record->id, "aabb2");
  EXPECT_EQ(containers.get("aab")->record->name, "db");
  EXPECT_EQ(containers.get("aa").error().code(), Code::InvalidArgument);
  EXPECT_EQ(containers.get("x").error().message(), "No such container: x");
}

TEST(Containers, a_name_in_use_is_a_conflict_that_names_its_owner) {
  Containers containers;
  ASSERT_TRUE(containers.reserve_name("web", "aaaa1"));
  auto refused = containers.reserve_name("web", "bbbb2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Conflict);
  EXPECT_EQ(refused.error().message(),
            "Conflict. The container name \"/web\" is already in use by container \"aaaa1\". You have to remove (or "
            "rename) that container to be able to reuse that name.");
  containers.release_name("web", "bbbb2");  // not its own: nothing happens
  EXPECT_FALSE(containers.reserve_name("web", "bbbb2"));
  containers.release_name("web", "aaaa1");
  EXPECT_TRUE(containers.reserve_name("web", "bbbb2"));
}

TEST(Containers, lists_have_the_newest_first_also_across_different_fractions) {
  Containers containers;
  containers.insert(make("a", "a", "2026-01-01T00:00:00.1Z"));
  containers.insert(make("b", "b", "2026-01-01T00:00:00.12Z"));
  containers.insert(make("c", "c", "2026-01-01T00:00:00Z"));
  auto list = containers.list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0]->id, "b");
  EXPECT_EQ(list[2]->id, "c");
}

TEST(Containers, watchers_hear_of_changes_until_they_leave) {
  Containers containers;
  std::vector<std::string> heard;
  auto watch = containers.watch([&](const std::string& id) { heard.push_back(id); });
  containers.insert(make("a", "a", "2026-01-01T00:00:00Z"));
  containers.publish(make("a", "b", "2026-01-01T00:00:00Z"));
  watch.reset();
  containers.erase("a");
  EXPECT_EQ(heard, (std::vector<std::string>{"a", "a"}));
}

// --- waiters ----------------------------------------------------------------------------------------------------

TEST(Waiters, exit_calls_those_who_wait_for_it_once) {
  Waiters waiters;
  int exits = 0, removals = 0;
  auto a = waiters.add("x", false, [&](WaitResult result) { exits += static_cast<int>(result.status_code); });
  auto b = waiters.add("x", true, [&](WaitResult) { ++removals; });
  waiters.notify_exit("x", {3, ""});
  waiters.notify_exit("x", {3, ""});
  EXPECT_EQ(exits, 3);
  EXPECT_EQ(removals, 0);
  waiters.notify_removed("x", "web", {3, ""});
  EXPECT_EQ(removals, 1);
}

TEST(Waiters, a_dropped_handle_cancels) {
  Waiters waiters;
  bool called = false;
  waiters.add("x", false, [&](WaitResult) { called = true; }).reset();
  waiters.notify_exit("x", {});
  EXPECT_FALSE(called);
}

TEST(Waiters, the_result_of_a_removed_container_is_remembered_by_id_and_name) {
  Waiters waiters;
  waiters.notify_removed("x", "web", {7, ""});
  EXPECT_EQ(waiters.find_removed("web")->status_code, 7);
  EXPECT_EQ(waiters.find_removed("x")->status_code, 7);
  EXPECT_FALSE(waiters.find_removed("y"));
}

// --- workers and loop -------------------------------------------------------------------------------------------

TEST(Workers, jobs_of_one_key_run_in_order_and_those_of_others_beside_them) {
  Workers workers(4);
  std::promise<void> release, other, done;
  std::vector<int> order;
  workers.post("a", [&, gate = release.get_future().share()] {
    gate.wait();
    order.push_back(1);
  });
  workers.post("a", [&] {
    order.push_back(2);
    done.set_value();
  });
  workers.post("b", [&] { other.set_value(); });
  ASSERT_EQ(other.get_future().wait_for(5s), std::future_status::ready);
  release.set_value();
  ASSERT_EQ(done.get_future().wait_for(5s), std::future_status::ready);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Loop, reports_readable_descriptors_and_timers) {
  auto loop = Loop::start();
  ASSERT_TRUE(loop);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::promise<void> readable, fired;
  ASSERT_TRUE((*loop)->watch(ends[0], [&] {
    readable.set_value();
    return false;
  }));
  (*loop)->after(1ms, [&] { fired.set_value(); });
  std::atomic<bool> cancelled_fired = false;
  auto token = (*loop)->after(1h, [&] { cancelled_fired = true; });
  (*loop)->cancel(token);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  EXPECT_EQ(readable.get_future().wait_for(5s), std::future_status::ready);
  EXPECT_EQ(fired.get_future().wait_for(5s), std::future_status::ready);
  (*loop)->stop();
  EXPECT_FALSE(cancelled_fired);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Loop, a_report_watched_once_can_be_watched_again_from_any_thread_at_once) {
  auto loop = Loop::start();
  ASSERT_TRUE(loop);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  for (int i = 0; i < 200; ++i) {  // stays readable: each round reports
    auto ready = std::make_shared<std::promise<void>>();
    auto watch = (*loop)->watch_once(ends[0], [ready] { ready->set_value(); });
    ASSERT_TRUE(watch) << watch.error().message();
    ASSERT_EQ(ready->get_future().wait_for(5s), std::future_status::ready);
  }
  (*loop)->stop();
  ::close(ends[0]);
  ::close(ends[1]);
}

// --- execs ------------------------------------------------------------------------------------------------------

TEST(Execs, an_exec_starts_once_and_keeps_its_exit_code) {
  Execs execs;
  std::string id = execs.add("c1", {.cmd = {"true"}});
  EXPECT_EQ(execs.get(id)->exit_code, std::nullopt);
  ASSERT_TRUE(execs.begin(id));
  EXPECT_EQ(execs.begin(id).error().code(), Code::Conflict);
  EXPECT_TRUE(execs.finish(id, 4));
  execs.started(id, 99);  // the answer of the shim came after the end
  EXPECT_FALSE(execs.finish(id, 5));
  auto state = execs.get(id);
  EXPECT_EQ(state->exit_code, 4);
  EXPECT_FALSE(state->running);
  EXPECT_EQ(state->pid, 99);
  EXPECT_TRUE(execs.of("c1").empty());
}

// --- filters ----------------------------------------------------------------------------------------------------

FilterLookups no_lookups() {
  return {[](const std::string&) { return std::nullopt; }, [](const std::string&) { return std::set<std::string>(); }};
}
bool matches(const Filters& filters, const ContainerRecord& record) {
  auto filter = ContainerFilter::compile(filters, no_lookups());
  EXPECT_TRUE(filter) << filter.error().message();
  return filter && filter->matches(record);
}

TEST(ContainerFilters, an_unknown_key_is_refused_by_name) {
  auto filter = ContainerFilter::compile({{"colour", {"red"}}}, no_lookups());
  ASSERT_FALSE(filter);
  EXPECT_EQ(filter.error().message(), "invalid filter 'colour'");
  EXPECT_EQ(ContainerFilter::compile({{"status", {"asleep"}}}, no_lookups()).error().message(),
            "invalid filter 'status=asleep'");
}

TEST(ContainerFilters, name_is_a_regular_expression_with_and_without_the_slash) {
  auto record = make("a1", "web-1", "");
  EXPECT_TRUE(matches({{"name", {"^web"}}}, record));
  EXPECT_TRUE(matches({{"name", {"^/web-1$"}}}, record));
  EXPECT_TRUE(matches({{"name", {"b-"}}}, record));
  EXPECT_FALSE(matches({{"name", {"^eb"}}}, record));
  EXPECT_FALSE(matches({{"name", {"["}}}, record));
}

TEST(ContainerFilters, labels_must_all_hold_values_of_other_keys_any) {
  auto record = make("a1", "web", "");
  record.config.labels = {{"a", "1"}, {"b", ""}};
  EXPECT_TRUE(matches({{"label", {"a", "b"}}}, record));
  EXPECT_TRUE(matches({{"label", {"a=1"}}}, record));
  EXPECT_FALSE(matches({{"label", {"a=1", "c"}}}, record));
  record.state.status = "paused";
  EXPECT_TRUE(matches({{"status", {"running", "paused"}}}, record));
}

TEST(ContainerFilters, exited_needs_a_container_that_ran) {
  auto record = make("a1", "web", "");
  EXPECT_FALSE(matches({{"exited", {"0"}}}, record));
  record.has_been_started = true;
  record.state.status = "exited";
  EXPECT_TRUE(matches({{"exited", {"0"}}}, record));
  EXPECT_FALSE(matches({{"exited", {"1"}}}, record));
}

TEST(ContainerFilters, publish_and_expose_take_ranges) {
  auto record = make("a1", "web", "");
  record.config.exposed_ports = {"8005/tcp"};
  record.ports["53/udp"] = {{"0.0.0.0", "5353"}};
  EXPECT_TRUE(matches({{"expose", {"8000-8010"}}}, record));
  EXPECT_FALSE(matches({{"expose", {"8005/udp"}}}, record));
  EXPECT_TRUE(matches({{"publish", {"53/udp"}}}, record));
}

TEST(ContainerFilters, before_and_since_compare_creation_times) {
  FilterLookups lookups = no_lookups();
  lookups.created_of = [](const std::string&) { return std::optional<std::string>("2026-01-01T00:00:05Z"); };
  auto record = make("a1", "web", "2026-01-01T00:00:01Z");
  EXPECT_TRUE(ContainerFilter::compile({{"before", {"x"}}}, lookups)->matches(record));
  EXPECT_FALSE(ContainerFilter::compile({{"since", {"x"}}}, lookups)->matches(record));
}

TEST(PruneFilters, until_takes_an_age) {
  auto now = codec::parse_rfc3339("2026-01-02T00:00:00Z");
  auto filter = PruneFilter::compile({{"until", {"1h"}}, {"label!", {"keep"}}}, *now);
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->matches({}, "2026-01-01T22:00:00Z"));
  EXPECT_FALSE(filter->matches({}, "2026-01-01T23:30:00Z"));
  EXPECT_FALSE(filter->matches({{"keep", "1"}}, "2026-01-01T22:00:00Z"));
}

// --- health -----------------------------------------------------------------------------------------------------

container::ContainerConfig checked(std::vector<std::string> test) {
  container::ContainerConfig config;
  config.healthcheck = oci::HealthConfig{.test = std::move(test), .retries = 2};
  return config;
}

TEST(Health, shell_and_exec_forms_and_none) {
  EXPECT_EQ(plan_health(checked({"CMD-SHELL", "a b"})).argv, (std::vector<std::string>{"/bin/sh", "-c", "a b"}));
  EXPECT_EQ(plan_health(checked({"CMD", "a", "b"})).argv, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(plan_health(checked({"NONE"})).argv.empty());
}

TEST(Health, a_probe_s_report_becomes_the_state_and_five_results_are_kept) {
  container::HealthState state{"starting", 0, {}};
  for (int i = 0; i < 7; ++i) {
    state = apply_probe(state, {.exit_code = i, .time = "t", .health = {"unhealthy", i}, .output = std::to_string(i)});
  }
  EXPECT_EQ(state.status, "unhealthy");
  EXPECT_EQ(state.failing_streak, 6);
  ASSERT_EQ(state.log.size(), 5u);
  EXPECT_EQ(state.log.front().output, "2");
}

// --- ps ---------------------------------------------------------------------------------------------------------

TEST(Processes, arguments_choose_columns_and_unknown_ones_are_named) {
  EXPECT_EQ(parse_ps_arguments("")->front(), "uid");
  EXPECT_EQ(parse_ps_arguments("aux")->at(2), "%cpu");
  EXPECT_EQ(*parse_ps_arguments("-eo pid,comm"), (std::vector<std::string>{"pid", "comm"}));
  EXPECT_NE(parse_ps_arguments("-o pid,nonsense").error().message().find("nonsense"), std::string::npos);
  EXPECT_NE(parse_ps_arguments("--forest").error().message().find("--forest"), std::string::npos);
}

TEST(Processes, a_process_has_its_row_and_a_missing_one_none) {
  auto top = list_processes({::getpid(), 999999999}, {"pid", "comm"});
  ASSERT_EQ(top.processes.size(), 1u);
  EXPECT_EQ(top.titles, (std::vector<std::string>{"PID", "COMMAND"}));
  EXPECT_EQ(top.processes[0][0], std::to_string(::getpid()));
}

// --- changes ----------------------------------------------------------------------------------------------------

TEST(Changes, instructions_change_the_configuration) {
  oci::ImageConfig config;
  config.env = {"A=1", "B=2"};
  auto applied =
      apply_changes({"CMD [\"a\", \"b\"]", "env A=\"3 4\"", "EXPOSE 80 53/udp", "LABEL k=v", "WORKDIR /w"}, config);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(*config.cmd, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.env, (std::vector<std::string>{"B=2", "A=3 4"}));
  EXPECT_EQ(config.exposed_ports, (std::set<std::string>{"80/tcp", "53/udp"}));
  EXPECT_EQ(config.labels["k"], "v");
  EXPECT_FALSE(apply_changes({"RUN x"}, config));
}

}  // namespace
}  // namespace sampan::engine
