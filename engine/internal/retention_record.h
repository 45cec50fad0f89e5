// Records of retention to and from bytes, as engine/format.h gives them: policies, holds, licences.

#ifndef TIDEMARK_ENGINE_INTERNAL_RETENTION_RECORD_H_
#define TIDEMARK_ENGINE_INTERNAL_RETENTION_RECORD_H_

#include <optional>

#include "engine/internal/record.h"
#include "engine/internal/retention_rows.h"

namespace tidemark::internal {

// What a group's directory says of licences and the store's policy.
uint64_t StoreTag();

// A policy's or hold's record, by row.key.kind; without what the record gets in the log, LSN and
// time.
void EncodeRule(const RuleRow& row, Buffer& out);
std::optional<RuleRow> DecodeRule(RuleKind kind, ConstBytes fields);

void EncodeLicence(const LicenceRow& row, Buffer& out);
std::optional<LicenceRow> DecodeLicence(ConstBytes fields);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RETENTION_RECORD_H_
