// What differs between two states of a database, as JSON: the same in every verb.

#ifndef TIDEMARK_TOOLS_ROW_JSON_H_
#define TIDEMARK_TOOLS_ROW_JSON_H_

#include <string>

#include "tools/text.h"
#include "vfs/row_diff.h"

namespace tidemark::tools {

// Values are written by hand, and not by way of Json: a REAL always has a point or an exponent, so
// that it can be told from an INTEGER, and an infinite one is 9.0e+999. BLOBs, and text that is not
// UTF-8, are {"blob":"00ff"}, the latter with "text":true.
std::string ValueJson(const RowValue& value);

// {"change":"changed","rowid":5,"before":{"a":1},"after":{"a":2}}: rowid is null WITHOUT ROWID, as
// is before or after where the row is not there.
std::string RowJson(const DiffTable& table, const RowChange& row);

// {"change","type","name","table","before","after"}
Json SchemaJson(const SchemaChange& change);

// The shortest of 15 to 17 digits that reads back as the same number, with a point or an exponent.
std::string RealText(double value);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_ROW_JSON_H_
