// The command line: what a verb says of itself and its arguments, and what all have in common.
//
// STORE is the first argument of every verb, and may be left out when TIDEMARK_STORE is set. Which
// of the two was meant follows from the number of arguments: a verb that takes STORE and two more
// reads two as "STORE left out" and three as "STORE given". Only `ls` has an argument that may be
// missing besides.
//
// CLI11 parses; its header takes seconds to compile, and only command_line.cc and main.cc read it.

#ifndef TIDEMARK_TOOLS_COMMAND_LINE_H_
#define TIDEMARK_TOOLS_COMMAND_LINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidemark::tools {

// What the command line asked for: filled in by the verb that was named.
struct Invocation {
  bool json = false;          // errors, too, are written as JSON
  std::function<void()> run;  // throws Failure
};

struct VerbHelp {
  std::string name;
  std::string summary;      // one line, for the list of verbs
  std::string usage;        // what follows the verb: "STORE OBJECT [--limit N]"
  std::string details;      // what a user must know before running it
  std::string example;      // commands, a line each
  std::string json_fields;  // what --json prints
};

// One verb, with its help, its --json flag (into invocation->json) and its arguments. What is named
// in the constructor, and every `value`, must live until the verb has run.
class Verb {
 public:
  // `store` gets the directory.
  Verb(CLI::App& app, const VerbHelp& help, std::string* store, Invocation* invocation);

  // What stands without an option's name, behind STORE and in this order. Optional ones come last.
  void Argument(const std::string& name, const std::string& description, std::string* value);
  void OptionalArgument(const std::string& name, const std::string& description,
                        std::string* value);

  // `names` are those of CLI11: "-o,--output".
  void Option(const std::string& names, const std::string& description,
              std::optional<std::string>* value);
  void RequiredOption(const std::string& names, const std::string& description, std::string* value);
  // May be given several times.
  void Option(const std::string& names, const std::string& description,
              std::vector<std::string>* values);
  // Its help shows what `value` is now.
  void Option(const std::string& names, const std::string& description, uint64_t* value);
  void Flag(const std::string& names, const std::string& description, bool* value);

  // What the verb does, once it was named and its arguments are there (else a usage Failure names
  // what is missing).
  void OnRun(std::function<void()> run);

 private:
  class Positionals;

  CLI::App* const verb_;
  Invocation* const invocation_;
  const std::shared_ptr<Positionals> positionals_;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_COMMAND_LINE_H_
