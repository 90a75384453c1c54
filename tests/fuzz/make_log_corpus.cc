// Writes logs for the fuzzers of storage/, made by the log itself.
//
//   make_log_corpus SEGMENT_FOLDER DAMAGE_FOLDER
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/fuzz/log_script.h"
#include "tests/fuzz/pieces.h"

namespace garam::fuzz {
namespace {

using storage::KvFamily;

constexpr uint8_t kFile = 3;  // As segment_fuzzer has it.

std::map<std::string, std::string> Scripts() {
  const std::string batches{StepByte(LogStep::kBatch, 5), StepByte(LogStep::kLargeBatch, 9),
                            StepByte(LogStep::kBatch, 0)};
  const char next = StepByte(LogStep::kNextTerm);
  const char noop = StepByte(LogStep::kNoop);
  const char configuration = StepByte(LogStep::kConfiguration, 20);
  const char roll = StepByte(LogStep::kRoll);
  const char commit = StepByte(LogStep::kCommit);
  const char mark = StepByte(LogStep::kMark);
  const std::string terms = std::string{noop, configuration} + batches + next + noop + batches;
  return {
      {"empty", ""},
      {"batches", batches},
      {"terms", terms},
      {"marked", terms + mark + batches},
      {"all-marked", terms + mark},
      {"rolled", batches + roll + batches},
      {"sealed", terms + roll + commit + batches},
      {"sealed-marked", batches + batches + roll + commit + next + batches + mark + batches},
      {"segments", terms + roll + commit + terms + roll + commit + mark + configuration + terms},
      {"empty-segment", batches + roll + commit + roll + commit + mark},
  };
}

void WriteInput(const std::filesystem::path& folder, const std::string& name,
                const std::string& input) {
  std::ofstream(folder / name, std::ios::binary) << input;
}

void AppendTriple(uint8_t kind, std::string_view key, std::string_view value, std::string& input) {
  input.push_back(static_cast<char>(kind));
  AppendPiece(key, input);
  AppendPiece(value, input);
}

// What a log left on the disk, with its rows or without.
std::string DiskOf(LogHarness& harness, bool rows) {
  std::string input(1, '\1');
  for (const auto& [name, content] : harness.Segments()) {
    // Zeros that were written ahead would only make the input large.
    const size_t end = content.find_last_not_of('\0') + 1;
    AppendTriple(kFile, name, std::string_view(content).substr(0, end), input);
  }
  for (const KvFamily family : {KvFamily::kPartition, KvFamily::kIndex}) {
    if (!rows) break;
    for (const auto& [key, value] : harness.kv.Rows(family)) {
      AppendTriple(static_cast<uint8_t>(family), key, value, input);
    }
  }
  return input;
}

void WriteSegments(const std::filesystem::path& folder, const std::string& name,
                   const std::string& script) {
  LogHarness harness;
  harness.options.index_interval_bytes = 128;
  if (!harness.Open().ok()) std::abort();
  RunLogScript(script, harness);
  WriteInput(folder, name, DiskOf(harness, /*rows=*/true));
  WriteInput(folder, name + "-without-rows", DiskOf(harness, /*rows=*/false));
}

void WriteDamages(const std::filesystem::path& folder, const std::string& name,
                  const std::string& script) {
  std::string life(1, '\1');
  AppendPiece(script, life);
  WriteInput(folder, name, life);
  for (char kind = 0; kind < 8; ++kind) {
    for (char third = 0; third < 3; ++third) {
      const std::string damage{kind, third, third, '\x55', '\x21'};
      WriteInput(folder, name + "-damage" + std::to_string(kind) + std::to_string(third),
                 life + damage);
    }
  }
}

}  // namespace
}  // namespace garam::fuzz

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  for (int i = 1; i < argc; ++i) {
    std::filesystem::remove_all(argv[i]);
    std::filesystem::create_directories(argv[i]);
  }
  for (const auto& [name, script] : garam::fuzz::Scripts()) {
    garam::fuzz::WriteSegments(argv[1], name, script);
    garam::fuzz::WriteDamages(argv[2], name, script);
  }
  return 0;
}
