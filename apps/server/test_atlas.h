#pragma once

// A small atlas for the tests of this module.

#include "apps/server/api.h"
#include "carya/atlas/test_data.h"

namespace carya {

class WithAtlas : public InFolder {
 protected:
  static constexpr size_t kItems = 200;

  void SetUp() override {
    InFolder::SetUp();
    AtlasOptions options = lsa_options();
    options.organise.min_cluster_size = 5;
    std::string csv = themed_csv(kItems);
    csv += "evil,<script>alert(1)</script> chess & board,chess,-1\n";
    build_atlas(file("items.csv", csv), folder_ / "demo.atlas", options);
    std::vector<std::unique_ptr<ServedAtlas>> atlases;
    atlases.push_back(std::make_unique<ServedAtlas>("demo", folder_ / "demo.atlas"));
    served_ = atlases.front().get();
    api_ = std::make_unique<Api>(std::move(atlases), "1.2.3");
  }
  void TearDown() override {
    api_.reset();
    InFolder::TearDown();
  }

  const ServedAtlas* served_ = nullptr;
  std::unique_ptr<Api> api_;
};

}  // namespace carya
