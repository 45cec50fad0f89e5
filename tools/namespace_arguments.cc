#include "tools/namespace_arguments.h"

#include <algorithm>
#include <variant>

#include "engine/object_id.h"

namespace tidemark::tools {

bool NamesNamespace(const std::string& text) {
  return text.size() > 1 && text.find('/') == text.size() - 1;
}

NamespaceArgument ParseNamespaceArgument(const std::string& text, const std::string& store) {
  if (!NamesNamespace(text)) {
    throw UsageFailure("", "\"" + text +
                               "\" names no namespace: NAMESPACE/ is its name and a slash, such "
                               "as rooms/");
  }
  NamespaceArgument ns{.name = text.substr(0, text.size() - 1), .text = text};
  OrThrow(ValidateNamespaceName(ns.name),
          Subject{.kind = Subject::Kind::kObject, .store = AbsolutePath(store), .object = text});
  return ns;
}

Point ParseNamespacePoint(const std::string& text, const std::string& store,
                          const NamespaceArgument& ns) {
  const Timestamp now = Clock::System()->Now();
  const auto parsed = ParsePoint(text, now);
  if (!parsed.ok() || std::holds_alternative<Label>(*parsed)) {
    const std::string why =
        parsed.ok() ? "\"" + text + "\" would be a label, which names a commit of one object"
                    : parsed.status().message();
    throw Failure("malformed", kExitUsage, why,
                  "a point of a namespace is a time, or a bookmark as printed by: " +
                      Command({"bookmark", AbsolutePath(store), ns.text}));
  }
  if (const auto* time = std::get_if<Timestamp>(&*parsed)) return Point(std::min(*time, now));
  return *parsed;
}

std::string PointText(const Point& point) {
  if (const auto* time = std::get_if<Timestamp>(&point)) return FormatTime(*time);
  return std::get<Bookmark>(point).ToString();
}

std::string DescribePoint(const Point& point) {
  if (const auto* time = std::get_if<Timestamp>(&point)) {
    return PointText(point) + "  (" + FormatLocalTime(*time) + ")";
  }
  return PointText(point);
}

Subject AboutNamespacePoint(const Session& session, const NamespaceArgument& ns) {
  return {.kind = Subject::Kind::kObject, .store = session.path(), .object = ns.text};
}

Failure ExplainNamespace(const Status& status, const Session& session, const NamespaceArgument& ns,
                         const std::string& what_holds) {
  Failure failure = Explain(status, AboutNamespacePoint(session, ns));
  switch (status.code()) {
    case StatusCode::kForeign:
      failure.hint = "a bookmark of the namespace as it is now is printed by: " +
                     Command({"bookmark", session.path(), ns.text});
      break;
    case StatusCode::kFuture:
    case StatusCode::kLost:
    case StatusCode::kExpired:
    case StatusCode::kBusy:
    case StatusCode::kExists:
    case StatusCode::kInvalidArgument: failure.hint = what_holds; break;
    default: break;
  }
  return failure;
}

}  // namespace tidemark::tools
