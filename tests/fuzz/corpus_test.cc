// Every target once over its corpus: what a fuzzer has found stays found.
#include <gtest/gtest.h>

#include "sys/file.h"

using Target = void (*)(std::string_view);
void fuzz_spec(std::string_view);
void fuzz_state(std::string_view);
void fuzz_mountinfo(std::string_view);
void fuzz_cgroup_files(std::string_view);
void fuzz_users(std::string_view);
void fuzz_seccomp(std::string_view);

namespace {

struct Case {
  const char* name;
  Target target;
};
constexpr Case kCases[] = {{"spec", fuzz_spec},       {"state", fuzz_state},
                           {"users", fuzz_users},     {"mountinfo", fuzz_mountinfo},
                           {"seccomp", fuzz_seccomp}, {"cgroup_files", fuzz_cgroup_files}};

class FuzzCorpus : public testing::TestWithParam<Case> {};

TEST_P(FuzzCorpus, holds_what_is_promised) {
  std::string dir = std::string(SAMPAN_SOURCE_DIR "/tests/fuzz/corpus/") + GetParam().name;
  auto names = sampan::sys::list_dir(dir);
  ASSERT_TRUE(names) << names.error().message();
  EXPECT_FALSE(names->empty());
  for (const auto& name : *names) {
    SCOPED_TRACE(name);
    auto input = sampan::sys::read_file(dir + "/" + name);
    ASSERT_TRUE(input) << input.error().message();
    GetParam().target(*input);  // a broken promise ends the program
    for (size_t size = 0; size < input->size(); size += input->size() / 64 + 1)
      GetParam().target(std::string_view(*input).substr(0, size));
  }
}
INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, testing::ValuesIn(kCases),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
