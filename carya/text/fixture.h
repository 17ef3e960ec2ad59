#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carya {

// What scripts/make-encoder-fixture.py writes, for the tests: rows of two columns, the first being
// base64.

inline std::string from_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    if ((n_bits += 6) >= 8) bytes += static_cast<char>(bits >> (n_bits -= 8) & 255);
  }
  return bytes;
}

inline std::vector<std::pair<std::string, std::string>> read_fixture(const std::string& name) {
  std::ifstream in(std::filesystem::path(CARYA_TESTDATA) / name);
  std::vector<std::pair<std::string, std::string>> rows;
  for (std::string line; std::getline(in, line);) {
    const size_t tab = line.find('\t');
    rows.emplace_back(from_base64(std::string_view(line).substr(0, tab)), line.substr(tab + 1));
  }
  return rows;
}

// The folder of all-MiniLM-L6-v2; tests that need it skip where it is not.
inline std::filesystem::path minilm_folder() {
  const char* cache = std::getenv("CARYA_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base =
      cache != nullptr ? cache
                       : std::filesystem::path(home != nullptr ? home : "/") / ".cache/carya";
  return base / "models/all-MiniLM-L6-v2";
}

}  // namespace carya
