package garam.golden;

import java.io.PrintWriter;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocol;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocolCollection;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupMember;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue.ClassicMemberMetadata;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue.ClassicProtocol;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;

/**
 * Writes whole records as Kafka's coordinator does, prefixes and all, in lines "record name key
 * value". tests/golden/group_records_test.cc has the same values.
 */
final class GroupRecords {
  private static final long TIME_MS = 1_700_000_000_123L;
  private static final Uuid TOPIC = new Uuid(0x0102030405060708L, 0x090A0B0C0D0E0F10L);

  private final PrintWriter out;
  private final GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();

  private GroupRecords(PrintWriter out) {
    this.out = out;
  }

  static void write(PrintWriter out) {
    out.println("# Written by tests/golden/java with kafka-group-coordinator 4.3.1.");
    var records = new GroupRecords(out);
    records.writeOffsets();
    records.writeClassicGroups();
    records.writeConsumerGroup();
    records.writeMembers();
  }

  private void write(String name, CoordinatorRecord record) {
    byte[] value = serde.serializeValue(record);
    HexFormat hex = HexFormat.of();
    out.printf("record %s %s %s%n", name, hex.formatHex(serde.serializeKey(record)),
        value == null ? "null" : hex.formatHex(value));
  }

  private void writeOffsets() {
    write("offset_commit", offset(OptionalInt.of(7), OptionalLong.empty(), TOPIC));
    write("offset_commit_bare", offset(OptionalInt.empty(), OptionalLong.empty(), Uuid.ZERO_UUID));
    write("offset_commit_expiring",
        offset(OptionalInt.of(7), OptionalLong.of(TIME_MS + 1), TOPIC));
    write("offset_commit_tombstone",
        GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("group", "topic", 3));
  }

  private static CoordinatorRecord offset(OptionalInt leaderEpoch, OptionalLong expireMs, Uuid topic) {
    return GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 3,
        new OffsetAndMetadata(42, leaderEpoch, "note", TIME_MS, expireMs, topic));
  }

  private void writeClassicGroups() {
    var empty = new ClassicGroup(new LogContext(), "group", ClassicGroupState.EMPTY, Time.SYSTEM, 0,
        Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(TIME_MS));
    write("group_metadata_new", GroupCoordinatorRecordHelpers.newEmptyGroupMetadataRecord(empty));

    // Whom all have left, which is not the same as never having had anyone.
    var left = new ClassicGroup(new LogContext(), "group", ClassicGroupState.EMPTY, Time.SYSTEM, 6,
        Optional.of("consumer"), Optional.empty(), Optional.empty(), Optional.of(TIME_MS));
    write("group_metadata_empty",
        GroupCoordinatorRecordHelpers.newGroupMetadataRecord(left, Map.of()));

    var group = new ClassicGroup(new LogContext(), "group", ClassicGroupState.STABLE, Time.SYSTEM, 5,
        Optional.of("consumer"), Optional.of("range"), Optional.of("m1"), Optional.of(TIME_MS));
    group.add(member("m1", Optional.empty()));
    group.add(member("m2", Optional.of("instance")));
    write("group_metadata", GroupCoordinatorRecordHelpers.newGroupMetadataRecord(group,
        Map.of("m1", new byte[] {5, 6}, "m2", new byte[0])));
    write("group_metadata_tombstone",
        GroupCoordinatorRecordHelpers.newGroupMetadataTombstoneRecord("group"));
  }

  private static ClassicGroupMember member(String id, Optional<String> instance) {
    var protocols = new JoinGroupRequestProtocolCollection(List.of(
        new JoinGroupRequestProtocol().setName("roundrobin").setMetadata(new byte[] {9}),
        new JoinGroupRequestProtocol().setName("range").setMetadata(new byte[] {1, 2, 3}))
        .iterator());
    return new ClassicGroupMember(id, instance, "client", "/127.0.0.1", 60_000, 10_000, "consumer",
        protocols);
  }

  private void writeConsumerGroup() {
    write("consumer_group_metadata",
        GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("group", 11, 0x1122334455667788L));
    write("consumer_group_metadata_tombstone",
        GroupCoordinatorRecordHelpers.newConsumerGroupEpochTombstoneRecord("group"));
    write("target_assignment_metadata", GroupCoordinatorRecordHelpers
        .newConsumerGroupTargetAssignmentMetadataRecord("group", 11, TIME_MS));
    write("target_assignment_member",
        GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("group", "member",
            Map.of(TOPIC, new TreeSet<>(List.of(0, 1, 2)))));
    write("regular_expression", GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionRecord(
        "group", "t.*", new ResolvedRegularExpression(Set.of("t2", "t1"), 33, TIME_MS)));
  }

  private void writeMembers() {
    var member = new ConsumerGroupMember.Builder("member")
        .setMemberEpoch(11)
        .setPreviousMemberEpoch(10)
        .setState(MemberState.UNREVOKED_PARTITIONS)
        .setClientId("client")
        .setClientHost("/127.0.0.1")
        .setSubscribedTopicNames(List.of("t2", "t1"))
        .setRebalanceTimeoutMs(60_000)
        .setAssignedPartitions(Map.of(TOPIC, new TreeMap<>(Map.of(0, 11, 1, 10))))
        .setPartitionsPendingRevocation(Map.of(TOPIC, Map.of(2, 9)))
        .build();
    write("member_metadata",
        GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group", member));
    write("current_member_assignment",
        GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("group", member));

    var full = new ConsumerGroupMember.Builder("member")
        .setInstanceId("instance")
        .setRackId("rack")
        .setClientId("client")
        .setClientHost("/127.0.0.1")
        .setSubscribedTopicRegex("t.*")
        .setServerAssignorName("uniform")
        .setRebalanceTimeoutMs(60_000)
        .setClassicMemberMetadata(new ClassicMemberMetadata()
            .setSessionTimeoutMs(10_000)
            .setSupportedProtocols(List.of(
                new ClassicProtocol().setName("range").setMetadata(new byte[] {1, 2, 3}))))
        .build();
    write("member_metadata_full",
        GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group", full));
    // What a member without partitions has.
    write("current_member_assignment_empty",
        GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("group", full));
  }
}
