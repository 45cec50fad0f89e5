// The input gate by itself. Case numbers are those of the semantics (README.md).

#include "runtime/internal/input_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::internal {
namespace {

class InputGateTest : public ::testing::Test {
 protected:
  // Work that writes its name when it is run, and `name!` when it is dropped.
  class Named final : public Work {
   public:
    Named(std::vector<std::string>& seen, std::string name) : seen_(seen), name_(std::move(name)) {}
    void Run() override { seen_.push_back(name_); }
    void Drop(const std::exception_ptr&) override { seen_.push_back(name_ + "!"); }

   private:
    std::vector<std::string>& seen_;
    const std::string name_;
  };

  WorkPtr Name(const std::string& name) { return std::make_shared<Named>(seen_, name); }

  // Runs what was let in next, and returns its lock.
  InputGate::Lock RunNext() {
    EXPECT_FALSE(let_in_.empty());
    if (let_in_.empty()) return {};
    auto [work, lock] = std::move(let_in_.front());
    let_in_.pop_front();
    work->Run();
    return std::move(lock);
  }
  void RunAll() {
    while (!let_in_.empty()) RunNext();
  }

  std::vector<std::string> seen_;
  std::deque<std::pair<WorkPtr, InputGate::Lock>> let_in_;
  std::shared_ptr<InputGate> gate_ =
      InputGate::MakeRoot([this](WorkPtr work, InputGate::Lock lock) {
        let_in_.emplace_back(std::move(work), std::move(lock));
      });
};

using Names = std::vector<std::string>;

// C227. Goal: work is let in one by one, in order, each when every reference of the lock before it
// has gone. Method: three that wait, and a lock that is copied.
TEST_F(InputGateTest, FirstComeFirstServedOneAtATime) {
  gate_->Wait(Name("a"));
  gate_->Wait(Name("b"));
  gate_->Wait(Name("c"));
  ASSERT_EQ(let_in_.size(), 1u);
  InputGate::Lock lock = RunNext();
  InputGate::Lock copy = lock;
  lock.Drop();
  EXPECT_TRUE(let_in_.empty());
  copy.Drop();
  ASSERT_EQ(let_in_.size(), 1u);
  RunAll();
  EXPECT_EQ(seen_, (Names{"a", "b", "c"}));
  EXPECT_TRUE(gate_->idle());
}

// C228. Goal: a section waits for its turn; while it runs those outside wait and those inside do
// not; when it succeeds its parent goes on before them. Method: work on both sides.
TEST_F(InputGateTest, ASectionHoldsOthersBack) {
  gate_->Wait(Name("before"));
  InputGate::Lock before = RunNext();
  const auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("inside 1"));
  gate_->Wait(Name("outside"));
  EXPECT_TRUE(let_in_.empty()) << "the section did not wait for its turn";
  before.Drop();
  RunNext();
  section->Wait(Name("inside 2"));
  RunNext();
  EXPECT_TRUE(let_in_.empty());
  EXPECT_EQ(seen_, (Names{"before", "inside 1", "inside 2"}));
  InputGate::Lock parents = section->Succeed();
  EXPECT_TRUE(let_in_.empty()) << "somebody came before the parent";
  parents.Drop();
  RunAll();
  EXPECT_EQ(seen_.back(), "outside");
}

// Goal: sections that wait to start come before other work that waits. Method: both, behind a lock.
TEST_F(InputGateTest, SectionsComeFirst) {
  gate_->Wait(Name("first"));
  InputGate::Lock first = RunNext();
  gate_->Wait(Name("work"));
  const auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("section"));
  first.Drop();
  RunNext();
  EXPECT_EQ(seen_.back(), "section");
  section->Succeed();
  RunAll();
  EXPECT_EQ(seen_.back(), "work");
}

// C229. Goal: sections that are begun together run one after another.
TEST_F(InputGateTest, SectionsRunOneAfterAnother) {
  std::vector<std::shared_ptr<InputGate>> sections;
  for (const char* name : {"a", "b", "c"}) {
    sections.push_back(InputGate::MakeSection(gate_));
    sections.back()->Wait(Name(name));
  }
  for (const auto& section : sections) {
    ASSERT_EQ(let_in_.size(), 1u);
    RunNext();
    EXPECT_TRUE(let_in_.empty());
    section->Succeed();
  }
  EXPECT_EQ(seen_, (Names{"a", "b", "c"}));
  EXPECT_TRUE(gate_->idle());
}

// C231. Goal: a lock that is held beyond the end of its section still keeps others out.
TEST_F(InputGateTest, ALockOutlivesItsSection) {
  const auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("inside"));
  InputGate::Lock inside = RunNext();
  gate_->Wait(Name("outside"));
  section->Succeed();
  EXPECT_TRUE(let_in_.empty());
  inside.Drop();
  RunAll();
  EXPECT_EQ(seen_, (Names{"inside", "outside"}));
}

// Goal: what waits at a section that is over waits at its parent. Method: work behind a lock of the
// section, and work that comes later.
TEST_F(InputGateTest, TheParentAdopts) {
  const auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("inside"));
  InputGate::Lock inside = RunNext();
  section->Wait(Name("straggler"));
  section->Succeed();
  inside.Drop();
  section->Wait(Name("later"));
  RunAll();
  EXPECT_EQ(seen_, (Names{"inside", "straggler", "later"}));
}

// C232. Goal: a section that fails breaks all of it, inside and outside, for ever. Method: those
// that wait there, at the root, at another section and in one within; and one that comes later.
TEST_F(InputGateTest, AFailedSectionBreaksTheGate) {
  const auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("runs"));
  InputGate::Lock lock = RunNext();
  section->Wait(Name("inside"));
  const auto within = InputGate::MakeSection(section);
  within->Wait(Name("within"));
  gate_->Wait(Name("outside"));
  const auto other = InputGate::MakeSection(gate_);
  other->Wait(Name("other"));
  section->Fail(std::make_exception_ptr(std::runtime_error("why")));
  gate_->Wait(Name("later"));
  within->Wait(Name("later within"));
  lock.Drop();
  EXPECT_TRUE(let_in_.empty());
  std::vector<std::string> dropped(seen_.begin() + 1, seen_.end());
  std::sort(dropped.begin(), dropped.end());
  EXPECT_EQ(dropped,
            (Names{"inside!", "later within!", "later!", "other!", "outside!", "within!"}));
  ASSERT_NE(gate_->broken(), nullptr);
  EXPECT_THROW(std::rethrow_exception(gate_->broken()), std::runtime_error);
}

// Goal: a running section that is dropped is a failed one, and the error says what may be wrong.
TEST_F(InputGateTest, ADroppedSectionBreaksTheGate) {
  auto section = InputGate::MakeSection(gate_);
  section->Wait(Name("runs"));
  RunNext();
  gate_->Wait(Name("outside"));
  section.reset();
  ASSERT_NE(gate_->broken(), nullptr);
  try {
    std::rethrow_exception(gate_->broken());
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("deadlock"), std::string::npos);
  }
  EXPECT_EQ(seen_, (Names{"runs", "outside!"}));
}

// C233. Goal: sections as deep as one likes are begun, ended and dropped without as deep a stack.
TEST_F(InputGateTest, DeepNesting) {
  constexpr size_t kDepth = 10000;
  std::vector<std::shared_ptr<InputGate>> sections{gate_};
  for (size_t depth = 1; depth <= kDepth; ++depth) {
    sections.push_back(InputGate::MakeSection(sections.back()));
    EXPECT_EQ(sections.back()->depth(), depth);
    sections.back()->Wait(Name("in"));
    ASSERT_EQ(let_in_.size(), 1u);
    RunNext();
  }
  for (size_t depth = kDepth; depth > kDepth / 2; --depth) {
    sections[depth]->Succeed();
  }
  std::shared_ptr<InputGate> innermost = sections[kDepth / 2];
  sections.clear();
  gate_->Fail(std::make_exception_ptr(std::runtime_error("over")));
  innermost.reset();
}

}  // namespace
}  // namespace tidemark::internal
