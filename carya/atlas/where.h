#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carya/atlas/column_type.h"
#include "carya/io/record_reader.h"

namespace carya {

// A condition on metadata, checked and turned into SQL with bound values: nothing that was written
// is ever run as SQL, columns are called by their position.
//
//   size >= 1000 and (section = games or not section in (libs, 'old libs')) and url ~ "example.org"
//
// Comparisons = == != <> < <= > >=, ~ (contains, ignoring ASCII case), [not] in (...), is [not]
// null; and, or, not, parentheses.  Column names may be in quotes of either kind, values too.  A
// value is of its column's type: code = 007 compares texts where the codes are texts.
struct WhereClause {
  std::string sql;
  std::vector<Value> values;
};

// Throws kInvalidArgument with the place of the mistake, or listing the columns there are.
WhereClause parse_where(std::string_view text, std::span<const MetadataColumn> columns);

// The name of a column in SQL: any name is fine as metadata ("ID" beside "id", "text", "a b").
std::string sql_column(size_t position);

}  // namespace carya
