// Other processes: peers, and this program again, to be killed or to have memory and descriptors of
// its own (main.cc says which arguments it has then).

#ifndef TIDEMARK_BENCH_PROCESS_H_
#define TIDEMARK_BENCH_PROCESS_H_

#include <string>
#include <vector>

namespace tidemark::bench {

struct ProcessEnd {
  int status = 0;      // as waitpid gives it
  std::string output;  // what it printed, standard error left out
};

// Runs `program` with `arguments` to its end. It is looked for in PATH if it has no slash.
ProcessEnd RunProcess(const std::string& program, const std::vector<std::string>& arguments);

// The same with this program.
ProcessEnd RunSelf(const std::vector<std::string>& arguments);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_PROCESS_H_
