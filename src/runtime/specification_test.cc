// What a specification asks of the process, the mounts and the hooks, and what it may not ask.
#include <sys/resource.h>

#include "runtime/container_for_test.h"

namespace sampan::runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Specification : public RealContainer {
 protected:
  std::string refusal() {
    shell("true");
    return run().error;
  }
};

TEST_F(Specification, limits_that_cannot_be_meant_are_refused_by_name) {
  spec_.process->rlimits = {{"RLIMIT_CORE", 0, 0}, {"RLIMIT_CORE", 0, 0}};
  EXPECT_EQ(refusal(), "process.rlimits: RLIMIT_CORE is given twice");
  spec_.process->rlimits = {{"RLIMIT_CORE", 2, 1}};
  EXPECT_THAT(refusal(), HasSubstr("soft limit above hard limit"));
}

TEST_F(Specification, a_scheduler_is_set) {
  spec_.process->scheduler = oci::Scheduler{"SCHED_BATCH", 5, 0, {"SCHED_FLAG_RESET_ON_FORK"}, 0, 0, 0};
  EXPECT_EQ(output_of("set -- $(cat /proc/1/stat); echo ${19} ${41}"), "5 3\n");
  spec_.process->scheduler = oci::Scheduler{"SCHED_OTHER", 0, 3, {}, 0, 0, 0};
  EXPECT_THAT(refusal(), HasSubstr("process.scheduler.priority is only for SCHED_FIFO and SCHED_RR"));
  spec_.process->scheduler = oci::Scheduler{"SCHED_OTHER", 20, 0, {}, 0, 0, 0};
  EXPECT_THAT(refusal(), HasSubstr("process.scheduler.nice 20"));
  spec_.process->scheduler = oci::Scheduler{"SCHED_FIFO", 0, 1, {}, 1000, 0, 0};
  EXPECT_THAT(refusal(), HasSubstr("only for SCHED_DEADLINE"));
  spec_.process->scheduler = oci::Scheduler{"SCHED_MADE_UP", 0, 0, {}, 0, 0, 0};
  EXPECT_THAT(refusal(), HasSubstr("unknown scheduler policy \"SCHED_MADE_UP\""));
}

TEST_F(Specification, an_io_priority_is_set) {
  spec_.process->io_priority = oci::IoPriority{"IOPRIO_CLASS_IDLE", 0};
  EXPECT_EQ(output_of("busybox ionice -p 1"), "idle\n");
  spec_.process->io_priority = oci::IoPriority{"IOPRIO_CLASS_BE", 8};
  EXPECT_THAT(refusal(), HasSubstr("process.ioPriority.priority 8"));
  spec_.process->io_priority = oci::IoPriority{"IOPRIO_CLASS_ODD", 1};
  EXPECT_THAT(refusal(), HasSubstr("process.ioPriority.class \"IOPRIO_CLASS_ODD\""));
}

TEST_F(Specification, a_personality_is_set_and_its_flags_refused) {
  spec_.linux_->personality = oci::Personality{"LINUX32", {}};
  EXPECT_EQ(output_of("busybox uname -m"), "i686\n");
  spec_.linux_->personality->flags = {"ADDR_NO_RANDOMIZE"};
  EXPECT_THAT(refusal(), HasSubstr("linux.personality.flags are not supported"));
  spec_.linux_->personality = oci::Personality{"BSD", {}};
  EXPECT_THAT(refusal(), HasSubstr("linux.personality.domain \"BSD\""));
}

TEST_F(Specification, umask_and_oom_score_are_set) {
  spec_.process->user.umask = 0027;
  spec_.process->oom_score_adj = 321;
  EXPECT_EQ(output_of("umask; cat /proc/1/oom_score_adj"), "0027\n321\n");
  spec_.process->oom_score_adj = 1001;
  EXPECT_THAT(refusal(), HasSubstr("process.oomScoreAdj 1001"));
}

TEST_F(Specification, a_memory_policy_is_set) {
  spec_.linux_->memory_policy = oci::MemoryPolicy{"MPOL_BIND", "0", {"MPOL_F_STATIC_NODES"}};
  EXPECT_THAT(output_of("cat /proc/1/numa_maps"), HasSubstr(" bind=static:0 "));
  spec_.linux_->memory_policy->mode = "MPOL_ODD";
  EXPECT_THAT(refusal(), HasSubstr("linux.memoryPolicy: unknown memory policy mode \"MPOL_ODD\""));
}

TEST_F(Specification, odd_capabilities_are_warnings) {
  spec_.process->capabilities->ambient = {"CAP_CHOWN"};
  spec_.process->capabilities->bounding.push_back("CAP_MADE_UP");
  EXPECT_EQ(output_of("echo ok"), "ok\n");
  EXPECT_THAT(warnings_, testing::IsSupersetOf({HasSubstr("CAP_CHOWN is not ambient"), HasSubstr("CAP_MADE_UP")}));
}

TEST_F(Specification, what_this_runtime_does_not_have_is_refused) {
  spec_.linux_->intel_rdt.emplace();
  EXPECT_THAT(refusal(), HasSubstr("linux.intelRdt"));
  spec_.linux_->intel_rdt.reset();
  spec_.oci_version = "2.0.0";
  EXPECT_THAT(refusal(), HasSubstr("ociVersion \"2.0.0\""));
}

TEST_F(Specification, namespaces_and_mappings_fit_together) {
  spec_.linux_->namespaces.push_back({"pid", ""});
  EXPECT_THAT(refusal(), HasSubstr("duplicated ns {\"pid\" \"\"}"));
  spec_.linux_->namespaces.pop_back();
  spec_.linux_->uid_mappings = {{0, 0, 1}};
  EXPECT_THAT(refusal(), HasSubstr("no user namespace"));
  spec_.linux_->uid_mappings.clear();
  spec_.linux_->namespaces.push_back({"time", ""});
  spec_.linux_->time_offsets["realtime"] = {1, 0};
  EXPECT_THAT(refusal(), HasSubstr("linux.timeOffsets: \"realtime\""));
}

TEST_F(Specification, every_filesystem_option_of_the_table_is_taken) {
  spec_.mounts.push_back({"/tmp",
                          "tmpfs",
                          "tmpfs",
                          {"dirsync", "lazytime", "sync", "mand", "nosymfollow", "silent", "nosuid", "noexec",
                           "nodiratime", "noatime", "rprivate"},
                          {},
                          {}});
  EXPECT_THAT(output_of("grep ' /tmp ' /proc/self/mountinfo"),
              AllOf(HasSubstr("nosymfollow"), HasSubstr("dirsync"), HasSubstr("lazytime"), HasSubstr("sync"),
                    HasSubstr("noexec"), HasSubstr("noatime"), HasSubstr("nodiratime")));
}

TEST_F(Specification, recursive_attributes_reach_what_lies_below) {
  ASSERT_TRUE(sys::make_dirs(top_ + "/tree", 0755));
  spec_.mounts.push_back({"/a", "bind", "/dev", {"rbind", "rro", "rnosuid", "rnoexec", "rnosymfollow"}, {}, {}});
  auto seen = output_of("grep ' /a/pts ' /proc/self/mountinfo; touch /a/x");
  EXPECT_THAT(seen, AllOf(HasSubstr(" ro,"), HasSubstr("nosymfollow"), HasSubstr("Read-only file system")));
}

TEST_F(Specification, binds_are_mapped_by_their_own_mappings_and_by_the_containers) {
  ASSERT_TRUE(sys::make_dirs(top_ + "/owned", 0755));
  spec_.mounts.push_back({"/a", "bind", top_ + "/owned", {"bind", "idmap"}, {{0, 5000, 10}}, {{0, 6000, 10}}});
  if (refusal().ends_with("mount_setattr: Invalid argument"))
    GTEST_SKIP() << "the file system of /tmp cannot be mapped on this kernel";
  EXPECT_EQ(output_of("stat -c '%u %g' /a"), "5000 6000\n");
  ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
  spec_.linux_->namespaces.push_back({"user", ""});
  spec_.linux_->uid_mappings = spec_.linux_->gid_mappings = {{0, 100000, 65536}};
  spec_.mounts.back() = {"/a", "bind", top_ + "/owned", {"rbind", "ridmap"}, {}, {}};
  EXPECT_EQ(output_of("stat -c '%u %g' /a"), "0 0\n");
}

TEST_F(Specification, mounts_that_cannot_be_are_refused) {
  spec_.mounts.push_back({"/a", "bind", "/etc", {"bind", "size=5"}, {}, {}});
  EXPECT_THAT(refusal(), HasSubstr("bind mounts cannot have any filesystem-specific options: \"size\""));
  spec_.mounts.back().options = {"bind", "idmap"};
  EXPECT_THAT(refusal(), HasSubstr("needs a container with a user namespace"));
  spec_.mounts.back() = {"/a", "tmpfs", "tmpfs", {"idmap"}, {{0, 5, 1}}, {{0, 5, 1}}};
  EXPECT_THAT(refusal(), HasSubstr("only bind mounts can be id-mapped"));
  spec_.mounts.back() = {"/a", "bind", "/etc", {"bind"}, {{0, 5, 1}}, {}};
  EXPECT_THAT(refusal(), HasSubstr("uidMappings and gidMappings must both be given"));
}

TEST_F(Specification, sysctls_have_two_spellings_and_need_their_namespace) {
  spec_.linux_->sysctl = {{"kernel/shmmni", "77"}};
  EXPECT_EQ(output_of("cat /proc/sys/kernel/shmmni"), "77\n");
  spec_.linux_->sysctl = {{"kernel.hostname", "x"}};
  EXPECT_THAT(refusal(), HasSubstr("conflicts with the OCI \"hostname\" field"));
  std::erase_if(spec_.linux_->namespaces, [](const oci::Namespace& ns) { return ns.type == "network"; });
  spec_.linux_->sysctl = {{"net.ipv4.ip_forward", "1"}};
  EXPECT_THAT(refusal(), HasSubstr("is not allowed in the hosts kernel namespace"));
}

TEST_F(Specification, hooks_are_told_the_number_that_their_namespace_knows) {
  auto hook = [&](const std::string& file) {
    return oci::Hook{"/bin/sh",
                     {"sh", "-c", "grep -o '\"pid\":[0-9]*' > " + file + "; pwd >> " + file + "; env >> " + file},
                     {"PATH=/usr/bin:/bin", "ONLY=this"},
                     10};
  };
  auto& hooks = spec_.hooks.emplace();
  hooks.create_runtime = {hook(top_ + "/runtime")};
  hooks.create_container = {hook(top_ + "/container")};
  hooks.start_container = {hook("/tmp/start")};
  spec_.process->env.push_back("SECRET=of the container");
  EXPECT_EQ(output_of("head -n 2 /tmp/start 2>/dev/null || busybox head -n 2 /tmp/start"), "\"pid\":1\n/\n");
  auto in_container = sys::read_file(top_ + "/container").value_or("");
  EXPECT_THAT(in_container, AllOf(testing::StartsWith("\"pid\":1\n/\n"), HasSubstr("ONLY=this")));
  EXPECT_THAT(in_container, testing::Not(HasSubstr("SECRET")));
  EXPECT_THAT(sys::read_file(top_ + "/runtime").value_or(""), testing::Not(testing::StartsWith("\"pid\":1\n")));
}

TEST_F(Specification, hooks_that_cannot_be_are_refused) {
  spec_.hooks.emplace().poststop = {{"relative", {}, {}, {}}};
  EXPECT_EQ(refusal(), "hooks.poststop: path \"relative\" is not absolute");
  spec_.hooks->poststop = {{"/bin/true", {}, {}, 0}};
  EXPECT_THAT(refusal(), HasSubstr("hooks.poststop: timeout 0"));
}

TEST_F(RunningBox, exec_runs_on_the_processors_that_it_asks_for) {
  exec_.process.exec_cpu_affinity = oci::CpuAffinity{"0", "1"};
  EXPECT_EQ(exec_shell("grep Cpus_allowed_list /proc/self/status").output, "Cpus_allowed_list:\t1\n");
  exec_.process.exec_cpu_affinity = oci::CpuAffinity{"9-", ""};
  EXPECT_THAT(exec_shell("true").error, HasSubstr("process.execCPUAffinity.initial: bad CPU list"));
}

}  // namespace
}  // namespace sampan::runtime
