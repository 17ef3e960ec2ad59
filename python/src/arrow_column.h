#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "carya/io/record_reader.h"
#include "python/src/arrow_abi.h"

namespace carya::python {

// How the values of one column of an Arrow table become those of a record: integers and bools as
// integers, floats as numbers (NaN is absent), decimals as numbers or, without fraction, integers;
// dates, times and timestamps as ISO 8601 text; strings, and dictionaries of any of these.
class ArrowColumn {
 public:
  // Throws kInvalidArgument naming the column if its type is nested or otherwise has no place in a
  // record.
  ArrowColumn(const ArrowSchema& schema, std::string name);
  const std::string& name() const noexcept { return name_; }
  bool is_text() const noexcept;
  // array: one of this column's schema; row >= 0, the array's offset not counted.  Throws kCorrupt
  // if the array does not have what its type needs.
  Value value(const ArrowArray& array, int64_t row) const;

 private:
  enum class Kind {
    kNull,
    kBool,
    kInt8,
    kUint8,
    kInt16,
    kUint16,
    kInt32,
    kUint32,
    kInt64,
    kUint64,
    kHalf,
    kFloat,
    kDouble,
    kDecimal,
    kText,
    kLargeText,
    kTextView,
    kDate32,
    kDate64,
    kTime,
    kTimestamp
  };
  static Kind kind_of(const std::string& format, const std::string& name);
  Value decimal(const void* values, int64_t at) const;
  Value text(const ArrowArray& array, int64_t at) const;
  std::string time_text(int64_t ticks) const;
  std::string timestamp_text(int64_t ticks) const;

  std::string name_;
  Kind kind_;
  int64_t ticks_ = 1;  // a second, of times and timestamps
  int width_ = 4;      // bytes of a time or decimal
  int scale_ = 0;      // decimal digits behind the point
  std::string zone_;   // "Z" where a timestamp has a time zone: it is stored in UTC
  std::unique_ptr<ArrowColumn> dictionary_;  // then this column has its indices
};

}  // namespace carya::python
