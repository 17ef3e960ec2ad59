#include "carya/text/lsa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <Eigen/Dense>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::string> random_texts(size_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<std::string> texts(n);
  for (std::string& text : texts) {
    const uint64_t topic = rng.below(4);
    for (int i = 0; i < 8; ++i) {
      const uint64_t word = rng.below(5) == 0 ? rng.below(40) : topic * 10 + rng.below(10);
      text += "w" + std::to_string(word) + " ";
    }
  }
  return texts;
}

// The definition: dense TF-IDF and its singular values.
Eigen::VectorXd dense_singular_values(const std::vector<std::string>& texts) {
  std::map<std::string, std::map<size_t, int>> counts;
  for (size_t i = 0; i < texts.size(); ++i) {
    for (const std::string& word : split_words(texts[i])) ++counts[word][i];
  }
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(texts.size()),
                                            static_cast<Eigen::Index>(counts.size()));
  Eigen::Index column = 0;
  for (const auto& [word, documents] : counts) {
    const double idf = std::log((1.0 + static_cast<double>(texts.size())) /
                                (1.0 + static_cast<double>(documents.size()))) +
                       1;
    for (const auto& [document, count] : documents) {
      a(static_cast<Eigen::Index>(document), column) = (1 + std::log(count)) * idf;
    }
    ++column;
  }
  for (Eigen::Index i = 0; i < a.rows(); ++i) a.row(i).normalize();
  return a.jacobiSvd().singularValues();
}

TEST(Lsa, FindsTheSingularValuesOfTfIdf) {
  const std::vector<std::string> texts = random_texts(120, 1);
  const Lsa lsa = Lsa::fit(text_source(texts), {.n_dims = 6, .n_iterations = 20});
  const Eigen::VectorXd expected = dense_singular_values(texts);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(lsa.singular_values()[i], expected(static_cast<Eigen::Index>(i)), 1e-3);
  }
}

TEST(Lsa, VectorsHaveLengthOneAndUnknownTextsAreZero) {
  const std::vector<std::string> texts = random_texts(50, 2);
  const Lsa lsa = Lsa::fit(text_source(texts), {.n_dims = 4});
  double squares = 0;
  for (float x : lsa.encode(texts[0])) squares += x * x;
  EXPECT_NEAR(squares, 1, 1e-5);
  EXPECT_THAT(lsa.encode("unheard of"), Each(0.0f));
  EXPECT_THAT(lsa.encode(""), Each(0.0f));
}

TEST(Lsa, TopicsAreApart) {
  const std::vector<std::string> texts = {"red apple pie", "apple pie red", "blue sea fish",
                                          "fish blue sea"};
  const Lsa lsa = Lsa::fit(text_source(texts), {.n_dims = 2});
  const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  EXPECT_NEAR(dot(lsa.encode("apple"), lsa.encode("pie")), 1, 1e-4);
  EXPECT_NEAR(dot(lsa.encode("apple"), lsa.encode("sea")), 0, 1e-4);
}

TEST(Lsa, SavesAndOpensAndDoesNotDependOnThreads) {
  const std::vector<std::string> texts = random_texts(300, 3);
  const auto path = std::filesystem::path(testing::TempDir()) /
                    ("carya_lsa_test.bin" + std::to_string(::getpid()));
  std::string first;
  for (size_t threads : {1, 2, 8}) {
    const ThreadLimit limit(threads);
    const Lsa lsa = Lsa::fit(text_source(texts), {.n_dims = 8});
    lsa.save(path);
    EXPECT_EQ(Lsa::open(path).encode(texts[5]), lsa.encode(texts[5]));
    if (first.empty()) first = read_file(path);
    EXPECT_EQ(read_file(path), first);
  }
  std::filesystem::remove(path);
}

TEST(Lsa, WithoutWordsThereIsNothingToFit) {
  const std::vector<std::string> texts = {"", "--"};
  EXPECT_THAT([&] { Lsa::fit(text_source(texts)); },
              ThrowsMessage<Error>(HasSubstr("no word is in 1 or more of the 2 texts")));
}

}  // namespace
}  // namespace carya
