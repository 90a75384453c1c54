// The table of the broker's own keys.
#include <array>

#include "broker/config_registry.h"

namespace garam {
namespace {

using enum ConfigType;

constexpr double kPortMax = 65535;
constexpr double kUnlimited = std::numeric_limits<double>::max();

constexpr std::array kOptions = {
    // Who this broker is.
    ConfigOption{"node.id", kInt, nullptr, "This broker's number; 1 when it is alone", 0},
    ConfigOption{"broker.id", kInt, nullptr, "The older name of node.id"},
    ConfigOption{"broker.rack", kString, nullptr,
                 "Where this broker stands: replicas are spread over racks"},
    ConfigOption{"log.dirs", kList, nullptr, "The data folder (the first of the list)"},
    ConfigOption{"log.dir", kString, "garam-data", "The data folder when log.dirs is not set"},
    // Who the others are.
    ConfigOption{"controller.quorum.voters", kList, nullptr,
                 "Every broker of the cluster as id@host:port; empty: a cluster of one"},
    ConfigOption{"controller.quorum.bootstrap.servers", kList, nullptr,
                 "Understood for a cluster of one; others use controller.quorum.voters"},
    ConfigOption{"controller.listener.names", kList, nullptr,
                 "Which of the listeners is for the other brokers"},
    ConfigOption{"process.roles", kList, nullptr,
                 "Accepted; every node is a broker and, when listed, a voter", 0, kUnlimited,
                 "broker, controller"},
    ConfigOption{"garam.control.listener", kString, nullptr,
                 "host:port for the other brokers; default: the controller listener, or this "
                 "broker's entry in controller.quorum.voters"},
    ConfigOption{"garam.stream.port", kInt, "0",
                 "Port of the streams between brokers; 0: any free one, which peers are told", 0,
                 kPortMax},
    // Where clients come in.
    ConfigOption{"listeners", kList, "PLAINTEXT://:9092", "Where to listen, as name://host:port"},
    ConfigOption{"advertised.listeners", kList, nullptr,
                 "What clients are told to connect to; default: the listeners"},
    ConfigOption{"listener.security.protocol.map", kList,
                 "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
                 "The protocol of each listener name; only PLAINTEXT is available"},
    ConfigOption{"garam.http.listener", kString, nullptr,
                 "host:port of /metrics, /health and /ready; default: none"},
    // Topics.
    ConfigOption{"num.partitions", kInt, "1", "Partitions of a topic that does not say", 1},
    ConfigOption{"default.replication.factor", kInt, nullptr,
                 "Replicas of a topic that does not say; default: 3, or as many as there are "
                 "brokers",
                 1, 32767},
    ConfigOption{"auto.create.topics.enable", kBoolean, "true",
                 "Whether a client may create a topic by using it"},
    ConfigOption{"delete.topic.enable", kBoolean, "true", "Whether topics may be deleted"},
    ConfigOption{"auto.leader.rebalance.enable", kBoolean, "true",
                 "Whether leaders go back to the preferred replicas by themselves"},
    ConfigOption{"garam.leader.settle.ms", kInt, "5000",
                 "How long a preferred replica is in sync before it leads again", 0, 600000},
    ConfigOption{"replica.lag.time.max.ms", kLong, "30000",
                 "How long a replica may lag before it leaves the ISR", 1},
    ConfigOption{"garam.copy.bytes.per.second", kLong, "100000000",
                 "How fast a replica that is far behind copies segments; 0: as fast as it goes", 0},
    ConfigOption{"garam.metadata.segment.bytes", kInt, "4194304",
                 "Segments of the metadata log; a snapshot stands for all but the last two", 1024},
    ConfigOption{"log.retention.hours", kInt, nullptr, "log.retention.ms in hours"},
    ConfigOption{"log.retention.minutes", kInt, nullptr, "log.retention.ms in minutes"},
    ConfigOption{"log.roll.hours", kInt, nullptr, "log.roll.ms in hours", 1},
    ConfigOption{"log.roll.jitter.hours", kInt, nullptr, "log.roll.jitter.ms in hours", 0},
    ConfigOption{"producer.id.expiration.ms", kInt, "86400000",
                 "How long an idempotent producer that sends nothing is remembered", 1},
    // Groups.
    ConfigOption{"group.initial.rebalance.delay.ms", kInt, "3000",
                 "How long an empty group waits for more members before its first rebalance", 0},
    ConfigOption{"group.min.session.timeout.ms", kInt, "6000",
                 "The shortest session that a member may ask for", 1},
    ConfigOption{"group.max.session.timeout.ms", kInt, "1800000",
                 "The longest session that a member may ask for", 1},
    ConfigOption{"group.max.size", kInt, "2147483647", "Members of one group", 1},
    ConfigOption{"offset.metadata.max.bytes", kInt, "4096",
                 "The longest text that a client may keep with an offset", 0},
    ConfigOption{"offsets.retention.minutes", kInt, "10080",
                 "How long the offsets of a group without members are kept", 1},
    ConfigOption{"offsets.retention.check.interval.ms", kLong, "600000",
                 "How often offsets are looked through for those that are over", 1},
    ConfigOption{"offsets.commit.timeout.ms", kInt, "5000",
                 "How long a commit waits for the replicas", 1},
    ConfigOption{"offsets.topic.num.partitions", kInt, "50",
                 "Partitions of __consumer_offsets, when it is made", 1},
    ConfigOption{"offsets.topic.replication.factor", kInt, nullptr,
                 "Replicas of __consumer_offsets; default: 3, or as many as there are brokers", 1,
                 32767},
    // Requests, connections, memory.
    ConfigOption{"socket.request.max.bytes", kInt, "104857600", "The largest request", 1},
    ConfigOption{"fetch.max.bytes", kInt, "57671680", "The largest answer to a fetch", 1024},
    ConfigOption{"max.incremental.fetch.session.cache.slots", kInt, "1000",
                 "How many fetch sessions are kept", 0},
    ConfigOption{"max.request.partition.size.limit", kInt, "2000",
                 "Partitions in one answer to DescribeTopicPartitions", 1},
    ConfigOption{"connections.max.idle.ms", kLong, "600000",
                 "A connection that is silent for so long is closed; -1: never", -1},
    ConfigOption{"max.connections", kInt, "2147483647", "Connections at once", 0},
    ConfigOption{"max.connections.per.ip", kInt, "2147483647",
                 "Connections at once from one address", 0},
    ConfigOption{"socket.listen.backlog.size", kInt, "50", "Connections waiting to be accepted", 1},
    ConfigOption{"socket.send.buffer.bytes", kInt, "102400",
                 "SO_SNDBUF of clients; -1: the system's", -1},
    ConfigOption{"socket.receive.buffer.bytes", kInt, "102400",
                 "SO_RCVBUF of clients; -1: the system's", -1},
    ConfigOption{"queued.max.request.bytes", kLong, "-1",
                 "Memory for requests; -1: a share of garam.memory.budget.bytes", -1},
    ConfigOption{"garam.memory.budget.bytes", kLong, "0",
                 "Memory for requests, tails, caches and queues; 0: a quarter of the machine's, "
                 "1 GiB at most",
                 0},
    ConfigOption{"garam.shards", kInt, nullptr,
                 "Event loops; default: 1, and one more for every 4 cores above 4", 1, 256},
    // Between brokers.
    ConfigOption{"garam.heartbeat.ms", kInt, "100", "Time between heartbeats to a peer", 10, 60000},
    ConfigOption{"garam.suspect.ms", kInt, "400", "Silence after which a peer is suspected", 20,
                 600000},
    ConfigOption{"garam.election.ms", kInt, "400",
                 "Silence of a leader after which an election begins, plus up to half of it", 20,
                 600000},
    ConfigOption{"garam.voter.dead.max.ms", kLong, "300000",
                 "A voter of the cluster's metadata that is away for so long gives its vote to "
                 "another broker, where there is one",
                 1000},
    ConfigOption{"garam.shutdown.max.ms", kInt, "10000",
                 "How long a clean stop may take to hand over leaderships", 0, 600000},
    ConfigOption{"garam.scrub.mb.per.second", kInt, "4",
                 "How fast logs are read to find damage, in MiB a second over all "
                 "partitions; 0: never",
                 0, 100000},
    ConfigOption{"garam.log.level", kString, "info", "What is logged", 0, kUnlimited,
                 "debug, info, warn, error"},
    ConfigOption{"authorizer.class.name", kString, "",
                 "Must be empty: authorization is not available"},
};

}  // namespace

std::span<const ConfigOption> BrokerOptions() { return kOptions; }

}  // namespace garam
