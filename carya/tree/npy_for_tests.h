#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "carya/core/matrix.h"

namespace carya {

// A two-dimensional C-order '<f4' or '<f8' .npy as float; for tests and benchmarks on files we
// made.
inline Matrix<float> read_npy_for_tests(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  require(in.good(), "{} cannot be read", path.string());
  std::string head(10, 0);
  in.read(head.data(), 10);
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(head[i]); };
  std::string text(byte(8) + 256u * byte(9), 0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  std::smatch match;
  const std::regex shape(
      R"('descr': '<f([48])', 'fortran_order': False, 'shape': \((\d+), (\d+)\))");
  require(std::regex_search(text, match, shape), "{}: unexpected header {}", path.string(), text);
  Matrix<float> matrix(std::stoul(match[2]), std::stoul(match[3]));
  if (match[1] == "4") {
    in.read(reinterpret_cast<char*>(matrix.data()),
            static_cast<std::streamsize>(matrix.size() * sizeof(float)));
  } else {
    for (float& x : matrix.flat()) {
      double value = 0;
      in.read(reinterpret_cast<char*>(&value), sizeof value);
      x = static_cast<float>(value);
    }
  }
  require(in.good(), "{} is truncated", path.string());
  return matrix;
}

}  // namespace carya
