// ControlServer: lets the `tidemark` command work on a store that this process has open.
//
//   auto control = tidemark::ControlServer::Start(*store);
//
// From then on `tidemark sql STORE ...`, and every verb that needs nothing but the store (bookmark,
// restore, log, stat, fork, label, ls and more), finds the socket control.sock in the store's
// directory and is run here, by the same code and with the same output as if the command had opened
// the store itself. Without it the command ends with kInUse and this process's pid.
//
// Who may: processes of this process's own user, nobody else, root neither. The socket's mode is
// 0600, and the user of each peer is asked of the kernel. No file is opened for a client: verbs
// that read or write files (import, export, salvage) are not served, nor does SQL attach any.

#ifndef TIDEMARK_TOOLS_CONTROL_SERVER_H_
#define TIDEMARK_TOOLS_CONTROL_SERVER_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

struct ControlOptions {
  // Served at once, 1 to 64; those beyond are told so at once. A client that waits for its user to
  // type its standard input keeps its place.
  size_t max_clients = 4;
  // A client that does not send its request, or does not take a part of its output, for so long is
  // given up. Until then what it reads or writes is as with any slow connection: an SQL transaction
  // that has changed something keeps the object's write lock.
  std::chrono::milliseconds stall_timeout{10'000};
  // Of a client's standard input, all in all.
  size_t max_input_bytes = 16 << 20;
};

// Threads: one that accepts, and one for each client, all of its own, with signals blocked. They
// use the store as any thread may. Memory: about max_input_bytes and a quarter of a megabyte for
// each client, what SQLite needs for its statements, and up to 20 MB for a listing of objects.
class ControlServer {
 public:
  // Makes the socket, in the place of one that an owner who was killed has left, and serves it
  // until the ControlServer is destroyed: that must be before the store is closed. `store` must
  // have been opened by this process, and only one ControlServer is to serve it. Reads TZ of the
  // environment.
  //
  // Errors: kInvalidArgument (options); kReadOnly (the directory may not be written to); kIoError
  // (the system makes no socket there, as some file systems do not).
  static Result<std::unique_ptr<ControlServer>> Start(Store& store,
                                                      const ControlOptions& options = {});

  // Removes the socket, cuts off who is served, and waits for those threads: a statement of SQL
  // ends within a moment, and what it did in a transaction is rolled back. What was committed
  // stays.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  class Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark

#endif  // TIDEMARK_TOOLS_CONTROL_SERVER_H_
