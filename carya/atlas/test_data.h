#pragma once

// What the tests of this module share: folders, small inputs, a progress that stops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "carya/atlas/build.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/core/rng.h"
#include "carya/io/record_reader.h"
#include "carya/io/vectors.h"

namespace carya {

namespace fs = std::filesystem;

// A folder of the test's own, removed at its end.
class InFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("carya_atlas_test_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file(const std::string& name, std::string_view text) const {
    write_file(folder_ / name, text);
    return folder_ / name;
  }
  fs::path folder_;
};

// No file may grow beyond `bytes` while this lives, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(size_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);  // so that the limit shows as an error of the write
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &old_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_{};
};

// Asks to stop when a stage begins.
class StopAt final : public Progress {
 public:
  explicit StopAt(std::string stage) : stage_(std::move(stage)) {}
  void begin(std::string_view stage, size_t, std::string_view) override {
    seen_.emplace_back(stage);
    stop_ = stop_ || stage == stage_;
  }
  void advance(size_t) override {}
  bool stop_requested() const override { return stop_; }
  const std::vector<std::string>& stages() const { return seen_; }

 private:
  std::string stage_;
  std::vector<std::string> seen_;
  bool stop_ = false;
};

// The bytes of each file of a folder.
inline std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename().string()] = read_file(entry.path());
  }
  return files;
}

// n texts on four themes, as a CSV with the columns id, text, theme, size.
inline std::string themed_csv(size_t n, size_t first = 0) {
  static const std::vector<std::vector<std::string>> kThemes = {
      {"chess", "board", "pawn", "queen", "opening", "endgame", "player", "match"},
      {"image", "photo", "viewer", "pixel", "colour", "camera", "picture", "filter"},
      {"network", "router", "packet", "protocol", "server", "socket", "firewall", "traffic"},
      {"music", "song", "guitar", "chord", "melody", "piano", "rhythm", "tune"}};
  std::string csv = "id,text,theme,size\n";
  for (size_t i = first; i < first + n; ++i) {
    const auto& words = kThemes[i % kThemes.size()];
    Rng rng(/*seed=*/7, /*stream=*/i);
    std::string text;
    for (size_t w = 0; w < 6; ++w) text += (w == 0 ? "" : " ") + words[rng.below(words.size())];
    csv += "item" + std::to_string(i) + "," + text + " number" + std::to_string(i % 7) + "," +
           words[0] + "," + std::to_string(i) + "\n";
  }
  return csv;
}

// n points around n_centres random centres.
inline Matrix<float> blobs(size_t n, size_t dim, size_t n_centres, uint64_t seed = 1) {
  Rng rng(seed, 0);
  Matrix<float> centres(n_centres, dim), points(n, dim);
  for (float& x : centres.flat()) x = static_cast<float>(10 * rng.uniform());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < dim; ++j) {
      points(i, j) = centres(i % n_centres, j) + static_cast<float>(rng.uniform() - 0.5);
    }
  }
  return points;
}

inline AtlasOptions lsa_options() {
  AtlasOptions options;
  options.encoder.encoder = "lsa";
  return options;
}

}  // namespace carya
