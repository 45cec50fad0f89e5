// Interrupts: Ctrl-C as something that a shell reads, not the end of the process.

#ifndef TIDEMARK_TOOLS_INTERRUPTS_H_
#define TIDEMARK_TOOLS_INTERRUPTS_H_

#include <sqlite3.h>

#include <csignal>

namespace tidemark::tools {

// While one lives, SIGINT is remembered and interrupts the connection of the Statement that is
// there, whatever thread the system gives it to. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Whether a SIGINT came since the last Clear().
  static bool pending();
  // To be polled with what is waited for: it can be read while one is pending.
  static int pending_fd();
  static void Clear();

  // What runs on `db` while it lives is interrupted by SIGINT. One at a time.
  class Statement {
   public:
    explicit Statement(sqlite3* db);
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
  };

 private:
  struct sigaction old_ {};
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_INTERRUPTS_H_
