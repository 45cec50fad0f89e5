// ServedConsole: the console of a verb that runs for a client of a control socket.

#ifndef TIDEMARK_TOOLS_SERVED_CONSOLE_H_
#define TIDEMARK_TOOLS_SERVED_CONSOLE_H_

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "tools/console.h"
#include "tools/control_wire.h"

namespace tidemark::tools {

// Used by one thread. Once the client is gone, or has stalled, every call but Gone() throws
// Failure.
class ServedConsole final : public Console {
 public:
  // `stopping`: the server ends, which is as if all clients were gone. Both must outlive it.
  ServedConsole(int socket, FrameReader* reader, const std::atomic<bool>* stopping,
                std::chrono::milliseconds stall_timeout, size_t max_input_bytes);

  void Out(std::string_view bytes) override;
  void Err(std::string_view bytes) override;
  void Flush() override;
  size_t Read(char* buffer, size_t size) override;
  bool Gone() override;

  // The last thing.
  void Exit(int code);

 private:
  void Send(FrameKind kind, std::string_view bytes);
  [[noreturn]] void GiveUp(const std::string& why);

  const int socket_;
  FrameReader& reader_;
  const std::atomic<bool>& stopping_;
  const std::chrono::milliseconds stall_timeout_;
  size_t input_left_;  // that the client may still send
  std::string held_;   // of Out
  std::string input_;  // received and not read
  bool input_ended_ = false;
  bool gone_ = false;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SERVED_CONSOLE_H_
