// The hidden table behind Kv, and its statements.

#ifndef TIDEMARK_API_INTERNAL_KV_TABLE_H_
#define TIDEMARK_API_INTERNAL_KV_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "api/internal/connection.h"
#include "api/internal/transaction_state.h"

namespace tidemark::internal {

// The table comes to be with the first write, so that an object that only uses SQL never has it.
class KvTable {
 public:
  KvTable(Connection& connection, TransactionState& transaction);

  // Whether it is there, now.
  bool Exists();
  // Within a transaction.
  void Create();

  OwnStatement& get() { return get_; }
  OwnStatement& put() { return put_; }
  OwnStatement& remove() { return remove_; }
  // Statements of lists, by index.
  static size_t ListIndex(bool has_high, bool reverse) {
    return (has_high ? 1u : 0u) + (reverse ? 2u : 0u);
  }
  OwnStatement& list(size_t index) { return *lists_[index]; }

  // Ends whatever list is open; returns the number of the new one.
  uint64_t BeginList();
  uint64_t list_number() const { return list_number_; }

 private:
  enum class Known { kNothing, kAbsent, kPresent };

  TransactionState& transaction_;
  OwnStatement exists_;
  OwnStatement create_;
  OwnStatement get_;
  OwnStatement put_;
  OwnStatement remove_;
  OwnStatement list_from_;
  OwnStatement list_between_;
  OwnStatement list_from_reverse_;
  OwnStatement list_between_reverse_;
  std::array<OwnStatement*, 4> lists_;
  uint64_t list_number_ = 0;
  Known known_ = Known::kNothing;
  uint64_t known_at_ = 0;  // TransactionState::rollbacks() then
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_KV_TABLE_H_
