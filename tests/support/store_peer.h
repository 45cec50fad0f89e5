// StorePeer: the inside of a store, for tests of what its interface does not show.

#ifndef TIDEMARK_TESTS_SUPPORT_STORE_PEER_H_
#define TIDEMARK_TESTS_SUPPORT_STORE_PEER_H_

#include "engine/internal/store_impl.h"
#include "engine/store.h"

namespace tidemark::internal {

class StorePeer {
 public:
  static StoreImpl& Impl(Store& store) { return *store.impl_; }
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_TESTS_SUPPORT_STORE_PEER_H_
