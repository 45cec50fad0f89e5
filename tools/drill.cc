// tidemark drill: restores random past states into nothing, to show that they can be had.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

Json OldestJson(Timestamp oldest) {
  return oldest == Timestamp() ? Json() : Json(FormatTime(oldest));
}

void Run(const std::string& directory, uint64_t count, bool json) {
  Session session(directory);
  DrillReport report;
  {
    Progress progress("drilling");
    report = OrThrow(session.store().Drill(
                         count, [&](uint64_t done, uint64_t all) { progress.Update(done, all); }),
                     session.AboutStore());
  }
  const Timestamp oldest = session.store().Stats().health.oldest_verified;
  // Closing writes; what was found must be told even if that fails.
  if (json) {
    PrintJson({{"store", session.path()},
               {"drills", report.drills},
               {"failures", report.failures},
               {"bytes", report.bytes},
               {"failure", report.failure.empty() ? Json() : Json(report.failure)},
               {"oldest_verified_restorable_time", OldestJson(oldest)}});
  } else {
    PrintLine("restored " + Plural(report.drills, "state") + " of " + FormatBytes(report.bytes) +
              ": " +
              (report.failures == 0 ? "every state hash is right"
                                    : FormatCount(report.failures) + " failed"));
    if (oldest != Timestamp()) PrintLine("the oldest of them is of " + FormatLocalTime(oldest));
  }
  if (report.failures > 0) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage, report.failure,
                  "list all that is damaged with tidemark verify, and bring the files back from a "
                  "backup");
  }
  session.Close();
}

}  // namespace

void AddDrill(CLI::App& app, Invocation* invocation) {
  struct Arguments {
    std::string store;
    uint64_t count = 10;
  };
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "drill",
       .summary = "Make random past states and check that they are right",
       .usage = "STORE [--count N]",
       .details =
           "A restore drill: of a random object a random commit that has not expired, or the\n"
           "oldest state that it can be restored to, is made as a restore would, into nothing,\n"
           "and checked by its state hash. Exit code 3 if one is wrong or cannot be made.",
       .example = "tidemark drill /var/lib/rooms --count 100",
       .json_fields = "{\"store\",\"drills\",\"failures\",\"bytes\",\"failure\" (the last, "
                      "or null),\n \"oldest_verified_restorable_time\" (or null)}"},
      &arguments->store, invocation);
  verb.Option("--count", "How many drills to make", &arguments->count);
  verb.OnRun([=] { Run(arguments->store, arguments->count, invocation->json); });
}

}  // namespace tidemark::tools
