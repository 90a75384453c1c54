#include "tests/golden/golden_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string_view>

namespace garam::kafka {
namespace {

[[noreturn]] void Abort(std::string_view what) {
  std::cerr << "golden files: cannot understand " << what << "\n";
  std::abort();
}

Bytes FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return Bytes::Take(std::move(bytes));
}

void ReadLine(const std::string& line, Golden& golden) {
  std::istringstream words(line);
  std::string first;
  words >> first;
  if (first == "api") {
    GoldenApi api;
    std::string skipped;
    words >> api.name >> api.key >> skipped >> api.version >> skipped >>
        api.request_header_version >> api.response_header_version;
    if (!words) Abort(line);
    golden.apis.push_back(std::move(api));
    return;
  }
  if (first == "record") {
    GoldenRecord record;
    std::string key;
    std::string value;
    words >> record.name >> key >> value;
    if (!words) Abort(line);
    record.key = FromHex(key);
    if (value != "null") record.value = FromHex(value);
    golden.records.push_back(std::move(record));
    return;
  }
  GoldenCase golden_case{.message = first, .version = 0, .name = "", .bytes = {}};
  words >> golden_case.version >> golden_case.name;
  if (!words) Abort(line);
  std::string hex;  // Nothing follows when the message is empty.
  words >> hex;
  golden_case.bytes = FromHex(hex);
  golden.cases.push_back(std::move(golden_case));
}

}  // namespace

Golden ReadGolden(const std::string& folder) {
  Golden golden;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    std::string line;
    while (std::getline(file, line))
      if (!line.empty() && line[0] != '#') ReadLine(line, golden);
    if (!file.eof()) Abort(entry.path().string());
  }
  return golden;
}

}  // namespace garam::kafka
