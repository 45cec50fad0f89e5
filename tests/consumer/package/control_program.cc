// A program in C++ on the installed package: it serves its store to the installed command.
//
//   control_program DIRECTORY TIDEMARK      a directory that does not exist; the command

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tools/control_server.h"
#include "vfs/database.h"

namespace {

bool Run(const std::string& directory, const std::string& command) {
  auto store = tidemark::Store::Open(directory, {.create_if_missing = true}).value();
  bool ok = false;
  {
    const auto control = tidemark::ControlServer::Start(*store).value();
    const std::string sql = command + " sql " + directory + " rooms/lobby --create ";
    ok = std::system((sql + "'create table t(x); insert into t values(7)' 2>/dev/null").c_str()) ==
         0;
    auto db = tidemark::Database::Open(*store, "rooms", "lobby").value();
    ok = ok && db.Exec("update t set x = x + 1 where x = 7").ok();
    ok = ok && std::system((sql + "'select x from t' | grep -q 8").c_str()) == 0;
  }
  return store->Close().ok() && ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !Run(argv[1], argv[2])) return 1;
  std::printf("a command served: ok\n");
  return 0;
}
