#include "carya/graph/csr_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

TEST(CsrGraph, AddsRepeatedEdgesAndDropsLoops) {
  const std::vector<GraphEdge> edges = {{0, 2, 1}, {0, 1, 2}, {0, 2, 4}, {1, 1, 9}};
  const auto graph = CsrGraph::from_edges(3, edges);
  EXPECT_THAT(graph.neighbors(0), ElementsAre(1, 2));
  EXPECT_THAT(graph.weights(0), ElementsAre(2, 5));
  EXPECT_EQ(graph.degree(0), 7);
  EXPECT_THAT(graph.neighbors(1), IsEmpty());
  EXPECT_EQ(graph.n_edges(), 2u);
}

TEST(CsrGraph, RefusesWhatIsNoEdge) {
  EXPECT_THAT(
      [] {
        CsrGraph::from_edges(2, std::vector<GraphEdge>{{0, 2, 1}});
      },
      ThrowsMessage<Error>(HasSubstr("edge 0 - 2 is outside the 2 nodes")));
  EXPECT_THAT(
      [] {
        CsrGraph::from_edges(2, std::vector<GraphEdge>{{0, 1, NAN}});
      },
      ThrowsMessage<Error>(HasSubstr("has weight nan")));
}

TEST(CsrGraph, NeighborGraphIsSymmetricAndCountsMutualNeighborsTwice) {
  Matrix<uint32_t> ids(3, 1);
  ids(0, 0) = 1;
  ids(1, 0) = 0;
  ids(2, 0) = 1;
  const CsrGraph graph = neighbor_graph(ids);
  EXPECT_THAT(graph.neighbors(1), ElementsAre(0, 2));
  EXPECT_THAT(graph.weights(1), ElementsAre(2, 1));
  EXPECT_THAT(graph.weights(2), ElementsAre(1));
  ids(2, 0) = kNoNeighbor;
  EXPECT_THAT(neighbor_graph(ids).neighbors(2), IsEmpty());
}

TEST(CsrGraph, ComponentsAreNumberedByTheirFirstNode) {
  const std::vector<GraphEdge> edges = {{1, 3, 1}, {3, 1, 1}, {2, 4, 1}, {4, 2, 1}};
  size_t n_components = 0;
  EXPECT_THAT(connected_components(CsrGraph::from_edges(5, edges), &n_components),
              ElementsAre(0, 1, 2, 1, 2));
  EXPECT_EQ(n_components, 3u);
  EXPECT_THAT(connected_components(CsrGraph(), &n_components), IsEmpty());
  EXPECT_EQ(n_components, 0u);
}

}  // namespace
}  // namespace carya
