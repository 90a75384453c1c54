// The simulator's command: one seed with its trace, or many on all cores.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "common/logging.h"
#include "tests/sim/options.h"
#include "tests/sim/shrink.h"
#include "tests/sim/simulation.h"

namespace garam::sim {
namespace {

struct Arguments {
  uint64_t seed = 0;
  uint64_t seeds = 0;
  uint64_t first = 1;
  uint64_t seconds = 0;
  size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  int64_t length_ms = 0;
  std::string profile;
  std::vector<std::string> without;
  bool trace = false;
  bool logs = false;
};

Options OptionsOf(const Arguments& arguments, uint64_t seed) {
  Options options = *Options::Draw(seed, arguments.profile);
  if (arguments.length_ms > 0) options.length = Millis(arguments.length_ms);
  for (const std::string& name : arguments.without) {
    absl::StatusOr<Fault> fault = FaultOf(name);
    if (!fault.ok()) {
      std::fprintf(stderr, "sim: %s\n", std::string(fault.status().message()).c_str());
      std::exit(2);
    }
    options.faults[static_cast<size_t>(*fault)] = false;
  }
  return options;
}

void Report(const Options& options, const Outcome& outcome) {
  std::printf("seed %llu at %lld ms: %s\n  %s\n", static_cast<unsigned long long>(options.seed),
              static_cast<long long>(outcome.failed_at_ms), outcome.failure.c_str(),
              options.ToString().c_str());
  std::printf("  replay: %s\n", CommandFor(options).c_str());
  std::fflush(stdout);
  const Options smaller = Shrink(options);
  const Outcome again = Run(smaller, false);
  if (again.failure.empty()) return;
  std::printf("  smaller: %s\n    %s\n", CommandFor(smaller).c_str(), again.failure.c_str());
  std::fflush(stdout);
}

int RunOne(const Arguments& arguments) {
  const Options options = OptionsOf(arguments, arguments.seed);
  std::printf("%s\n", options.ToString().c_str());
  const Outcome outcome = Run(options, arguments.trace);
  std::printf(
      "%llu events, %zu entries committed, %zu produces acknowledged, %zu batches read, "
      "%zu faults, settled after %lld ms, trace %016llx\n",
      static_cast<unsigned long long>(outcome.events), outcome.committed, outcome.acknowledged,
      outcome.reads, outcome.faults, static_cast<long long>(outcome.healed_ms),
      static_cast<unsigned long long>(outcome.trace_hash));
  if (outcome.failure.empty()) return 0;
  Report(options, outcome);
  return 1;
}

constexpr size_t kJobsMax = 256;

// What the processes of a sweep share.
struct Tally {
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> seeds{0};
  std::atomic<uint64_t> committed{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<int64_t> told_s{0};
  std::array<std::atomic<uint64_t>, kJobsMax> running{};  // The seed of each process.

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
  double rate_per_core(size_t jobs) const {
    return static_cast<double>(seeds) * 60 / seconds() / static_cast<double>(jobs);
  }
};

// One line now and then on a sweep that takes long, from whichever process is the first to see it.
void TellProgress(const Arguments& arguments, Tally& tally) {
  constexpr int64_t kEvery_s = 30;
  const auto now_s = static_cast<int64_t>(tally.seconds());
  int64_t told_s = tally.told_s;
  if (now_s - told_s < kEvery_s || !tally.told_s.compare_exchange_strong(told_s, now_s)) return;
  std::fprintf(stderr, "%7llu seeds after %lld s: %.0f a minute and core, %llu failed\n",
               static_cast<unsigned long long>(tally.seeds), static_cast<long long>(now_s),
               tally.rate_per_core(arguments.jobs), static_cast<unsigned long long>(tally.failed));
}

// A process that has run many seeds has its memory in small pieces, and is half as fast.
constexpr int kSeedsOfAProcess = 50;
constexpr int kMoreToDo = 3;  // Its exit code then.

// A seed takes a second at most. One that does not end is ended by SIGPROF, which the parent tells.
void LimitSeed() {
  constexpr itimerval kCpuMax = {{0, 0}, {300, 0}};
  setitimer(ITIMER_PROF, &kCpuMax, nullptr);
}

// Takes one seed after the other until there are none, or no time. Whether there may be more.
bool RunShare(const Arguments& arguments, Tally& tally, size_t job) {
  const auto left = [&](uint64_t taken) {
    return arguments.seconds > 0 ? tally.seconds() < static_cast<double>(arguments.seconds)
                                 : taken < arguments.seeds;
  };
  for (int ran = 0; ran < kSeedsOfAProcess; ++ran) {
    const uint64_t i = tally.next++;
    if (!left(i)) return false;
    const Options options = OptionsOf(arguments, arguments.first + i);
    tally.running[job] = options.seed;
    LimitSeed();
    const Outcome outcome = Run(options, false);
    ++tally.seeds;
    tally.committed += outcome.committed;
    TellProgress(arguments, tally);
    if (outcome.failure.empty()) continue;
    Report(options, outcome);
    if (++tally.failed >= 3) return false;  // Enough to look at.
  }
  return true;
}

pid_t ForkShare(const Arguments& arguments, Tally& tally, size_t job) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // Nobody is left to work for.
  const bool more = RunShare(arguments, tally, job);
  std::exit(more ? kMoreToDo : 0);  // Not _exit: that finds no leaks.
}

void ReportDeath(const Arguments& arguments, uint64_t seed, int status) {
  const char* how = !WIFSIGNALED(status)          ? "has ended"
                    : WTERMSIG(status) == SIGPROF ? "does not end"
                                                  : strsignal(WTERMSIG(status));
  const Options options = OptionsOf(arguments, seed);
  std::printf("seed %llu, or one of those before it in its process: %s\n  replay: %s\n",
              static_cast<unsigned long long>(seed), how, CommandFor(options).c_str());
  std::fflush(stdout);
}

int RunMany(const Arguments& arguments) {
  void* shared =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  Tally& tally = *new (shared) Tally;
  std::map<pid_t, size_t> job_of;
  const auto fork_for = [&](size_t job) { job_of[ForkShare(arguments, tally, job)] = job; };
  for (size_t job = 0; job < std::min(arguments.jobs, kJobsMax); ++job) fork_for(job);
  bool died = false;
  int status = 0;
  for (pid_t child = wait(&status); child > 0; child = wait(&status)) {
    const size_t job = job_of.extract(child).mapped();
    if (WIFEXITED(status) && WEXITSTATUS(status) == kMoreToDo) {
      fork_for(job);
    } else if (status != 0) {
      died = true;
      ReportDeath(arguments, tally.running[job], status);
    }
  }
  std::printf(
      "%.0f seeds in %.1f s on %zu cores: %.0f a minute and core, %llu entries committed; %s\n",
      static_cast<double>(tally.seeds), tally.seconds(), arguments.jobs,
      tally.rate_per_core(arguments.jobs), static_cast<unsigned long long>(tally.committed),
      died               ? "a process died"
      : tally.failed > 0 ? "some failed"
                         : "no violation");
  return died || tally.failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace garam::sim

int main(int argc, char** argv) {
  garam::sim::Arguments arguments;
  CLI::App app{"Runs whole clusters under bad luck in virtual time, from one seed each."};
  app.add_option("--seed", arguments.seed, "run this one");
  app.add_option("--seeds", arguments.seeds, "run so many, on all cores");
  app.add_option("--seconds", arguments.seconds, "run as many as there is time for");
  app.add_option("--first", arguments.first, "the first of them");
  app.add_option("--jobs", arguments.jobs, "processes at once");
  app.add_option("--ms", arguments.length_ms, "virtual time until everything is healed");
  app.add_option("--profile", arguments.profile, "bend every seed towards rare bugs")
      ->check(CLI::IsMember(garam::sim::Profiles()));
  app.add_option("--without", arguments.without, "a class of faults to leave out");
  app.add_flag("--trace", arguments.trace, "say what happens");
  app.add_flag("--logs", arguments.logs, "show the brokers' own log lines");
  CLI11_PARSE(app, argc, argv);
  // Faults make brokers complain; that is no news here.
  garam::SetLogLevel(arguments.logs ? garam::LogLevel::kInfo : garam::LogLevel::kOff);
  if (arguments.seeds > 0 || arguments.seconds > 0) return garam::sim::RunMany(arguments);
  if (arguments.seed == 0) arguments.seed = 1;
  return garam::sim::RunOne(arguments);
}
