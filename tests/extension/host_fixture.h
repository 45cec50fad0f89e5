// What the tests of the loadable extension share: the built library, a place for stores, and a
// host.

#ifndef TIDEMARK_TESTS_EXTENSION_HOST_FIXTURE_H_
#define TIDEMARK_TESTS_EXTENSION_HOST_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/temp_directory.h"
#include "tests/tools/process.h"

namespace tidemark::testing {

// The file that hosts load, as the build made it.
inline constexpr char kExtension[] = TIDEMARK_EXTENSION;

class ShellTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (*TIDEMARK_SHELL == '\0') GTEST_SKIP() << "there is no sqlite3 shell: install sqlite3";
  }

  // Runs the sqlite3 shell, whose input loads the extension and then runs `script`.
  static ProcessResult Shell(const std::string& script,
                             const std::map<std::string, std::string>& environment = {});
  // The same, and expects that nothing fails; what it printed.
  static std::string Print(const std::string& script,
                           const std::map<std::string, std::string>& environment = {});
  // A name for .open and ATTACH, without its quotes.
  std::string Uri(const std::string& object, const std::string& more = "") const {
    return "file:" + object + "?vfs=tidemark&store=" + store() + more;
  }
  std::string store() const { return directory_ / "store"; }
  std::string Path(const std::string& name) const { return directory_ / name; }

 private:
  TempDirectory directory_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_EXTENSION_HOST_FIXTURE_H_
