#include "engine/commit_info.h"

namespace tidemark {

std::string_view CommitKindName(CommitKind kind) {
  switch (kind) {
    case CommitKind::kNone: return "none";
    case CommitKind::kCommit: return "commit";
    case CommitKind::kRestore: return "restore";
    case CommitKind::kFork: return "fork";
    case CommitKind::kPromote: return "promote";
    case CommitKind::kDelete: return "delete";
    case CommitKind::kUndelete: return "undelete";
  }
  return "unknown";
}

}  // namespace tidemark
