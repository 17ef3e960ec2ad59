#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carya {

// Length of the longest valid UTF-8 prefix (no surrogates, no overlong forms).  O(bytes), eight
// ASCII bytes at a time.
size_t valid_utf8_prefix(std::string_view text);
inline bool is_valid_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

// The text with each maximal invalid part replaced by U+FFFD, as the Unicode standard recommends.
std::string to_valid_utf8(std::string_view text);

}  // namespace carya
