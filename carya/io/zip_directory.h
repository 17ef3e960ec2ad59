#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace carya {

// The entries of a zip file (or zip64) by name, where they lie: as .npz and torch.save write them,
// not compressed.  All offsets are checked against `file`.  Throws kCorrupt, with `name` in front;
// a compressed entry is an error too.
std::map<std::string, std::span<const std::byte>, std::less<>> parse_zip(
    std::span<const std::byte> file, const std::string& name);

}  // namespace carya
