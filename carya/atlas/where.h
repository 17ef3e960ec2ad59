#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "carya/io/record_reader.h"

namespace carya {

// A condition on metadata, checked and turned into SQL with bound values (so that nothing in it is
// ever run as SQL).
//
//   size >= 1000 and (section = games or not section in (libs, 'old libs')) and url ~ "example.org"
//
// Comparisons = == != <> < <= > >=, ~ (contains, ignoring ASCII case), [not] in (...), is [not]
// null; and, or, not, parentheses.  Column names and words may be in double quotes, values in
// single or double ones; a bare word is text, a number is a number.
struct WhereClause {
  std::string sql;
  std::vector<Value> values;
};

// Throws kInvalidArgument with the place of the mistake, or listing the columns there are.
WhereClause parse_where(std::string_view text, const std::vector<std::string>& columns);

}  // namespace carya
