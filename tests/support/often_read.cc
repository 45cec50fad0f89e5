#include "tests/support/often_read.h"

#include "tests/support/store_peer.h"

namespace tidemark::testing {

void TakeReadsForMany(Store& store) {
  internal::StorePeer::Impl(store).chain_reads().set_rule({.links_for_image = 8,
                                                           .links_for_log_kib = 1,
                                                           .links_for_segment_kib = 0,
                                                           .chains_for_commit = 0});
}

}  // namespace tidemark::testing
