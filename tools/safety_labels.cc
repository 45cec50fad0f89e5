#include "tools/safety_labels.h"

#include <utility>

namespace tidemark::tools {

Status SafetyLabels::Before(const std::string& what) {
  const CommitInfo head = object_.head();
  if (!object_.exists() || head.lsn == labelled_) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(std::string label, object_.SetAutomaticLabel("before-" + what));
  labelled_ = head.lsn;
  if (count_++ == 0) first_ = std::move(label);
  return OkStatus();
}

}  // namespace tidemark::tools
