#include "python/src/arrow_column.h"

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "carya/core/error.h"
#include "carya/io/utf8.h"

namespace carya::python {
namespace {

template <class T>
T load(const void* values, int64_t at) {
  T value;
  std::memcpy(&value, static_cast<const char*>(values) + at * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

bool bit(const void* bits, int64_t at) {
  return ((static_cast<const uint8_t*>(bits)[at / 8] >> (at % 8)) & 1) != 0;
}

double from_half(uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  double value = exponent == 0    ? std::ldexp(fraction, -24)
                 : exponent == 31 ? (fraction == 0 ? HUGE_VAL : NAN)
                                  : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

Value number(double value) {
  if (std::isnan(value)) return {};
  if (std::isinf(value)) return std::string(value > 0 ? "inf" : "-inf");  // no number in SQL
  return value;
}

Value integer(uint64_t value) {
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return std::to_string(value);
  }
  return static_cast<int64_t>(value);
}

std::string date_text(int64_t days) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t ticks_of(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 1000;
    case 'u':
      return 1'000'000;
    default:
      return 1'000'000'000;
  }
}

}  // namespace

ArrowColumn::Kind ArrowColumn::kind_of(const std::string& format, const std::string& name) {
  static constexpr std::pair<std::string_view, Kind> kExact[] = {
      {"n", Kind::kNull},      {"b", Kind::kBool},     {"c", Kind::kInt8},
      {"C", Kind::kUint8},     {"s", Kind::kInt16},    {"S", Kind::kUint16},
      {"i", Kind::kInt32},     {"I", Kind::kUint32},   {"l", Kind::kInt64},
      {"L", Kind::kUint64},    {"e", Kind::kHalf},     {"f", Kind::kFloat},
      {"g", Kind::kDouble},    {"u", Kind::kText},     {"U", Kind::kLargeText},
      {"vu", Kind::kTextView}, {"tdD", Kind::kDate32}, {"tdm", Kind::kDate64}};
  for (const auto& [known, kind] : kExact) {
    if (format == known) return kind;
  }
  if (format.starts_with("d:")) return Kind::kDecimal;
  if (format.starts_with("tt") && format.size() == 3) return Kind::kTime;
  if (format.starts_with("ts") && format.size() >= 4) return Kind::kTimestamp;
  const std::string_view what = format.starts_with("+l") || format.starts_with("+L") ||
                                        format.starts_with("+w") || format.starts_with("+v")
                                    ? "lists"
                                : format.starts_with("+s") ? "structs"
                                : format.starts_with("+m") ? "maps"
                                : format.starts_with("tD") ? "durations"
                                : format.starts_with("z") || format.starts_with("Z") ||
                                        format.starts_with("w") || format.starts_with("vz")
                                    ? "binary values"
                                    : "an unknown type";
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("column '{}' holds {} (Arrow format '{}'), which an item's metadata cannot "
                  "be: leave it out, or turn it into text",
                  name, what, format));
}

ArrowColumn::ArrowColumn(const ArrowSchema& schema, std::string name) : name_(std::move(name)) {
  const std::string format = schema.format;
  kind_ = kind_of(format, name_);
  if (schema.dictionary != nullptr) {
    dictionary_ = std::make_unique<ArrowColumn>(*schema.dictionary, name_);
    return;
  }
  if (kind_ == Kind::kTime || kind_ == Kind::kTimestamp) ticks_ = ticks_of(format[2]);
  if (kind_ == Kind::kTime) width_ = ticks_ <= 1000 ? 4 : 8;
  if (kind_ == Kind::kTimestamp && format.size() > 4) zone_ = "Z";
  if (kind_ == Kind::kDecimal) {
    int precision = 0, bits = 128;
    const int n = std::sscanf(format.c_str(), "d:%d,%d,%d", &precision, &scale_, &bits);
    require(n >= 2 && (bits == 32 || bits == 64 || bits == 128),
            "column '{}' holds decimals of {} bits; at most 128 can be read: cast it", name_, bits);
    width_ = bits / 8;
  }
}

bool ArrowColumn::is_text() const noexcept {
  if (dictionary_) return dictionary_->is_text();
  return kind_ == Kind::kText || kind_ == Kind::kLargeText || kind_ == Kind::kTextView;
}

Value ArrowColumn::value(const ArrowArray& array, int64_t row) const {
  if (kind_ == Kind::kNull) return {};
  const int64_t at = array.offset + row;
  const auto check = [&](bool holds) {
    if (!holds) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("column '{}': its Arrow array lacks buffers or values", name_));
    }
  };
  check(array.n_buffers >= 2 && array.buffers[1] != nullptr);
  if (array.buffers[0] != nullptr && !bit(array.buffers[0], at)) return {};
  const void* values = array.buffers[1];
  if (dictionary_) {
    check(array.dictionary != nullptr);
    int64_t index = 0;
    switch (kind_) {
      case Kind::kInt8:
        index = load<int8_t>(values, at);
        break;
      case Kind::kUint8:
        index = load<uint8_t>(values, at);
        break;
      case Kind::kInt16:
        index = load<int16_t>(values, at);
        break;
      case Kind::kUint16:
        index = load<uint16_t>(values, at);
        break;
      case Kind::kInt32:
        index = load<int32_t>(values, at);
        break;
      case Kind::kUint32:
        index = load<uint32_t>(values, at);
        break;
      default:
        index = load<int64_t>(values, at);
        break;
    }
    check(index >= 0 && index < array.dictionary->length);
    return dictionary_->value(*array.dictionary, index);
  }
  switch (kind_) {
    case Kind::kBool:
      return int64_t{bit(values, at)};
    case Kind::kInt8:
      return int64_t{load<int8_t>(values, at)};
    case Kind::kUint8:
      return int64_t{load<uint8_t>(values, at)};
    case Kind::kInt16:
      return int64_t{load<int16_t>(values, at)};
    case Kind::kUint16:
      return int64_t{load<uint16_t>(values, at)};
    case Kind::kInt32:
      return int64_t{load<int32_t>(values, at)};
    case Kind::kUint32:
      return int64_t{load<uint32_t>(values, at)};
    case Kind::kInt64:
      return load<int64_t>(values, at);
    case Kind::kUint64:
      return integer(load<uint64_t>(values, at));
    case Kind::kHalf:
      return number(from_half(load<uint16_t>(values, at)));
    case Kind::kFloat:
      return number(load<float>(values, at));
    case Kind::kDouble:
      return number(load<double>(values, at));
    case Kind::kDecimal:
      return decimal(values, at);
    case Kind::kDate32:
      return date_text(load<int32_t>(values, at));
    case Kind::kDate64:
      return date_text(floor_divide(load<int64_t>(values, at), 86'400'000));
    case Kind::kTime:
      return time_text(width_ == 4 ? load<int32_t>(values, at) : load<int64_t>(values, at));
    case Kind::kTimestamp:
      return timestamp_text(load<int64_t>(values, at));
    default:
      return text(array, at);
  }
}

Value ArrowColumn::decimal(const void* values, int64_t at) const {
  __extension__ using Wide = __int128;
  const Wide wide = width_ == 4   ? Wide{load<int32_t>(values, at)}
                    : width_ == 8 ? Wide{load<int64_t>(values, at)}
                                  : load<Wide>(values, at);
  if (scale_ == 0 && wide == static_cast<int64_t>(wide)) return static_cast<int64_t>(wide);
  return static_cast<double>(static_cast<long double>(wide) / std::pow(10.0L, scale_));
}

Value ArrowColumn::text(const ArrowArray& array, int64_t at) const {
  if (kind_ == Kind::kTextView) {
    // 16 bytes: the size, then up to 12 bytes of text, or 4 of them, a buffer and an offset.
    const auto* view = static_cast<const char*>(array.buffers[1]) + at * 16;
    const auto size = load<int32_t>(view, 0);
    const char* bytes = view + 4;
    if (size > 12) {
      const auto buffer = load<int32_t>(view, 2), offset = load<int32_t>(view, 3);
      bytes = static_cast<const char*>(array.buffers[2 + buffer]) + offset;
    }
    return to_valid_utf8({bytes, static_cast<size_t>(size)});
  }
  const void* offsets = array.buffers[1];
  const bool is_large = kind_ == Kind::kLargeText;
  const int64_t begin = is_large ? load<int64_t>(offsets, at) : load<int32_t>(offsets, at);
  const int64_t end = is_large ? load<int64_t>(offsets, at + 1) : load<int32_t>(offsets, at + 1);
  if (begin == end) return std::string();
  if (array.n_buffers < 3 || array.buffers[2] == nullptr || begin < 0 || end < begin) {
    throw Error(ErrorKind::kCorrupt, fmt::format("column '{}': its offsets are wrong", name_));
  }
  return to_valid_utf8(
      {static_cast<const char*>(array.buffers[2]) + begin, static_cast<size_t>(end - begin)});
}

std::string ArrowColumn::time_text(int64_t ticks) const {
  const int64_t seconds = ticks / ticks_, rest = ticks % ticks_;
  std::string text =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (rest != 0) {
    const int digits = ticks_ == 1000 ? 3 : ticks_ == 1'000'000 ? 6 : 9;
    text += fmt::format(".{:0{}}", rest, digits);
  }
  return text;
}

std::string ArrowColumn::timestamp_text(int64_t ticks) const {
  const int64_t day = 86'400 * ticks_, days = floor_divide(ticks, day);
  return date_text(days) + "T" + time_text(ticks - days * day) + zone_;
}

}  // namespace carya::python
