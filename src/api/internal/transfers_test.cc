#include "api/internal/transfers.h"

#include <gtest/gtest.h>

#include <memory>

#include <vector>

namespace sampan::api {
namespace {

using Clock = Transfers::Clock;
constexpr std::chrono::minutes kLimit(5);

/// Transfers by number; which of them were cut off.
struct Crowd {
  explicit Crowd(size_t threads) : shared(std::make_shared<Transfers>(threads, kLimit)), transfers(*shared) {}
  void enter(bool waits) {
    size_t number = members.size();
    cut.push_back(false);
    members.push_back(std::make_unique<Transfers::Membership>(shared, [this, number] { cut[number] = true; }));
    waiting.emplace_back();
    if (waits) waiting.back() = std::make_unique<Transfers::Entry::Waiting>(members.back()->entry());
  }
  std::shared_ptr<Transfers> shared;
  Transfers& transfers;
  std::vector<bool> cut;
  std::vector<std::unique_ptr<Transfers::Membership>> members;
  std::vector<std::unique_ptr<Transfers::Entry::Waiting>> waiting;
};

TEST(Transfers, nobody_is_cut_off_while_there_are_threads) {
  Crowd crowd(2);
  crowd.enter(true);
  crowd.enter(true);
  EXPECT_FALSE(crowd.transfers.is_crowded());
  EXPECT_EQ(crowd.transfers.relieve(Clock::now() + kLimit * 100), 0u);
}

TEST(Transfers, one_that_waits_costs_the_longest_stuck_one_its_place) {
  Crowd crowd(2);
  crowd.enter(true);
  crowd.enter(true);
  crowd.enter(false);  // has no thread yet
  ASSERT_TRUE(crowd.transfers.is_crowded());
  EXPECT_EQ(crowd.transfers.relieve(Clock::now() + kLimit / 2), 0u) << "not that long";
  EXPECT_EQ(crowd.transfers.relieve(Clock::now() + kLimit * 2), 1u);
  EXPECT_EQ(crowd.cut, (std::vector<bool>{true, false, false}));
  EXPECT_EQ(crowd.transfers.relieve(Clock::now() + kLimit * 2), 0u) << "its thread is on its way";
}

TEST(Transfers, who_moves_is_never_cut_off) {
  Crowd crowd(1);
  crowd.enter(true);
  crowd.waiting[0].reset();
  crowd.enter(false);
  EXPECT_EQ(crowd.transfers.relieve(Clock::now() + kLimit * 2), 0u);
}

TEST(Transfers, who_has_left_makes_room) {
  Crowd crowd(1);
  crowd.enter(true);
  crowd.enter(false);
  crowd.waiting[0].reset();
  crowd.members[0].reset();
  EXPECT_FALSE(crowd.transfers.is_crowded());
}

}  // namespace
}  // namespace sampan::api
