// How an actor is reset: its instance ends at once, and whoever waits for it gets the error.

#include <string>
#include <utility>

#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {

void ActorHost::BreakSoon(std::exception_ptr error, Count reason) {
  PostSystem(
      MakeWork([this, error = std::move(error), reason] { BreakAtEndOfTurn(error, reason); }));
}

void ActorHost::BreakAtEndOfTurn(std::exception_ptr error, Count reason) {
  if (break_with_ != nullptr) return;
  break_with_ = std::move(error);
  break_reason_ = reason;
}

// Nobody hears of it before the next instance can be made: who hears of it may ask for that.
void ActorHost::Break(std::exception_ptr error) {
  if (over_) return;
  fate_->Break(error);
  ReportBreak(error);
  const std::vector<Incoming> late = Close(nullptr);
  input_gate_->Fail(error);
  if (retirement_ != nullptr) retirement_->gate->Fail(error);
  for (const LetIn& let_in : std::exchange(let_in_, {})) let_in.work->Drop(error);
  output_gate_.Break(error);
  for (const auto& outgoing : std::exchange(outgoing_, {})) outgoing->Fail(error);
  for (const auto& [call, key] : std::exchange(event_limits_, {})) runtime_->timers().Cancel(key);
  for (const auto& [number, call] : std::exchange(open_calls_, {})) call->Drop(error);
  for (const Incoming& incoming : late) incoming.work->Drop(error);
}

std::exception_ptr ActorHost::ResetError(StatusCode code, const std::string& message) const {
  return std::make_exception_ptr(
      ActorError(ActorFailure::kReset, Status(code, message), id_.object));
}

// What the application threw, as the error that resets the actor.
std::exception_ptr ActorHost::SectionError(std::exception_ptr thrown) const {
  try {
    std::rethrow_exception(ErrorFor(std::move(thrown)));
  } catch (const ActorError& error) {
    return std::make_exception_ptr(
        ActorError(ActorFailure::kReset, error.status(), id_.object, error.cause()));
  }
}

std::exception_ptr ActorHost::ErrorFor(std::exception_ptr thrown) const {
  if (break_with_ != nullptr) return break_with_;
  const auto remote = [&](StatusCode code, const char* message) {
    return std::make_exception_ptr(
        ActorError(ActorFailure::kThrown, Status(code, message), id_.object, thrown));
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return remote(error.code(), error.what());
  } catch (const std::exception& error) {
    return remote(StatusCode::kUnknown, error.what());
  } catch (...) {
    const std::string text = "internal error; reference = " + TraceScope::Current().ToString();
    Log(LogLevel::kError, "unknown_exception", text + ": what was thrown is no std::exception");
    return remote(StatusCode::kUnknown, text.c_str());
  }
}

}  // namespace tidemark::internal
