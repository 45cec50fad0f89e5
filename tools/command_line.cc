#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "tools/failure.h"

namespace tidemark::tools {

namespace {

// CLI11 would make up a usage line in which every argument looks optional.
class VerbFormatter : public CLI::Formatter {
 public:
  explicit VerbFormatter(std::string usage) : usage_(std::move(usage)) { column_width(24); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: " + usage_ + "\n";
  }

 private:
  std::string usage_;
};

std::string Indent(const std::string& lines) {
  std::string indented = "  ";
  for (const char c : lines) {
    indented += c;
    if (c == '\n') indented += "  ";
  }
  return indented;
}

std::string StoreFromEnvironment() {
  const char* value = std::getenv("TIDEMARK_STORE");
  return value == nullptr ? "" : value;
}

CLI::App* MakeVerb(CLI::App& app, const VerbHelp& help, Invocation* invocation) {
  CLI::App* verb = app.add_subcommand(help.name, help.summary);
  verb->formatter(
      std::make_shared<VerbFormatter>("tidemark " + help.name + " [OPTIONS] " + help.usage));
  std::string footer;
  if (!help.details.empty()) footer += help.details + "\n\n";
  footer += "Example:\n" + Indent(help.example) + "\n\n--json prints:\n" + Indent(help.json_fields);
  verb->footer(footer);
  verb->add_flag("--json", invocation->json, "Print one JSON document (fields: see below)");
  return verb;
}

}  // namespace

// The arguments that stand without an option's name: STORE, then others.
class Verb::Positionals {
 public:
  explicit Positionals(CLI::App* verb) : verb_(verb) {}

  void Add(const std::string& name, const std::string& description, std::string* value,
           bool required) {
    slots_.push_back({.name = name,
                      .value = value,
                      .option = verb_->add_option(name, *value, description),
                      .required = required});
  }

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

  CLI::App* const verb_;
  std::vector<Slot> slots_;  // slots_[0] is STORE
};

Verb::Verb(CLI::App& app, const VerbHelp& help, std::string* store, Invocation* invocation)
    : verb_(MakeVerb(app, help, invocation)),
      invocation_(invocation),
      positionals_(std::make_shared<Positionals>(verb_)) {
  Argument("STORE", "Directory of the store; may be left out when TIDEMARK_STORE is set", store);
}

void Verb::Argument(const std::string& name, const std::string& description, std::string* value) {
  positionals_->Add(name, description, value, /*required=*/true);
}

void Verb::OptionalArgument(const std::string& name, const std::string& description,
                            std::string* value) {
  positionals_->Add(name, description, value, /*required=*/false);
}

void Verb::Option(const std::string& names, const std::string& description,
                  std::optional<std::string>* value) {
  verb_->add_option(names, *value, description);
}

void Verb::RequiredOption(const std::string& names, const std::string& description,
                          std::string* value) {
  verb_->add_option(names, *value, description)->required();
}

void Verb::Option(const std::string& names, const std::string& description, uint64_t* value) {
  verb_->add_option(names, *value, description)->capture_default_str();
}

void Verb::Option(const std::string& names, const std::string& description,
                  std::vector<std::string>* values) {
  // One a time: what follows is an argument again.
  verb_->add_option(names, *values, description)->expected(1)->take_all();
}

void Verb::Flag(const std::string& names, const std::string& description, bool* value) {
  verb_->add_flag(names, *value, description);
}

void Verb::OnRun(std::function<void()> run) {
  verb_->callback([positionals = positionals_, invocation = invocation_, run = std::move(run)] {
    positionals->Resolve();
    invocation->run = run;
  });
}

void Verb::Positionals::Resolve() const {
  std::vector<std::string> given;
  for (const Slot& slot : slots_) {
    if (slot.option->count() > 0) given.push_back(*slot.value);
    slot.value->clear();
  }
  size_t required = 0;  // STORE included
  for (const Slot& slot : slots_) required += slot.required ? 1 : 0;

  const std::string environment = StoreFromEnvironment();
  bool left_out = !environment.empty() && given.size() < required;
  if (!environment.empty() && given.size() == required && required < slots_.size()) {
    // `ls X`: with TIDEMARK_STORE set, X is what may follow STORE. A path with a slash is no
    // namespace, so it can only be a STORE.
    left_out = given.back().find('/') == std::string::npos;
  }
  if (left_out) given.insert(given.begin(), environment);

  if (given.size() < required) {
    const bool store_missing = environment.empty() && given.size() + 1 == required;
    std::string message = verb_->get_name() + ": ";
    if (given.empty() || store_missing) {
      message += "STORE is missing, and TIDEMARK_STORE is not set";
      if (store_missing && required > 1) {
        message += " (only " + std::to_string(given.size()) + " of " + std::to_string(required) +
                   " arguments were given)";
      }
    } else {
      message += slots_[given.size()].name + " is missing";
    }
    throw UsageFailure(verb_->get_name(), message);
  }
  for (size_t i = 0; i < given.size(); ++i) *slots_[i].value = given[i];
  if (slots_[0].value->empty()) {
    throw UsageFailure(verb_->get_name(), verb_->get_name() + ": STORE is an empty text");
  }
}

}  // namespace tidemark::tools
