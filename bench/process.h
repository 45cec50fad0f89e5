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

// One that runs beside the benchmark, its output left out, until this goes.
class BackgroundProcess {
 public:
  BackgroundProcess(const std::string& program, const std::vector<std::string>& arguments);
  ~BackgroundProcess();  // ends it by SIGTERM, and waits for it
  BackgroundProcess(const BackgroundProcess&) = delete;
  BackgroundProcess& operator=(const BackgroundProcess&) = delete;

  bool running();

 private:
  int pid_ = 0;
};

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_PROCESS_H_
