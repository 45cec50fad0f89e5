// NAMESPACE/ on the command line, where a verb that takes an object takes all of them, too; and the
// points of a namespace.

#ifndef TIDEMARK_TOOLS_NAMESPACE_ARGUMENTS_H_
#define TIDEMARK_TOOLS_NAMESPACE_ARGUMENTS_H_

#include <string>

#include "engine/bookmark.h"
#include "tools/failure.h"
#include "tools/session.h"

namespace tidemark::tools {

inline constexpr char kNamespaceHelp[] =
    "NAMESPACE/NAME of the object, such as rooms/lobby; or NAMESPACE/ for all of them";

struct NamespaceArgument {
  std::string name;
  std::string text;  // "rooms/", as commands have it
};

// Does it end in its only slash, "rooms/"?
bool NamesNamespace(const std::string& text);
// Throws Failure (usage) for what can be no namespace.
NamespaceArgument ParseNamespaceArgument(const std::string& text, const std::string& store);

// A POINT of a namespace. A time is fixed here, so that what is printed means the same later.
// Throws Failure (usage).
Point ParseNamespacePoint(const std::string& text, const std::string& store,
                          const NamespaceArgument& ns);
// As it can be typed again: a bookmark, or a time to the microsecond.
std::string PointText(const Point& point);
std::string DescribePoint(const Point& point);

Subject AboutNamespacePoint(const Session& session, const NamespaceArgument& ns);
// With what holds, or is to be done, as the hint, unless there is a better one.
Failure ExplainNamespace(const Status& status, const Session& session, const NamespaceArgument& ns,
                         const std::string& what_holds);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_NAMESPACE_ARGUMENTS_H_
