#include "carya/atlas/naming.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "carya/core/parallel.h"

namespace carya {
namespace {

struct ScoredTerm {
  double score;
  uint32_t term;
};

constexpr size_t kCandidates = 60;   // terms of a node that are looked at for keywords
constexpr double kSmoothing = 1.0;   // texts added to a share's count: one text is no evidence
constexpr double kPairBonus = 1.25;  // two words say more than one of the same score

using Counts = std::unordered_map<uint32_t, uint32_t>;

Counts count_terms(const TermTable& terms, std::span<const uint32_t> items) {
  Counts counts;
  for (uint32_t item : items) {
    for (uint32_t term : terms.terms_of(item)) ++counts[term];
  }
  return counts;
}

// The best terms of a node of `size` texts beside siblings of `rest` texts, whose counts are
// `around` minus `own`.
std::vector<ScoredTerm> score_terms(const TermTable& terms, const Counts& own, size_t size,
                                    const Counts& around, size_t around_size) {
  const auto rest = static_cast<double>(around_size - size);
  std::vector<ScoredTerm> scored;
  for (const auto& [term, count] : own) {
    if (size > 3 && count < 2) continue;
    const double share = count / static_cast<double>(size);
    const double outside = around.at(term) - count;
    const double contrast =
        std::log((count + kSmoothing) / (static_cast<double>(size) + 2 * kSmoothing)) -
        std::log((outside + kSmoothing) / (rest + 2 * kSmoothing));
    if (rest > 0 && contrast <= 0) continue;
    const double rarity =
        std::log(1 + static_cast<double>(terms.n_texts()) / terms.n_documents[term]);
    const double bonus = terms.second_stem[term] == TermTable::kNoTerm ? 1 : kPairBonus;
    scored.push_back({share * rarity * bonus * (rest > 0 ? contrast : 1), term});
  }
  const auto better = [](const ScoredTerm& a, const ScoredTerm& b) {
    return a.score != b.score ? a.score > b.score : a.term < b.term;
  };
  const size_t kept = std::min(kCandidates, scored.size());
  std::partial_sort(scored.begin(), scored.begin() + static_cast<ptrdiff_t>(kept), scored.end(),
                    better);
  scored.resize(kept);
  return scored;
}

// The best terms without repeating a stem.
std::vector<uint32_t> choose_keywords(const TermTable& terms, std::span<const ScoredTerm> scored,
                                      size_t n) {
  std::vector<uint32_t> chosen;
  std::set<uint32_t> stems;
  for (const ScoredTerm& candidate : scored) {
    const uint32_t first = terms.first_stem[candidate.term],
                   second = terms.second_stem[candidate.term];
    if (stems.contains(first) || (second != TermTable::kNoTerm && stems.contains(second))) continue;
    stems.insert(first);
    if (second != TermTable::kNoTerm) stems.insert(second);
    chosen.push_back(candidate.term);
    if (chosen.size() == n) break;
  }
  return chosen;
}

std::vector<uint32_t> find_exemplars(const TermTable& terms, MatrixView<const float> vectors,
                                     std::span<const uint32_t> items, size_t n) {
  const size_t dim = vectors.cols();
  std::vector<double> mean(dim, 0.0);
  for (uint32_t item : items) {
    const auto row = vectors.row(item);
    for (size_t j = 0; j < dim; ++j) mean[j] += row[j];
  }
  for (double& x : mean) x /= static_cast<double>(std::max<size_t>(items.size(), 1));
  std::vector<std::pair<double, uint32_t>> nearest;
  nearest.reserve(items.size());
  for (uint32_t item : items) {
    const auto row = vectors.row(item);
    double distance = 0;
    for (size_t j = 0; j < dim; ++j) distance += (row[j] - mean[j]) * (row[j] - mean[j]);
    nearest.emplace_back(distance, item);
  }
  const size_t looked_at = std::min(nearest.size(), 8 * n);
  std::partial_sort(nearest.begin(), nearest.begin() + static_cast<ptrdiff_t>(looked_at),
                    nearest.end());
  std::vector<uint32_t> chosen;
  for (size_t i = 0; i < looked_at && chosen.size() < n; ++i) {
    const auto own =
        terms.n_texts() == 0 ? std::span<const uint32_t>() : terms.terms_of(nearest[i].second);
    const bool is_repeated = !own.empty() && std::ranges::any_of(chosen, [&](uint32_t other) {
      return std::ranges::equal(own, terms.terms_of(other));
    });
    if (!is_repeated) chosen.push_back(nearest[i].second);
  }
  return chosen;
}

std::string join(const TermTable& terms, std::span<const uint32_t> chosen, size_t n) {
  std::string text;
  for (size_t i = 0; i < std::min(n, chosen.size()); ++i) {
    text += (i == 0 ? "" : ", ") + terms.spellings[chosen[i]];
  }
  return text;
}

}  // namespace

std::vector<NodeName> name_nodes(const NodeTree& tree, const TermTable& terms,
                                 MatrixView<const float> vectors, const NamingOptions& options,
                                 Progress* progress) {
  std::vector<NodeName> names(tree.n_nodes());
  begin_stage(progress, "naming", tree.n_nodes(), "topics");
  const bool has_terms = terms.n_texts() == tree.n_items() && terms.n_terms() > 0;
  // Parents one after another (their children are compared), each family in parallel.
  parallel_for(0, tree.n_nodes(), 1, [&](size_t at, size_t) {
    const auto parent = static_cast<uint32_t>(at);
    if (parent == NodeTree::kRoot) {
      names[0].exemplars = find_exemplars(terms, vectors, tree.items(0), options.n_exemplars);
      if (has_terms) {
        const Counts all = count_terms(terms, tree.items(0));
        const auto chosen =
            choose_keywords(terms, score_terms(terms, all, tree.n_items(), all, tree.n_items()),
                            options.n_keywords);
        for (uint32_t term : chosen) names[0].keywords.push_back(terms.spellings[term]);
      }
      names[0].name = "all";
    }
    const auto children = tree.children(parent);
    if (children.empty()) {
      advance(progress, 1);
      return;
    }
    const Counts around = has_terms ? count_terms(terms, tree.items(parent)) : Counts();
    std::set<std::string> taken;
    for (uint32_t child : children) {
      NodeName& name = names[child];
      name.exemplars = find_exemplars(terms, vectors, tree.items(child), options.n_exemplars);
      if (has_terms) {
        const Counts own = count_terms(terms, tree.items(child));
        const auto scored = score_terms(terms, own, tree.size(child), around, tree.size(parent));
        const std::vector<uint32_t> chosen = choose_keywords(terms, scored, options.n_keywords);
        for (uint32_t term : chosen) name.keywords.push_back(terms.spellings[term]);
        // As many words as tell it from its siblings.
        for (size_t n = std::min(options.n_name_words, chosen.size()); n <= chosen.size() && n > 0;
             ++n) {
          name.name = join(terms, chosen, n);
          if (!taken.contains(name.name)) break;
        }
      }
      if (name.name.empty()) name.name = "unnamed";
      std::string unique = name.name;
      for (size_t n = 2; !taken.insert(unique).second; ++n)
        unique = name.name + " (" + std::to_string(n) + ")";
      name.name = unique;
    }
    advance(progress, 1);
  });
  return names;
}

}  // namespace carya
