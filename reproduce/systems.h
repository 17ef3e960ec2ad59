#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "reproduce/claims.h"

namespace carya {

// One of the 185 published systems that Carya is made of.
struct System {
  int id;
  std::string_view home, title;
  std::vector<ClaimRow> (*check)(const ClaimContext&);  // null: not built yet
};

std::span<const System> all_systems();  // by rising id

}  // namespace carya
