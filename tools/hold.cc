// tidemark hold: keeps the history of an object from expiring, until it is released.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/format.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::optional<std::string> reason;
  bool release = false;
};

void Run(const Arguments& arguments, bool json) {
  if (arguments.release && arguments.reason) {
    throw UsageFailure("hold", "--release excludes --reason");
  }
  if (arguments.reason && arguments.reason->size() > format::kMaxReasonBytes) {
    throw UsageFailure("hold", "--reason has at most " + std::to_string(format::kMaxReasonBytes) +
                                   " bytes, not " + std::to_string(arguments.reason->size()));
  }
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  std::optional<HoldInfo> hold;
  Timestamp horizon;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    const Subject about = session.AboutObject(name.text);
    if (arguments.release) {
      OrThrow(object->ReleaseHold(), about);
    } else {
      OrThrow(object->SetHold(arguments.reason.value_or("")), about);
    }
    const RetentionInfo info = OrThrow(object->GetRetention(), about);
    hold = info.hold;
    horizon = info.horizon;
  }
  session.Close();
  if (json) {
    Json document = {
        {"store", session.path()}, {"object", name.text}, {"hold", nullptr}, {"horizon", nullptr}};
    if (hold) document["hold"] = {{"reason", hold->reason}, {"since", FormatTime(hold->since)}};
    if (horizon != Timestamp()) document["horizon"] = FormatTime(horizon);
    PrintJson(document);
    return;
  }
  const std::string from =
      horizon == Timestamp() ? "its beginning" : "its horizon, " + FormatLocalTime(horizon);
  PrintLine(hold ? name.text + " is held: nothing from " + from + " on expires"
                 : name.text + " is held no more: it goes by its policy when history expires next");
}

}  // namespace

void AddHold(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(app,
            {.name = "hold",
             .summary = "Keep the history of an object from expiring",
             .usage = "STORE OBJECT [--reason TEXT | --release]",
             .details = "While it is held nothing of the object's history expires, whatever the "
                        "policies say, from the\nhorizon on that it has now. `tidemark retention` "
                        "lists what is held.",
             .example = "tidemark hold /var/lib/rooms rooms/lobby --reason \"case 7\"\n"
                        "tidemark hold /var/lib/rooms rooms/lobby --release",
             .json_fields = "{\"store\",\"object\",\"hold\":{\"reason\",\"since\"},\"horizon\"}; "
                            "hold: null after a release;\nhorizon: null if nothing has expired"},
            &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Option("--reason", "Why, for people to read", &arguments->reason);
  verb.Flag("--release", "Hold it no more", &arguments->release);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
