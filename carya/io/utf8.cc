#include "carya/io/utf8.h"

#include <cstdint>
#include <cstring>

namespace carya {
namespace {

struct Sequence {
  size_t valid;    // bytes of a valid character at the front, or 0
  size_t maximal;  // bytes to replace if it is not: the longest start of a valid one, at least 1
};

Sequence first_sequence(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, 1};
  size_t length = 0;
  unsigned low = 0x80, high = 0xBF;  // of the second byte: excludes overlong forms and surrogates
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {0, 1};
  }
  if (byte(1) < low || byte(1) > high) return {0, 1};
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return {0, i};
  }
  return {length, length};
}

}  // namespace

size_t valid_utf8_prefix(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    uint64_t word = 0;
    if (i + sizeof(word) <= text.size()) {
      std::memcpy(&word, text.data() + i, sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof(word);
        continue;
      }
    }
    const size_t length = first_sequence(text.substr(i)).valid;
    if (length == 0) return i;
    i += length;
  }
  return i;
}

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (;;) {
    const size_t valid = valid_utf8_prefix(text);
    result += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) return result;
    result += "\xEF\xBF\xBD";
    text.remove_prefix(first_sequence(text).maximal);
  }
}

}  // namespace carya
