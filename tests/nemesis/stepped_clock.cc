// A wall clock that the nemesis can step: preloaded into a broker, it adds to what
// std::chrono::system_clock says the milliseconds in the file that GARAM_STEPPED_CLOCK names: one
// int64_t, read anew each time. Libraries in C, and waits in the kernel, go on by the real clock.
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using StepMs = std::atomic<int64_t>;

[[noreturn]] void Refuse(const char* path) {
  std::perror(path);
  std::abort();
}

const StepMs& MappedStep() {
  static const StepMs* const step = [] {
    const char* path = std::getenv("GARAM_STEPPED_CLOCK");
    if (path == nullptr) Refuse("GARAM_STEPPED_CLOCK");
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) Refuse(path);
    void* const mapped = mmap(nullptr, sizeof(StepMs), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) Refuse(path);
    return static_cast<const StepMs*>(mapped);
  }();
  return *step;
}

}  // namespace

namespace std::chrono {

system_clock::time_point system_clock::now() noexcept {
  timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return time_point(duration_cast<duration>(seconds(real.tv_sec) + nanoseconds(real.tv_nsec) +
                                            milliseconds(MappedStep().load(memory_order_relaxed))));
}

}  // namespace std::chrono
