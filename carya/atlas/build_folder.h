#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "carya/atlas/folder_lock.h"

namespace carya {

// OUT.part, where an atlas grows: its files, which stages are complete, and for what input and
// options, so that an interrupted build goes on.  Locked while it lives.
class BuildFolder {
 public:
  // Makes the folder, or goes on with what is in it if `resume` and the fingerprint is the same;
  // else it is emptied.  Throws kIo (it cannot be made; another carya is at work in it), and
  // kInvalidArgument if it holds anything but an unfinished atlas.
  BuildFolder(std::filesystem::path folder, const nlohmann::json& fingerprint, bool resume);

  const std::filesystem::path& path() const noexcept { return folder_; }
  bool is_resumed() const { return !state_.at("done").empty(); }
  bool is_done(const std::string& stage) const;
  // Of a stage that was done before, nothing changes.
  void set_done(const std::string& stage, double seconds);
  // Forgets all stages and facts, and removes all files but one.
  void start_over(const std::string& except);
  // {stage, seconds, peak_bytes} of all complete stages.
  const nlohmann::json& stages() const { return state_.at("stages"); }
  // A fact that a stage leaves to later ones, with it or not at all.
  void remember(const std::string& key, const std::string& value) { state_["facts"][key] = value; }
  std::string recall(const std::string& key) const { return state_.at("facts").value(key, ""); }
  // The folder becomes `output`, whole; nothing else may be done with it then.
  void put_in_place(const std::filesystem::path& output);

 private:
  bool can_go_on(const nlohmann::json& fingerprint) const;
  void clear(const std::string& except = "") const;
  void save() const;
  std::filesystem::path folder_;
  std::optional<FolderLock> lock_;
  nlohmann::json state_;
};

// Of this process until now, in bytes.
size_t peak_memory();

}  // namespace carya
