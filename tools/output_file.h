// OutputFile: a file that appears whole under its name, or not at all.

#ifndef TIDEMARK_TOOLS_OUTPUT_FILE_H_
#define TIDEMARK_TOOLS_OUTPUT_FILE_H_

#include <cstddef>
#include <span>
#include <string>

namespace tidemark::tools {

enum class IfExists { kFail, kReplace };

// Written under a temporary name beside the target, synced, then renamed. The destructor removes
// the temporary file if Commit() did not succeed.
class OutputFile {
 public:
  // Throws Failure if the target exists (kFail), or if a -journal or -wal file stands beside it:
  // SQLite would take it for this database's own and write its pages into it.
  OutputFile(const std::string& path, IfExists if_exists);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Appends. Throws Failure.
  void Write(std::span<const std::byte> bytes);
  // Makes the file durable under its name. Throws Failure; the target is then as it was.
  void Commit();

 private:
  std::string path_;
  std::string temporary_path_;  // empty once renamed
  IfExists if_exists_;
  int fd_ = -1;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_OUTPUT_FILE_H_
