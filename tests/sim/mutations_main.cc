// Shows that the simulator notices each of the bugs of common/mutation.h: runs seeds until one
// fails with the bug and not without it, and says which and how.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/logging.h"
#include "common/mutation.h"
#include "tests/sim/options.h"
#include "tests/sim/simulation.h"

namespace garam::sim {
namespace {

struct Row {
  Mutation mutation;
  std::string_view name;
  uint64_t budget = 500;          // Seeds.
  std::string_view profile = "";  // Where it shows.
  uint64_t pinned = 0;            // A seed that has shown it, tried first: for the rare ones.
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {Mutation::kBlindTruncate, "blind truncate"},
      {Mutation::kAckBeforeWritten, "ack before written"},
      {Mutation::kLeaderCountsEarly, "leader counts itself early"},
      {Mutation::kCommitBeyondMessage, "commit beyond the message"},
      {Mutation::kAckOwnLast, "ack own last index"},
      {Mutation::kVoteIgnoresTerm, "vote ignores the last term", 2000, "hectic"},
      {Mutation::kVoteNotStored, "vote not stored"},
      {Mutation::kVoteReplyEarly, "vote reply before durable"},
      {Mutation::kVoteRequestEarly, "vote request before durable"},
      {Mutation::kCommitOldTerm, "commit old-term entries", 5000, "figure-8", 1338},
      {Mutation::kNoNoop, "no no-op at election"},
      {Mutation::kStepDownTruncates, "step-down truncates", 4000, "hectic"},
      {Mutation::kEmptyAppendAcks, "empty append acks all"},
      {Mutation::kFlushRacesTruncation, "flush races truncation", 4000, "stalls", 1002},
      {Mutation::kNoJointStep, "no joint step", 4000, "moves"},
      {Mutation::kOldConversation, "old conversation", 4000, "moves", 125},
      {Mutation::kBlankVotes, "a blank node votes", 4000, "blanks"},
      {Mutation::kNoCheckQuorum, "no check-quorum"},
      {Mutation::kSleepUntold, "last commit untold"},
      {Mutation::kMatchGoesBack, "match goes back"},
      {Mutation::kMembersOutliveLog, "members outlive their log", 4000, "trims", 935},
      {Mutation::kDoubtIgnored, "doubt ignored", 5000, "power-unflushed"},
      {Mutation::kDoubtNotNoted, "doubt not noted", 5000, "power-unflushed"},
      {Mutation::kDigestsIgnored, "digests ignored", 2000},
      {Mutation::kNoRedial, "stuck streams left alone", 500, "stuck"},
      {Mutation::kProposalNotStored, "proposal not stored", 500, "hectic"},
      {Mutation::kSyncSkipped, "sync skipped", 500, "power"},
      {Mutation::kNamesNotSynced, "names not synced", 500, "power"},
      {Mutation::kRecoveredTailUnsynced, "recovered tail unsynced", 4000, "blackouts"},
      {Mutation::kStaleOffsets, "stale offsets", 500, "hectic"},
      {Mutation::kMinIsrIgnored, "min.insync ignored"},
      {Mutation::kReadUncommitted, "reads uncommitted"},
      {Mutation::kRetentionAboveCommit, "retention above the high watermark", 500, "retention"},
      {Mutation::kStartBeforeCommit, "log start before its commit", 500, "retention"},
      {Mutation::kRowNotAwaited, "producers' row not awaited", 3000, "forgetting", 518},
      {Mutation::kProducersForgotten, "producers forgotten", 1000, "retries"},
      {Mutation::kExpiryByOwnClock, "expiry by a local clock", 500, "expiry"},
      {Mutation::kGroupsAnswerEarly, "groups answer early", 500, "groups"},
      {Mutation::kGroupsNotFollowed, "groups not followed", 500, "groups"},
      {Mutation::kCleanPartSkipped, "the clean part is skipped", 500, "compaction"},
      {Mutation::kCompactsUncommitted, "compacts above compact_before", 500, "compaction"},
      {Mutation::kUnopenedForgotten, "unopened replicas forgotten", 500, "full"},
  };
  return rows;
}

struct Found {
  uint64_t seed = 0;       // 0: none within the budget.
  bool with_none = false;  // The seed fails without the mutation as well: a bug of our own.
  std::array<char, 160> how{};
};

// In a process of its own: a bug may end it as well.
Found Search(const Row& row) {
  Found found;
  for (uint64_t i = 0; i <= row.budget && found.seed == 0; ++i) {
    const uint64_t seed = i == 0 ? row.pinned : i;
    if (seed == 0) continue;
    const Options options = *Options::Draw(seed, row.profile);
    mutation_on = row.mutation;
    Outcome outcome = Run(options, false);
    if (outcome.failure.empty()) continue;
    mutation_on = Mutation::kNone;
    const Outcome plain = Run(options, false);
    if (!plain.failure.empty()) {
      found.with_none = true;
      outcome = plain;
    }
    found.seed = seed;
    std::snprintf(found.how.data(), found.how.size(), "%s", outcome.failure.c_str());
  }
  return found;
}

struct Job {
  const Row* row;
  pid_t child;
  int pipe;
};

Job Begin(const Row& row) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const Found found = Search(row);
    const bool told = write(ends[1], &found, sizeof(found)) == static_cast<ssize_t>(sizeof(found));
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  return {&row, child, ends[0]};
}

bool Finish(const Job& job) {
  Found found;
  const ssize_t got = read(job.pipe, &found, sizeof(found));
  close(job.pipe);
  int status = 0;
  waitpid(job.child, &status, 0);
  const bool died = got != static_cast<ssize_t>(sizeof(found));
  const bool caught = died || (found.seed != 0 && !found.with_none);
  const char* verdict = found.with_none ? "A BUG" : caught ? "caught" : "MISSED";
  std::printf("%-8s %-30s", verdict, std::string(job.row->name).c_str());
  if (died) {
    std::printf(" the process ended by signal %d\n", WTERMSIG(status));
  } else if (found.seed != 0) {
    std::printf(" seed %5llu  %s\n", static_cast<unsigned long long>(found.seed), found.how.data());
  } else {
    std::printf(" not in %llu seeds\n", static_cast<unsigned long long>(job.row->budget));
  }
  std::fflush(stdout);
  return caught;
}

int RunAll(const std::string& only, unsigned jobs) {
  std::vector<const Row*> rows;
  for (const Row& row : Rows()) {
    if (only.empty() || row.name.find(only) != std::string_view::npos) rows.push_back(&row);
  }
  int missed = 0;
  std::vector<Job> running;
  for (size_t next = 0; next < rows.size() || !running.empty();) {
    while (running.size() < jobs && next < rows.size()) running.push_back(Begin(*rows[next++]));
    missed += Finish(running.front()) ? 0 : 1;
    running.erase(running.begin());
  }
  std::printf("%zu mutations, %d missed\n", rows.size(), missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace garam::sim

int main(int argc, char** argv) {
  std::string only;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  CLI::App app{"Shows that the simulator would notice each bug that it knows of."};
  app.add_option("--only", only, "those with this in their names");
  app.add_option("--jobs", jobs, "processes at once");
  CLI11_PARSE(app, argc, argv);
  garam::SetLogLevel(garam::LogLevel::kOff);
  return garam::sim::RunAll(only, jobs);
}
