#pragma once
// Golden directories: tests/golden/<suite>/<case>/input.json is what goes in, expected.json what must come out.
// A new case is a new directory; `./dev golden` runs the suites with SAMPAN_GOLDEN_ACCEPT=1, which writes what came
// out.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "sys/file.h"

namespace sampan::golden {

inline void run_suite(const std::string& suite, const std::function<std::string(const std::string& input)>& produce) {
  const std::string root = std::string(SAMPAN_SOURCE_DIR) + "/tests/golden/" + suite;
  auto cases = sys::list_dir(root);
  ASSERT_TRUE(cases) << cases.error().message();
  ASSERT_FALSE(cases->empty()) << root;
  for (const auto& name : *cases) {
    SCOPED_TRACE(suite + "/" + name);
    const std::string dir = root + "/" + name;
    auto input = sys::read_file(dir + "/input.json");
    ASSERT_TRUE(input) << input.error().message();
    std::string output = produce(*input) + "\n";
    if (std::getenv("SAMPAN_GOLDEN_ACCEPT")) {
      ASSERT_TRUE(sys::replace_file(dir + "/expected.json", output, 0644, sys::Durable::No));
      continue;
    }
    auto expected = sys::read_file(dir + "/expected.json");
    ASSERT_TRUE(expected) << expected.error().message() << "; run ./dev golden and review the new file";
    EXPECT_EQ(output, *expected);
  }
}

}  // namespace sampan::golden
