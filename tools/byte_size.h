// Sizes as people give them: "50GiB"; and what is said of budgets.

#ifndef TIDEMARK_TOOLS_BYTE_SIZE_H_
#define TIDEMARK_TOOLS_BYTE_SIZE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::tools {

inline constexpr char kByteSizeHelp[] =
    "a number and a unit: B, KiB, MiB, GiB or TiB, such as 512MiB or 50GiB";

// What there is to say of a budget that is exceeded where no more may go for it.
inline constexpr char kUnmetBudget[] =
    "history takes more than its budget, and no more of it may go: it is current, younger than an "
    "hour, labelled, held, or a fork needs it";

// Throws Failure (usage of `verb`), naming the option.
uint64_t ParseByteSize(const std::string& text, std::string_view verb, std::string_view option);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_BYTE_SIZE_H_
