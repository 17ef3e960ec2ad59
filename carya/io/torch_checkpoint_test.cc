#include "carya/io/torch_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "carya/core/error.h"
#include "carya/core/rng.h"
#include "carya/io/pickle.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A state dict of float16 and bfloat16 tensors that torch.save wrote.
const std::filesystem::path kCheckpoint =
    std::filesystem::path(CARYA_TEXT_TESTDATA) / "tiny_bert_torch/pytorch_model.bin";

std::string message_of(std::string_view bytes) {
  try {
    parse_torch_checkpoint(std::as_bytes(std::span(bytes)), "x.bin");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kCorrupt);
    return e.what();
  }
  return "no error";
}

std::string pickle_message(const std::string& bytes) {
  try {
    Pickle::parse(std::as_bytes(std::span(bytes)), "x");
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(TorchCheckpoint, ReadsWhatTorchSaved) {
  const TensorFile file = TensorFile::open(kCheckpoint);
  EXPECT_EQ(file.tensors().size(), 37u);
  const Tensor& words = file.tensors().at("bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(words.type, TensorType::kF16);
  EXPECT_THAT(words.shape, ElementsAre(74, 24));
  EXPECT_EQ(file.tensors().at("bert.embeddings.LayerNorm.weight").type, TensorType::kBf16);
  EXPECT_EQ(file.read("bert.embeddings.LayerNorm.weight", 24).size(), 24u);
}

TEST(TorchCheckpoint, TruncatedAndDamagedFilesAreErrorsOrReadNotCrashes) {
  const std::string whole = read_file(kCheckpoint);
  EXPECT_EQ(message_of(whole), "no error");
  for (size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 397) {
    EXPECT_NE(message_of(std::string_view(whole).substr(0, size)), "no error") << size;
  }
  Rng rng(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    for (int j = 0; j < 3; ++j)
      damaged[rng.below(damaged.size())] = static_cast<char>(rng.below(256));
    message_of(damaged);
  }
}

TEST(TorchCheckpoint, ACheckpointBeforeTorch16IsNamed) {
  const auto path = std::filesystem::temp_directory_path() / "carya_legacy.bin";
  write_file(path,
             "\x80\x02\x8a\nl\xfc\x9c"
             "F\xf9 j\xa8P\x19.");
  try {
    TensorFile::open(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("before 1.6"));
  }
  std::filesystem::remove(path);
}

TEST(Pickle, CallsAreRecordedNotMade) {
  const std::string bytes =
      "\x80\x02"
      "cos\nsystem\nX\x04" +
      std::string(3, '\0') + "true\x85R.";
  const Pickle pickle = Pickle::parse(std::as_bytes(std::span(bytes)), "x");
  EXPECT_EQ(pickle.result().kind, Pickle::Kind::kCall);
  EXPECT_EQ(pickle[pickle.result().items[0]].text, "os\nsystem\n");
}

TEST(Pickle, NumbersListsAndDicts) {
  const std::string bytes =
      std::string("\x80\x02}q\x01(K\x05]q\x02(J\xff\xff\xff\xff\x8a\x02\x00\x80", 21) +
      "N\x88"
      "euh\x01"
      "0.";
  EXPECT_THAT(pickle_message(bytes), HasSubstr("instruction 0x30"));
  const std::string good = bytes.substr(0, bytes.size() - 4) + ".";
  const Pickle pickle = Pickle::parse(std::as_bytes(std::span(good)), "x");
  ASSERT_EQ(pickle.result().kind, Pickle::Kind::kDict);
  const Pickle::Value& list = pickle[pickle.result().items[1]];
  ASSERT_EQ(list.items.size(), 4u);
  EXPECT_EQ(pickle[list.items[0]].number, -1);
  EXPECT_EQ(pickle[list.items[1]].number, -32768);
}

TEST(Pickle, WhatDoesNotFitIsAnError) {
  EXPECT_THAT(pickle_message(""), HasSubstr("cut off"));
  EXPECT_THAT(pickle_message("."), HasSubstr("the stack is empty"));
  EXPECT_THAT(pickle_message("t."), HasSubstr("no mark"));
  EXPECT_THAT(pickle_message("h\x05."), HasSubstr("unknown memo"));
  EXPECT_THAT(pickle_message("NNs."), HasSubstr("the stack is empty"));
  EXPECT_THAT(pickle_message("NNNs."), HasSubstr("no list or dict"));
  EXPECT_THAT(pickle_message("}(Nu."), HasSubstr("a key without a value"));
  EXPECT_THAT(pickle_message("X\xff\xff\xff\xff"), HasSubstr("cut off"));
  EXPECT_THAT(pickle_message("cabc"), HasSubstr("cut off"));
  EXPECT_THAT(pickle_message("(K\x01(."), HasSubstr("the stack is empty"));
}

}  // namespace
}  // namespace carya
