#include "carya/io/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/record_reader.h"
#include "carya/io/vectors.h"

#ifdef CARYA_HAS_HDF5
#include <hdf5.h>

namespace carya {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Hdf5Test : public testing::Test {
 protected:
  Hdf5Test()
      : path_(fs::path(testing::TempDir()) /
              ("carya_hdf5_test_" + std::to_string(::getpid()) + ".hdf5")) {
    file_ = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  }
  ~Hdf5Test() override {
    close();
    fs::remove(path_);
  }
  void close() {
    if (file_ >= 0) H5Fclose(file_);
    file_ = -1;
  }
  // Compressed in chunks, as h5py and others write them, if chunk_rows > 0.
  void write(const char* name, hid_t type, std::vector<hsize_t> shape, const void* data,
             hsize_t chunk_rows = 0) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk_rows > 0) {
      const hsize_t chunk[] = {chunk_rows, shape[1]};
      H5Pset_chunk(how, 2, chunk);
      H5Pset_deflate(how, 6);
    }
    const hid_t set = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
  }
  void write_annbenchmarks() {
    const float train[] = {1, 2, 3, 4, 5, 6}, test[] = {7, 8};
    const int32_t neighbors[] = {2, 16'777'217};
    write("train", H5T_NATIVE_FLOAT, {3, 2}, train, 2);
    write("test", H5T_NATIVE_FLOAT, {1, 2}, test);
    write("neighbors", H5T_NATIVE_INT32, {1, 2}, neighbors);
    close();
  }
  fs::path path_;
  hid_t file_ = -1;
};

TEST_F(Hdf5Test, ReadsTheSetsOfAnnBenchmarks) {
  write_annbenchmarks();
  EXPECT_THAT(read_vectors(path_).flat(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(read_vectors(path_.string() + ":test").flat(), ElementsAre(7, 8));
  EXPECT_THAT(read_ids(path_.string() + ":neighbors").flat(), ElementsAre(2, 16'777'217));
}

TEST_F(Hdf5Test, ASetIsNamedBehindTheFile) {
  write_annbenchmarks();
  const fs::path short_name = fs::path(path_).replace_extension(".h5");
  fs::copy_file(path_, short_name);
  for (const fs::path& path : {path_, short_name}) {
    EXPECT_EQ(input_format(path.string() + ":test"), InputFormat::kHdf5);
    EXPECT_THAT(read_vectors(path.string() + ":test").flat(), ElementsAre(7, 8));
  }
  EXPECT_THAT([&] { read_vectors(path_.string() + "x:test"); },
              ThrowsMessage<Error>(HasSubstr("no such file")));
  fs::remove(short_name);
}

TEST_F(Hdf5Test, ReadsOtherTypes) {
  const double doubles[] = {0.5, -2};
  const uint8_t words[] = {0, 255};
  write("doubles", H5T_NATIVE_DOUBLE, {2, 1}, doubles);
  write("bytes", H5T_NATIVE_UINT8, {1, 2}, words);
  const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);  // as h5py writes bool
  const int8_t values[] = {0, 1};
  H5Tenum_insert(boolean, "FALSE", &values[0]);
  H5Tenum_insert(boolean, "TRUE", &values[1]);
  const int8_t bits[] = {1, 0, 1};
  write("bits", boolean, {1, 3}, bits);
  H5Tclose(boolean);
  close();
  EXPECT_THAT(read_hdf5<float>(path_, "doubles").flat(), ElementsAre(0.5f, -2));
  EXPECT_THAT(read_hdf5<float>(path_, "bytes").flat(), ElementsAre(0, 255));
  EXPECT_THAT(read_hdf5<float>(path_, "bits").flat(), ElementsAre(1, 0, 1));
}

TEST_F(Hdf5Test, SaysWhatThereIs) {
  const float line[] = {1, 2};
  write("line", H5T_NATIVE_FLOAT, {2}, line);
  write("a", H5T_NATIVE_FLOAT, {1, 2}, line);
  write("b", H5T_NATIVE_FLOAT, {2, 1}, line);
  close();
  EXPECT_THAT([&] { read_hdf5<float>(path_, ""); }, ThrowsMessage<Error>(HasSubstr("a, b")));
  EXPECT_THAT([&] { read_hdf5<float>(path_, "c"); }, ThrowsMessage<Error>(HasSubstr("a, b")));
  EXPECT_THAT([&] { read_hdf5<float>(path_, "line"); }, ThrowsMessage<Error>(HasSubstr("2-D")));
  EXPECT_THAT([&] { read_hdf5<int64_t>(path_, "a"); },
              ThrowsMessage<Error>(HasSubstr("whole numbers")));
}

TEST_F(Hdf5Test, RefusesWhatIsNoHdf5OrTruncated) {
  write_annbenchmarks();
  fs::resize_file(path_, fs::file_size(path_) / 2);
  EXPECT_THROW(read_vectors(path_), Error);
  AtomicFile text(path_);
  text.write("not HDF5 at all");
  text.commit();
  EXPECT_THAT([&] { read_vectors(path_); }, ThrowsMessage<Error>(HasSubstr("no HDF5 file")));
}

// The whole length is announced, nothing is stored.
TEST_F(Hdf5Test, RefusesAShapeLargerThanTheFile) {
  const hsize_t shape[] = {1 << 20, 1 << 20};
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {1, 1 << 10};
  H5Pset_chunk(how, 2, chunk);
  H5Dclose(H5Dcreate2(file_, "train", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, how, H5P_DEFAULT));
  H5Pclose(how);
  H5Sclose(space);
  close();
  EXPECT_THAT([&] { read_vectors(path_); }, ThrowsMessage<Error>(HasSubstr("truncated")));
}

}  // namespace
}  // namespace carya
#endif
