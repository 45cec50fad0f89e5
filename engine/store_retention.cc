// What Store and Object say of retention: policies, holds, licences, and what would expire.

#include <new>
#include <utility>

#include "engine/format.h"
#include "engine/internal/packer.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/store_impl.h"
#include "engine/store.h"

namespace tidemark {

using internal::ObjectState;
using internal::RuleRow;

namespace {

constexpr std::chrono::hours kLongestWindow{24ll * 366 * 10'000};

Status CheckPolicy(const RetentionPolicy& policy) {
  for (const auto span : {policy.window, policy.hourly, policy.daily}) {
    if (span.count() < 0 || span > kLongestWindow) {
      return Status(StatusCode::kInvalidArgument,
                    "a policy keeps history for 0 seconds to ten thousand years, not for " +
                        std::to_string(span.count()) + " seconds");
    }
  }
  return OkStatus();
}

}  // namespace

RetentionScope::RetentionScope(const Object& object)
    : namespace_name_(object.namespace_name()),
      object_(object.id()),
      object_name_(object.name()),
      display_name_(object.DisplayName()) {}

std::string RetentionScope::ToString() const {
  if (object_) return "object " + display_name_;
  return namespace_name_.empty() ? "the store" : "namespace " + namespace_name_;
}

// ---- the store ---------------------------------------------------------------------------------

Result<Store::Scope> Store::FindScope(const RetentionScope& scope) const {
  Scope found;
  found.tag = internal::StoreTag();
  if (scope.namespace_name().empty()) return found;
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns,
                            impl_->FindNamespace(scope.namespace_name(), IfMissing::kFail));
  if (ns->id == 0) {
    return Status(StatusCode::kNotFound,
                  "namespace " + scope.namespace_name() + " does not exist in " + directory());
  }
  found.namespace_id = ns->id;
  found.tag = internal::NamespaceTag(ns->name);
  if (!scope.object()) return found;
  TIDEMARK_ASSIGN_OR_RETURN(
      found.object,
      impl_->FindObject(ns, *scope.object(), scope.object_name(), IfMissing::kDeleted));
  found.tag = ObjectTag(*scope.object());
  return found;
}

Status Store::SetRetention(const RetentionScope& scope, const RetentionPolicy& policy) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(CheckPolicy(policy));
  TIDEMARK_ASSIGN_OR_RETURN(const Scope found, FindScope(scope));
  return impl_->retention().SetPolicy(found.namespace_id, found.object.get(), found.tag, policy);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::ClearRetention(const RetentionScope& scope) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const Scope found, FindScope(scope));
  return impl_->retention().SetPolicy(found.namespace_id, found.object.get(), found.tag,
                                      std::nullopt);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::SetBudget(std::optional<uint64_t> bytes) try {
  if (bytes == 0) {
    return Status(StatusCode::kInvalidArgument,
                  "a budget of 0 bytes holds no history: none is set by giving none");
  }
  return impl_->retention().SetBudget(bytes);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<RetentionInfo> Store::GetRetention(const RetentionScope& scope) const try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const Scope found, FindScope(scope));
  if (found.object != nullptr) return impl_->retention().InfoOf(*found.object);
  return impl_->retention().InfoOfNamespace(found.namespace_id);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<std::vector<RetentionEntry>> Store::ListRetention() const try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto rules, impl_->retention().table().List());
  std::vector<RetentionEntry> entries;
  const auto namespaces = impl_->Namespaces();
  for (const RuleRow& rule : rules) {
    if (!rule.set && rule.budget_bytes == 0) continue;
    RetentionEntry entry;
    if (rule.budget_bytes != 0) entry.budget_bytes = rule.budget_bytes;
    if (rule.key.object) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                                impl_->FindObjectByTag(ObjectTag(*rule.key.object)));
      entry.scope = "object " + (object == nullptr ? rule.key.object->ToString() + " (damaged)"
                                                   : object->DisplayName());
    } else if (rule.key.namespace_id == 0) {
      entry.scope = RetentionScope().ToString();
    } else {
      entry.scope = "namespace " + std::to_string(rule.key.namespace_id) + " (damaged)";
      for (const auto& ns : namespaces) {
        if (ns->id == rule.key.namespace_id) entry.scope = RetentionScope(ns->name).ToString();
      }
    }
    if (rule.key.kind == internal::RuleKind::kHold) {
      entry.hold = HoldInfo{.reason = rule.reason, .since = rule.time};
    } else if (rule.set) {
      entry.policy = rule.policy;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::Prune() try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  // Before anything is read for it.
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, impl_->retention().BudgetBytes());
  if (budget == 0 || !impl_->retention().CheckLicence().ok()) return impl_->retention().Licence();
  TIDEMARK_ASSIGN_OR_RETURN(const auto move, impl_->retention().FindBudgetMove());
  return impl_->retention().Licence(move);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::RunRetention() try {
  return impl_->retention_worker().Step();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::ConfirmClock() try {
  return impl_->retention().ConfirmClock();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::PlanPrune(const std::function<bool(const ExpiringObject&)>& visit,
                        uint64_t* freed_bytes) const try {
  TIDEMARK_RETURN_IF_ERROR(impl_->retention().CheckLicence());
  TIDEMARK_ASSIGN_OR_RETURN(const auto move, impl_->retention().FindBudgetMove());
  const internal::LicenceRow next = impl_->retention().NextLicence(move);
  Status status;
  const auto plan = [&](const ObjectSummary& summary) {
    ExpiringObject expiring{.id = summary.id,
                            .namespace_name = summary.namespace_name,
                            .name = summary.name,
                            .display_name = {},
                            .commits = 0,
                            .newest = {},
                            .oldest = {}};
    status = CountExpiring(next, &expiring);
    return status.ok() && (expiring.commits == 0 || visit(expiring));
  };
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    TIDEMARK_RETURN_IF_ERROR(ListObjects("", plan, which));
    TIDEMARK_RETURN_IF_ERROR(status);
  }
  if (freed_bytes == nullptr) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(*freed_bytes, impl_->packer().Estimate(next));
  return OkStatus();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::CountExpiring(const internal::LicenceRow& next, ExpiringObject* expiring) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns,
                            impl_->FindNamespace(expiring->namespace_name, IfMissing::kFail));
  TIDEMARK_ASSIGN_OR_RETURN(
      const auto state, impl_->FindObject(ns, expiring->id, expiring->name, IfMissing::kDeleted));
  expiring->display_name = state->DisplayName();
  return impl_->retention().VisitExpiring(next, state, [&](const CommitInfo& commit) {
    if (expiring->commits++ == 0) expiring->newest = commit;
    expiring->oldest = commit;
    return true;
  });
}

// ---- an object ---------------------------------------------------------------------------------

Status Object::SetHold(std::string_view reason) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (reason.size() > format::kMaxReasonBytes) {
    return Status(StatusCode::kInvalidArgument, "the reason of a hold has at most " +
                                                    std::to_string(format::kMaxReasonBytes) +
                                                    " bytes, not " + std::to_string(reason.size()));
  }
  if (head().kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " does not exist");
  }
  return store_->retention().SetHold(*state_, reason);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Status Object::ReleaseHold() try {
  return store_->retention().ReleaseHold(*state_);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<RetentionInfo> Object::GetRetention() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  return store_->retention().InfoOf(*state_);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
