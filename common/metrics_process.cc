#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "common/metrics.h"

namespace garam {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // Without the one that reads the folder.
}

// Seconds since 1970; 0 when /proc does not tell.
double StartTime() {
  std::ifstream stat("/proc/stat");
  std::string word;
  double boot = 0;
  while (stat >> word && word != "btime") {
  }
  stat >> boot;
  std::ifstream self("/proc/self/stat");
  std::string line;
  std::getline(self, line);
  // The second field is the name in parentheses, and may hold blanks.
  const size_t after_name = line.rfind(')');
  if (after_name == std::string::npos) return 0;
  constexpr int kStartTimeAfterName = 20;
  std::istringstream fields(line.substr(after_name + 1));
  for (int i = 0; i < kStartTimeAfterName; ++i) fields >> word;
  uint64_t ticks = 0;
  std::from_chars(word.data(), word.data() + word.size(), ticks);
  return boot + static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

void CollectProcessMetrics(MetricSink& sink) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  sink.Counter("process_cpu_seconds_total", "CPU time, user and system", {},
               Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  sink.Gauge("process_resident_memory_bytes", "Resident memory", {}, ResidentBytes());
  sink.Gauge("process_open_fds", "Open file descriptors", {}, OpenFiles());
  sink.Gauge("process_max_fds", "The most file descriptors that may be open", {},
             static_cast<double>(files.rlim_cur));
  sink.Gauge("process_start_time_seconds", "When the process started, since 1970", {}, StartTime());
}

}  // namespace garam
