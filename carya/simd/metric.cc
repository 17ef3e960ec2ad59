#include "carya/simd/metric.h"

#include "carya/core/error.h"

namespace carya {

std::string_view metric_name(Metric metric) {
  switch (metric) {
    case Metric::kSquaredL2:
      return "squared_l2";
    case Metric::kInnerProduct:
      return "inner_product";
    case Metric::kCosine:
      return "cosine";
    case Metric::kHamming:
      return "hamming";
    case Metric::kJaccard:
      return "jaccard";
    case Metric::kUser:
      return "user";
  }
  CARYA_ASSERT(false);
  return {};
}

Metric metric_from_name(std::string_view name) {
  if (name == "squared_l2" || name == "l2") return Metric::kSquaredL2;
  if (name == "inner_product" || name == "ip") return Metric::kInnerProduct;
  if (name == "cosine" || name == "cos") return Metric::kCosine;
  if (name == "hamming") return Metric::kHamming;
  if (name == "jaccard") return Metric::kJaccard;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("metric '{}' is unknown: use l2, ip, cosine, hamming or jaccard", name));
}

}  // namespace carya
