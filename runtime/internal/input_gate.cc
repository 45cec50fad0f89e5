#include "runtime/internal/input_gate.h"

#include <stdexcept>
#include <vector>

#include "engine/check.h"

namespace tidemark::internal {

InputGate::InputGate(std::shared_ptr<Root> root, std::shared_ptr<InputGate> parent, size_t depth)
    : root_(std::move(root)),
      parent_(std::move(parent)),
      depth_(depth),
      state_(parent_ == nullptr ? State::kRunning : State::kNotStarted) {}

std::shared_ptr<InputGate> InputGate::MakeRoot(LetIn let_in) {
  auto root = std::make_shared<Root>();
  root->let_in = std::move(let_in);
  return std::shared_ptr<InputGate>(new InputGate(std::move(root), nullptr, 0));
}

std::shared_ptr<InputGate> InputGate::MakeSection(const std::shared_ptr<InputGate>& parent) {
  return std::shared_ptr<InputGate>(
      new InputGate(parent->root_, parent->Standing(), parent->depth_ + 1));
}

// Parents that nobody else holds go one by one, not each within the one before: there may be many.
InputGate::~InputGate() {
  std::shared_ptr<InputGate> next = Detach();
  while (next != nullptr && next.use_count() == 1) next = next->Detach();
}

// What is left of it is alone. A section that runs has failed with that.
std::shared_ptr<InputGate> InputGate::Detach() {
  if (state_ == State::kRunning && parent_ != nullptr) {
    const auto error = std::make_exception_ptr(std::runtime_error(
        "a critical section was dropped before it ended: what it waited for can never come, "
        "perhaps because it waited for an event that the section itself held back (a deadlock)"));
    for (const WorkPtr& work : std::exchange(waiting_, {})) work->Drop(error);
    if (root_->broken == nullptr) parent_->Fail(error);
  }
  parent_lock_.Drop();
  return std::exchange(parent_, nullptr);
}

std::shared_ptr<InputGate> InputGate::Standing() {
  std::shared_ptr<InputGate> at = shared_from_this();
  while (at->state_ == State::kOver) at = at->parent_;
  return at;
}

void InputGate::Wait(WorkPtr work) {
  if (root_->broken != nullptr) {
    work->Drop(root_->broken);
    return;
  }
  if (state_ == State::kOver) {
    Standing()->Wait(std::move(work));
    return;
  }
  waiting_.push_back(std::move(work));
  if (state_ == State::kNotStarted) {
    AskToStart();
  } else {
    LetNextIn();
  }
}

void InputGate::AskToStart() {
  if (state_ != State::kNotStarted || std::exchange(asked_to_start_, true)) return;
  const std::shared_ptr<InputGate> at = parent_->Standing();
  at->AskToStart();
  at->sections_.push_back(shared_from_this());
  at->LetNextIn();
}

void InputGate::Start(Lock parent_lock) {
  state_ = State::kRunning;
  parent_lock_ = std::move(parent_lock);
  LetNextIn();
}

void InputGate::LetNextIn() {
  if (state_ != State::kRunning || locks_ > 0 || root_->broken != nullptr) return;
  if (!sections_.empty()) {
    const std::shared_ptr<InputGate> section = sections_.pop_front();
    section->Start(Lock(shared_from_this()));
    return;
  }
  if (waiting_.empty()) return;
  WorkPtr work = waiting_.pop_front();
  root_->let_in(std::move(work), Lock(shared_from_this()));
}

void InputGate::Unlock() {
  CHECK(locks_ > 0);
  --locks_;
  if (state_ == State::kOver) {
    // The last of a section that is over: its parent's lock goes with it.
    if (locks_ == 0) parent_lock_.Drop();
    return;
  }
  LetNextIn();
}

InputGate::Lock InputGate::Succeed() {
  CHECK(state_ == State::kRunning);
  CHECK(parent_ != nullptr);
  state_ = State::kOver;
  const std::shared_ptr<InputGate> heir = parent_->Standing();
  for (auto& section : std::exchange(sections_, {})) heir->sections_.push_back(std::move(section));
  for (auto& work : std::exchange(waiting_, {})) heir->waiting_.push_back(std::move(work));
  Lock lock = parent_lock_;
  if (locks_ == 0) parent_lock_.Drop();
  return lock;
}

void InputGate::Fail(std::exception_ptr error) {
  if (root_->broken == nullptr) root_->broken = std::move(error);
  std::vector<std::shared_ptr<InputGate>> open{shared_from_this()};
  for (InputGate* at = parent_.get(); at != nullptr; at = at->parent_.get()) {
    open.push_back(at->shared_from_this());
  }
  while (!open.empty()) {
    const std::shared_ptr<InputGate> gate = std::move(open.back());
    open.pop_back();
    for (const WorkPtr& work : std::exchange(gate->waiting_, {})) work->Drop(root_->broken);
    for (auto& section : std::exchange(gate->sections_, {})) open.push_back(std::move(section));
  }
}

std::vector<WorkPtr> InputGate::TakeWaiting(const std::function<bool(const Work&)>& take) {
  std::vector<WorkPtr> taken;
  for (WorkPtr& work : waiting_.TakeFrom(0)) {
    if (take(*work)) {
      taken.push_back(std::move(work));
    } else {
      waiting_.push_back(std::move(work));
    }
  }
  return taken;
}

std::exception_ptr InputGate::broken() const { return root_->broken; }

}  // namespace tidemark::internal
