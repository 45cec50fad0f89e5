// Purger: an object goes without a trace: no byte of it, nor of its history, nor its name is left
// in any file of the store.
//
//   refuse what must not be -> its record, durable -> rows of the index -> every file of the log
//   written anew without it -> the index's file written anew -> every file searched for its id
//
// From the record on the object is gone for everybody, whatever crashes: packing leaves it out,
// recovery does not bring it back, and nothing can be made in its place before the purge has ended.
// Who continues a purge begins with the rows again; what is done already costs time only. The
// record itself has no name in it but the object's id. It is left out of the last file that is
// written anew, by which all others are clean.
//
// What others need stays as it is: it is refused while a timeline of another object begins on one
// of the object's.
//
// Threads: any; one at a time, and none that packs or verifies beside it.

#ifndef TIDEMARK_ENGINE_INTERNAL_PURGER_H_
#define TIDEMARK_ENGINE_INTERNAL_PURGER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/internal/object_state.h"
#include "engine/internal/pacer.h"
#include "engine/internal/purge_record.h"
#include "engine/store.h"

namespace tidemark::internal {

class StoreImpl;

class Purger {
 public:
  explicit Purger(StoreImpl* store) : store_(store) {}

  // Purges the object, or continues that, and all others that have begun. Errors: as Store::Purge.
  Result<PurgeReport> Purge(const std::shared_ptr<NamespaceState>& ns, const ObjectId& id,
                            std::string_view name, const Progress& progress);
  // Continues what has begun, in the background. Errors: as Packer::RunPaced.
  Status Continue(Pacer* pacer);

 private:
  // Its record, durably. Errors: kBusy, kExists, kNotFound; those of writing.
  Result<PurgeRow> Begin(const std::shared_ptr<NamespaceState>& ns, const ObjectId& id,
                         std::string_view name);
  Result<PurgeRow> Describe(const ObjectState& object) const;
  // Errors: kExists if another object waits to become what this one was.
  Status CheckNotAwaited(const ObjectState& object) const;
  Status CheckNotShared(const ObjectState& object, const PurgeRow& purge) const;
  Status Log(PurgeRow row);
  // Nothing is left of it in the index's tables.
  Status RemoveRows();
  Status RemoveRows(const PurgeRow& purge);
  // The log is clean: so is the rest when this returns. `searched` gets the bytes of all files.
  Status End(uint64_t* searched);
  Status Search(const std::string& path, FileSystem& files, const std::vector<PurgeRow>& purges,
                uint64_t* searched) const;

  StoreImpl* const store_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PURGER_H_
