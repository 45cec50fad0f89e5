// Dictionaries in packed segments of stores that are too small to need any: see
// engine/internal/dictionary.h.

#ifndef TIDEMARK_TESTS_SUPPORT_DICTIONARIES_H_
#define TIDEMARK_TESTS_SUPPORT_DICTIONARIES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

// From here on packing gives a dictionary to any object that has some blocks in a job and of which
// anything can be learnt. An open store; the next opening forgets it.
void UseDictionariesEarly(Store& store);

// Rows of text that are alike, and of which something can be learnt.
void FillWithRows(std::span<std::byte> out, Random& random);

// Where dictionaries begin in the packed files of "store".
struct DictionaryPosition {
  std::string path;
  uint64_t offset = 0;  // of what was learnt, behind its hash
};
std::vector<DictionaryPosition> FindDictionaries(SimFileSystem& fs);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_DICTIONARIES_H_
