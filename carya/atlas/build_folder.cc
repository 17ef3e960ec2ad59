#include "carya/atlas/build_folder.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "carya/atlas/atlas_files.h"
#include "carya/core/error.h"
#include "carya/core/file.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Json read_state(const fs::path& folder) {
  const fs::path path = folder / atlas_files::kState;
  return fs::exists(path) ? Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false)
                          : Json();
}

}  // namespace

size_t peak_memory() {
  // Not getrusage(): its peak counts what ran in the process before exec, a shell or Python.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    size_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

BuildFolder::BuildFolder(fs::path folder, const Json& fingerprint, bool resume)
    : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directory(folder_, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot make the folder: {}", folder_.string(), error.message()));
  }
  lock_.emplace(folder_);
  const bool is_ours = fs::is_empty(folder_) || fs::exists(folder_ / atlas_files::kState) ||
                       fs::exists(folder_ / atlas_files::kManifest);
  require(is_ours,
          "{}: holds files that are no unfinished atlas: move them, or choose another output",
          folder_.string());
  state_ = read_state(folder_);
  if (resume && can_go_on(fingerprint)) {
    // What a killed run was writing.
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().string().find(".tmp-") != std::string::npos) fs::remove(entry.path());
    }
    return;
  }
  state_ = {{"fingerprint", fingerprint}};
  start_over(/*except=*/"");
}

void BuildFolder::start_over(const std::string& except) {
  const Json fingerprint = state_.at("fingerprint");
  state_ = {{"fingerprint", nullptr},  // a folder that is half empty is of use to nobody
            {"done", Json::array()},
            {"stages", Json::array()},
            {"facts", Json::object()}};
  save();
  clear(except);
  state_["fingerprint"] = fingerprint;
  save();
}

bool BuildFolder::can_go_on(const Json& fingerprint) const {
  return state_.is_object() && state_.value("fingerprint", Json()) == fingerprint &&
         state_.value("done", Json()).is_array() && state_.value("stages", Json()).is_array() &&
         state_.value("facts", Json()).is_object();
}

void BuildFolder::clear(const std::string& except) const {
  // The state goes last, so that a folder that is half empty is still known as ours.
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const fs::path name = entry.path().filename();
    if (name != atlas_files::kState && name != except) fs::remove_all(entry.path());
  }
}

void BuildFolder::save() const {
  // A path may hold any bytes, JSON may not.
  write_file(folder_ / atlas_files::kState,
             state_.dump(1, ' ', false, Json::error_handler_t::replace));
}

bool BuildFolder::is_done(const std::string& stage) const {
  const Json& done = state_.at("done");
  return std::ranges::find(done, Json(stage)) != done.end();
}

void BuildFolder::set_done(const std::string& stage, double seconds) {
  if (is_done(stage)) return;
  state_["done"].push_back(stage);
  state_["stages"].push_back(
      {{"stage", stage}, {"seconds", seconds}, {"peak_bytes", peak_memory()}});
  save();
}

void BuildFolder::put_in_place(const fs::path& output) {
  fs::remove(folder_ / atlas_files::kState);
  replace_folder(folder_, output);
}

}  // namespace carya
