// Runs a fuzz target over the files in the folders that it is given: how ordinary builds, without
// libFuzzer, replay a corpus. Says which file it was when one breaks a promise.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string current_file;

// The process is lost anyhow, so that stdio is good enough here.
void OnAbort(int) { std::fprintf(stderr, "broken by %s\n", current_file.c_str()); }

void Replay(const std::filesystem::path& path) {
  current_file = path.string();
  std::ifstream file(path, std::ios::binary);
  const std::string data(std::istreambuf_iterator<char>(file), {});
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(data.data()), data.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, OnAbort);
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      Replay(entry.path());
      ++files;
    }
  }
  std::printf("%zu inputs\n", files);
  return files > 0 ? 0 : 1;
}
