#include "tools/console.h"

#include <cstdio>
#include <cstdlib>

#include "tools/failure.h"

namespace tidemark::tools {

namespace {

thread_local const Served* served_here = nullptr;

// The process's own.
class ProcessConsole final : public Console {
 public:
  void Out(std::string_view bytes) override { std::fwrite(bytes.data(), 1, bytes.size(), stdout); }
  void Err(std::string_view bytes) override { std::fwrite(bytes.data(), 1, bytes.size(), stderr); }
  void Flush() override { std::fflush(stdout); }
  void Finish() override {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
    throw FileFailure("the output could not be written",
                      "the work itself is done; see what stands where stdout goes");
  }
  size_t Read(char* buffer, size_t size) override {
    const size_t read = std::fread(buffer, 1, size, stdin);
    if (read == 0 && std::ferror(stdin) != 0) {
      throw FileFailure("cannot read from stdin", "nothing was changed");
    }
    return read;
  }
};

}  // namespace

Scope::Scope(const Served& served) { served_here = &served; }
Scope::~Scope() { served_here = nullptr; }
const Served* Scope::current() { return served_here; }

Console& ThisConsole() {
  static ProcessConsole console;
  return served_here == nullptr ? console : *served_here->console;
}

std::string StoreFromEnvironment() {
  if (served_here != nullptr) return served_here->environment_store;
  const char* value = std::getenv("TIDEMARK_STORE");
  return value == nullptr ? "" : value;
}

}  // namespace tidemark::tools
