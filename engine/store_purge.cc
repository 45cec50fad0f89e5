// Store's purge: see internal/purger.h.

#include <new>

#include "engine/internal/purger.h"
#include "engine/internal/store_impl.h"
#include "engine/store.h"

namespace tidemark {

Result<PurgeReport> Store::Purge(std::string_view namespace_name, std::string_view name,
                                 const Progress& progress) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(ValidateName("object name", name));
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns, impl_->FindNamespace(namespace_name, IfMissing::kFail));
  return impl_->purger().Purge(ns, ns->factory.FromName(name), name, progress);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<PurgeReport> Store::Purge(std::string_view namespace_name, const ObjectId& id,
                                 const Progress& progress) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns, impl_->FindNamespace(namespace_name, IfMissing::kFail));
  if (!ns->factory.Owns(id)) {
    return Status(StatusCode::kInvalidArgument,
                  "id " + id.ToString() + " is not valid for namespace " + ns->name);
  }
  return impl_->purger().Purge(ns, id, std::string_view(), progress);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

}  // namespace tidemark
