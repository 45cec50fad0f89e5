// Console: where the verb that runs on this thread reads and writes.
//
// In the `tidemark` command that is the process's own stdin, stdout and stderr. A control server
// (tools/control_server.h) runs the same verbs for others: a thread of it enters a Scope, and what
// a verb prints there goes to the client, names that depend on where a user stands (the working
// directory, TIDEMARK_STORE, the time zone, the name of the program) are the client's, and a
// Session is of the store that the server has open.

#ifndef TIDEMARK_TOOLS_CONSOLE_H_
#define TIDEMARK_TOOLS_CONSOLE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {
class Store;
}

namespace tidemark::tools {

class Console {
 public:
  virtual ~Console() = default;

  // What is written may be held back until Flush(). Of a client that is gone they throw Failure,
  // which ends the verb.
  virtual void Out(std::string_view bytes) = 0;
  virtual void Err(std::string_view bytes) = 0;
  virtual void Flush() = 0;
  // Flush at the end. Throws Failure if something that was written did not come through: a result
  // that did not reach its reader is not a result.
  virtual void Finish() { Flush(); }
  // Up to `size` bytes of the standard input; 0 at its end. Throws Failure.
  virtual size_t Read(char* buffer, size_t size) = 0;
  // Nobody waits for the verb any more: long work ends then. Costs a system call.
  virtual bool Gone() { return false; }
};

// What a verb is served with. All of it must live as long as the Scope that names it.
struct Served {
  Console* console = nullptr;
  Store* store = nullptr;
  // Of the client.
  std::string program{};
  std::string directory{};
  std::string environment_store{};  // TIDEMARK_STORE; empty if it is not set
  // Its time zone is this process's, too. Else times are written in UTC, and must name a zone.
  bool same_time_zone = true;
};

// While it lives, verbs on this thread are served so. They do not nest.
class Scope {
 public:
  explicit Scope(const Served& served);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Null outside of one.
  static const Served* current();
};

// That of this thread.
Console& ThisConsole();

// On stdout, as they are.
inline void Print(std::string_view bytes) { ThisConsole().Out(bytes); }
// So that what follows on stderr stands behind what was printed.
inline void FlushOutput() { ThisConsole().Flush(); }

// The environment's TIDEMARK_STORE; empty if it is not set.
std::string StoreFromEnvironment();

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_CONSOLE_H_
