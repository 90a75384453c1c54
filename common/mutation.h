// Bugs on demand: each switch breaks one rule that replication stands on. The simulator's second
// build (GARAM_MUTATIONS) has them, to show that it would notice each; anywhere else they are
// nothing.
//
// Threads: the simulator's one sets and reads the switch.
#pragma once

#include <cstdint>

namespace garam {

enum class Mutation : uint8_t {
  kNone,
  // Raft. Numbers are pitfalls of the field's usual list, named beside the code they break.
  kBlindTruncate,         // Everything behind an append's start goes, without a conflict.
  kAckBeforeWritten,      // A follower answers before its disk has.
  kLeaderCountsEarly,     // A leader counts itself before its disk has.
  kCommitBeyondMessage,   // A follower commits what the message did not show to agree.
  kAckOwnLast,            // A follower acknowledges its own last index.
  kVoteIgnoresTerm,       // The longer log is better, whatever its last term.
  kVoteNotStored,         // Terms and votes stay in memory.
  kVoteReplyEarly,        // A vote leaves before it is durable.
  kVoteRequestEarly,      // A candidate asks, and counts itself, before its term is durable.
  kCommitOldTerm,         // Entries of older terms commit by counting.
  kNoNoop,                // A new leader appends nothing.
  kStepDownTruncates,     // A leader that steps down drops what is not committed.
  kEmptyAppendAcks,       // An append without news is acknowledged without looking at the disk.
  kFlushRacesTruncation,  // A write that is done speaks for entries that have been replaced.
  kNoJointStep,           // Voters are swapped at once.
  kOldConversation,       // A member that comes back is spoken to under an old number.
  kBlankVotes,            // D18: whoever has lost its disk votes, and counts as who it was.
  kNoCheckQuorum,         // A leader without a quorum stays.
  kSleepUntold,           // Followers are not told the last commit.
  kMatchGoesBack,         // An answer replaces what is known of a follower, also a refusal.
  kMembersOutliveLog,     // A copied log leaves the members in force that the old one had.
  // Around it.
  kDoubtIgnored,           // D3: a log that lost its end votes like any other.
  kDoubtNotNoted,          // D3: nothing is on record before a written-only answer.
  kDigestsIgnored,         // D16: a lost push is never made good.
  kNoRedial,               // A stream that is stuck one way is left alone.
  kProposalNotStored,      // D19: a founder forgets what it has agreed to.
  kSyncSkipped,            // A log says durable without having synced.
  kNamesNotSynced,         // A new segment's name is not synced.
  kRecoveredTailUnsynced,  // Recovery calls durable what only the page cache has.
  kStaleOffsets,           // Offsets of what was truncated are not given out again.
  kMinIsrIgnored,          // Acknowledged by fewer than min.insync.replicas.
  kReadUncommitted,        // Fetches see what is not committed.
  kRowNotAwaited,          // A log start drops what producers have sent before their row is stored.
  kProducersForgotten,     // A start does not learn from the log what producers have sent.
  kExpiryByOwnClock,       // A replica that has seen no time go by forgets nobody.
  kGroupsAnswerEarly,      // What groups keep is acknowledged before it is committed.
  kGroupsNotFollowed,      // D21: who does not lead does not apply what groups keep.
  kRetentionAboveCommit,   // Retention also counts in what is not committed.
  kStartBeforeCommit,      // A log begins where an entry says that is not committed.
  kCleanPartSkipped,       // Compaction leaves what it has cleaned before as it is.
  kCompactsUncommitted,    // D14: it does not look at what the others have.
  kUnopenedForgotten,      // A replica that finds the disk full is not opened later.
  kCount,
};

#ifdef GARAM_MUTATIONS
inline Mutation mutation_on = Mutation::kNone;
inline bool Mutated(Mutation mutation) { return mutation_on == mutation; }
#else
constexpr bool Mutated(Mutation) { return false; }
#endif

}  // namespace garam
