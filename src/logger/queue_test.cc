#include "logger/internal/queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace sampan::logger {
namespace {

using WhenFull = EntryQueue::WhenFull;

logs::ForwardedEntry entry_of(std::string text) {
  return {.text = std::move(text)};
}

TEST(EntryQueue, gives_everything_in_order_and_then_the_end) {
  EntryQueue queue(1 << 20, WhenFull::Wait);
  queue.put(entry_of("a"));
  queue.put(entry_of("b"));
  queue.end();
  auto batch = queue.take();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].text, "a");
  EXPECT_TRUE(queue.take().empty());
}

TEST(EntryQueue, a_full_one_drops_the_newest_when_it_may) {
  EntryQueue queue(1000, WhenFull::Drop);
  for (int i = 0; i < 5; ++i) queue.put(entry_of(std::string(600, static_cast<char>('a' + i))));
  EXPECT_EQ(queue.dropped(), 4u);
  auto batch = queue.take();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].text[0], 'a');
}

TEST(EntryQueue, a_full_one_waits_until_there_is_room) {
  EntryQueue queue(1000, WhenFull::Wait);
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) queue.put(entry_of(std::string(600, 'x')));
    queue.end();
  });
  size_t taken = 0;
  for (auto batch = queue.take(); !batch.empty(); batch = queue.take()) taken += batch.size();
  writer.join();
  EXPECT_EQ(taken, 50u);
  EXPECT_EQ(queue.dropped(), 0u);
}

TEST(EntryQueue, a_writer_that_waits_goes_on_when_the_server_is_gone) {
  EntryQueue queue(1000, WhenFull::Wait);
  queue.put(entry_of(std::string(900, 'x')));
  std::thread writer([&] { queue.put(entry_of(std::string(900, 'y'))); });
  queue.set_absent(true);
  writer.join();
  EXPECT_EQ(queue.dropped(), 1u);
}

}  // namespace
}  // namespace sampan::logger
