#include "carya/atlas/naming.h"

#include <set>

#include "carya/atlas/test_data.h"
#include "carya/core/parallel.h"
#include "carya/text/words.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A root with n_children leaves, item i in leaf i % n_children.
NodeTree star(size_t n_items, size_t n_children) {
  std::vector<uint32_t> parents = {kNoNode}, node_of_item;
  parents.resize(1 + n_children, NodeTree::kRoot);
  for (size_t i = 0; i < n_items; ++i) {
    node_of_item.push_back(static_cast<uint32_t>(1 + i % n_children));
  }
  return NodeTree(std::move(parents), std::move(node_of_item));
}

std::vector<NodeName> name(const NodeTree& tree, const std::vector<std::string>& texts,
                           const NamingOptions& options = {}) {
  return name_nodes(tree, extract_terms(text_source(texts)), blobs(texts.size(), 3, 2), options);
}

std::vector<std::string> themed(size_t n) {
  static const std::vector<std::string> kThemes = {
      "playing chess games with a chess board and players",
      "image viewers that view images and photos of pixels",
      "network packets routed by network routers in networks",
      "music and songs for musicians singing a song"};
  std::vector<std::string> texts;
  for (size_t i = 0; i < n; ++i) texts.push_back(kThemes[i % 4] + " item" + std::to_string(i));
  return texts;
}

TEST(Naming, KeywordsTellANodeFromItsSiblings) {
  const auto names = name(star(40, 4), themed(40));
  ASSERT_EQ(names.size(), 5u);
  const std::vector<std::string> expected = {"chess", "image", "network", "song"};
  for (size_t node = 1; node <= 4; ++node) {
    SCOPED_TRACE(node);
    std::string all;
    for (const std::string& keyword : names[node].keywords) all += keyword + " ";
    EXPECT_THAT(all, ::testing::HasSubstr(expected[node - 1]));
    for (size_t other = 1; other <= 4; ++other) {
      if (other != node) {
        EXPECT_THAT(all, Not(::testing::HasSubstr(expected[other - 1])));
      }
    }
    EXPECT_LE(names[node].keywords.size(), 8u);
    EXPECT_FALSE(names[node].name.empty());
  }
}

TEST(Naming, NoTwoKeywordsOfANodeShareAStem) {
  const Stemmer stemmer;
  for (const NodeName& node : name(star(40, 4), themed(40))) {
    std::set<std::string> stems;
    for (const std::string& keyword : node.keywords) {
      for (const std::string& word : split_words(keyword)) {
        EXPECT_TRUE(stems.insert(stemmer.stem(word)).second) << keyword;
      }
    }
  }
}

TEST(Naming, SiblingsHaveDifferentNames) {
  const std::vector<std::string> equal(60, "the same chess text");
  std::set<std::string> names;
  for (const NodeName& node : name(star(60, 12), equal)) names.insert(node.name);
  EXPECT_EQ(names.size(), 13u);
  EXPECT_THAT(names, Contains("unnamed (12)"));  // nothing tells them apart
  names.clear();
  for (const NodeName& node : name(star(60, 12), std::vector<std::string>(60))) {
    names.insert(node.name);
  }
  EXPECT_EQ(names.size(), 13u);
}

TEST(Naming, ExemplarsAreTheMedoids) {
  const size_t n = 50;
  std::vector<std::string> texts;
  for (size_t i = 0; i < n; ++i) texts.push_back("word" + std::to_string(i));
  const NodeTree tree = star(n, 3);
  const Matrix<float> vectors = blobs(n, 4, 5);
  const auto names = name_nodes(tree, extract_terms(text_source(texts)), vectors);
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    // The definition: least sum of squared distances to all items of the node.
    std::vector<std::pair<double, uint32_t>> costs;
    for (uint32_t i : tree.items(node)) {
      double cost = 0;
      for (uint32_t j : tree.items(node)) {
        for (size_t d = 0; d < 4; ++d) {
          cost += std::pow(static_cast<double>(vectors(i, d)) - vectors(j, d), 2);
        }
      }
      costs.emplace_back(cost, i);
    }
    std::ranges::sort(costs);
    EXPECT_THAT(names[node].exemplars,
                ElementsAre(costs[0].second, costs[1].second, costs[2].second));
  }
}

TEST(Naming, ExemplarsHaveDifferentTexts) {
  std::vector<std::string> texts(12, "the same words");
  texts[7] = "something else";
  const auto names = name(star(12, 1), texts);
  EXPECT_EQ(names[1].exemplars.size(), 2u);
}

TEST(Naming, VectorsWithoutTextsHaveExemplarsAndDistinctNames) {
  const auto names = name_nodes(star(9, 3), TermTable{}, blobs(9, 2, 3));
  EXPECT_EQ(names[0].name, "all");
  EXPECT_EQ(names[1].name, "unnamed");
  EXPECT_EQ(names[2].name, "unnamed (2)");
  EXPECT_EQ(names[3].exemplars.size(), 3u);
  EXPECT_THAT(names[3].keywords, IsEmpty());
}

TEST(Naming, DoesNotDependOnTheNumberOfThreads) {
  const auto reference = name(star(40, 4), themed(40));
  for (size_t n : {1, 2, 8}) {
    const ThreadLimit limit(n);
    const auto names = name(star(40, 4), themed(40));
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(names[i].name, reference[i].name);
      EXPECT_EQ(names[i].keywords, reference[i].keywords);
      EXPECT_EQ(names[i].exemplars, reference[i].exemplars);
    }
  }
}

TEST(Naming, OneItemHasAName) {
  const auto names = name(NodeTree({kNoNode}, {0}), {"a chess board"});
  EXPECT_EQ(names[0].name, "all");
  EXPECT_THAT(names[0].exemplars, ElementsAre(0u));
}

}  // namespace
}  // namespace carya
