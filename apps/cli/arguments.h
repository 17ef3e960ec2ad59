#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "carya/atlas/representation.h"
#include "carya/core/error.h"
#include "carya/io/record_reader.h"

namespace carya::cli {

// Options that several verbs share.

// For numbers that cannot be negative: CLI11 takes -1 for the largest.
inline CLI::Validator whole_number() {
  return CLI::Validator(
      [](std::string& text) {
        const bool is_whole = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
        return is_whole ? std::string() : fmt::format("{}: a whole number, 0 or more", text);
      },
      "");
}

// --text, --id, --delimiter.
struct ReadArguments {
  ReadOptions options;
  std::string delimiter;
  void add_to(CLI::App& verb) {
    verb.add_option("--text", options.text_columns, "columns or fields that are the text, joined")
        ->delimiter(',')
        ->type_name("COL[,COL]");
    verb.add_option("--id", options.id_column, "column or field that names an item")
        ->type_name("COL");
    verb.add_option("--delimiter", delimiter,
                    "of a .csv, one character or 'tab'; else it is guessed")
        ->type_name("CHAR");
  }
  ReadOptions checked() const {
    ReadOptions result = options;
    if (delimiter == "tab" || delimiter == "\\t") {
      result.delimiter = '\t';
    } else {
      require(delimiter.size() <= 1 && delimiter != "\"" && delimiter != "\n",
              "--delimiter '{}': one character other than a quote, or 'tab'", delimiter);
      result.delimiter = delimiter.empty() ? '\0' : delimiter[0];
    }
    return result;
  }
};

// --encoder, --precision, --seed.
struct EncoderArguments {
  EncoderOptions options;
  void add_to(CLI::App& verb) {
    verb.add_option(
            "--encoder", options.encoder,
            "auto, minilm, static, lsa, none (for vectors), or a sentence-transformers folder")
        ->capture_default_str();
    verb.add_option("--precision", options.precision, "of the sentence encoder's products")
        ->transform(CLI::CheckedTransformer(
            std::vector<std::pair<std::string, Precision>>{{"auto", Precision::kAuto},
                                                           {"f32", Precision::kF32},
                                                           {"bf16", Precision::kBf16},
                                                           {"int8", Precision::kInt8}},
            CLI::ignore_case))
        ->default_str("auto");
    verb.add_option("--seed", options.seed, "of all that is drawn")
        ->check(whole_number())
        ->capture_default_str();
  }
};

}  // namespace carya::cli
