// The command line: what every verb's arguments have in common.
//
// STORE is the first argument of every verb, and may be left out when TIDEMARK_STORE is set. Which
// of the two was meant follows from the number of arguments: a verb that takes STORE and two more
// reads two as "STORE left out" and three as "STORE given". Only `ls` has an argument that may be
// missing besides; see Positionals::Resolve.

#ifndef TIDEMARK_TOOLS_COMMAND_LINE_H_
#define TIDEMARK_TOOLS_COMMAND_LINE_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

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

// Adds the verb with its help and its --json flag (into invocation->json).
CLI::App* AddVerb(CLI::App& app, const VerbHelp& help, Invocation* invocation);

// The arguments of one verb that stand without an option's name: STORE, then others.
class Positionals {
 public:
  // `verb` must outlive this; `store` gets the directory.
  Positionals(CLI::App* verb, std::string* store);

  // Adds an argument; `value` must live until Resolve. Optional ones come last.
  void Add(const std::string& name, const std::string& description, std::string* value);
  void AddOptional(const std::string& name, const std::string& description, std::string* value);

  // After parsing: decides whether STORE was left out and sets every value.
  // Throws a usage Failure that names what is missing.
  void Resolve() const;

 private:
  struct Slot {
    std::string name;
    std::string* value = nullptr;
    CLI::Option* option = nullptr;
    bool required = true;
  };

  void AddSlot(const std::string& name, const std::string& description, std::string* value,
               bool required);

  CLI::App* verb_;
  std::vector<Slot> slots_;  // slots_[0] is STORE
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_COMMAND_LINE_H_
