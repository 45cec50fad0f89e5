// Damaged places, as --json tells them.

#ifndef TIDEMARK_TOOLS_DAMAGE_JSON_H_
#define TIDEMARK_TOOLS_DAMAGE_JSON_H_

#include <vector>

#include "engine/store.h"
#include "tools/text.h"

namespace tidemark::tools {

// [{"object" (null if it cannot be blamed on one),"segment","offset","message"}]
Json DamageJson(const std::vector<Damage>& damage);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_DAMAGE_JSON_H_
