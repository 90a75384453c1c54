import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The calls that two UIs make, in their order, each with the time that it took.
 *
 * <p>Uis kafbat|akhq BOOTSTRAP TOPIC GROUP. The topic has records; the group has offsets in it and no
 * members. Prints a line for each call: [name, milliseconds, "ok" or the error].
 */
public final class Uis {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String bootstrap;
  private final String topic;
  private final String group;
  private final Admin admin;

  private Uis(String bootstrap, String topic, String group) {
    this.bootstrap = bootstrap;
    this.topic = topic;
    this.group = group;
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("request.timeout.ms", "30000");
    this.admin = Admin.create(settings);
  }

  public static void main(String[] arguments) throws Exception {
    Uis ui = new Uis(arguments[1], arguments[2], arguments[3]);
    try {
      if (arguments[0].equals("kafbat")) {
        ui.kafbatRound();
        ui.kafbatPages();
      } else {
        ui.akhqPages();
      }
    } finally {
      ui.admin.close(Duration.ZERO);
    }
  }

  /** Makes the call and says how it went; returns null when it failed. */
  private static <T> T call(String name, Callable<T> call) throws Exception {
    long began = System.nanoTime();
    T answer = null;
    String went = "ok";
    try {
      answer = call.call();
    } catch (Exception failure) {
      Throwable cause = failure;
      while (cause.getCause() != null
          && (cause instanceof ExecutionException || cause instanceof CompletionException)) {
        cause = cause.getCause();
      }
      went = cause.getClass().getSimpleName() + ": " + cause.getMessage();
    }
    long took = (System.nanoTime() - began) / 1_000_000;
    System.out.println(JSON.writeValueAsString(List.of(name, took, went)));
    return answer;
  }

  private static ConfigResource of(ConfigResource.Type type, String name) {
    return new ConfigResource(type, name);
  }

  private static ConfigResource brokerOf(Node node) {
    return of(ConfigResource.Type.BROKER, node.idString());
  }

  private static List<TopicPartition> partitionsWithLeader(Collection<TopicDescription> topics) {
    return topics.stream()
        .filter(each -> each.partitions().stream().allMatch(
            part -> part.leader() != null && !part.leader().isEmpty()))
        .flatMap(each -> each.partitions().stream().map(
            part -> new TopicPartition(each.name(), part.partition())))
        .collect(Collectors.toList());
  }

  private static Map<TopicPartition, OffsetSpec> all(
      Collection<TopicPartition> partitions, OffsetSpec spec) {
    return partitions.stream().collect(Collectors.toMap(part -> part, part -> spec));
  }

  private KafkaConsumer<byte[], byte[]> consumer(Map<String, String> more) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    settings.putAll(more);
    return new KafkaConsumer<>(settings);
  }

  /** What kafbat does at its start, and every 30 seconds. */
  private void kafbatRound() throws Exception {
    DescribeClusterResult cluster = admin.describeCluster();
    Collection<Node> nodes = call("describeCluster", () -> cluster.nodes().get());
    Node controller = call("describeCluster controller", () -> cluster.controller().get());
    call("describeConfigs of the controller", () -> {
      Config config = admin.describeConfigs(List.of(brokerOf(controller))).all().get()
          .get(brokerOf(controller));
      return config.entries().size();
    });
    call("describeFeatures", () -> {
      // Where it reads the version from when a broker has no inter.broker.protocol.version.
      short level = admin.describeFeatures().featureMetadata().get().finalizedFeatures()
          .get("metadata.version").maxVersionLevel();
      if (level < 1) {
        throw new IllegalStateException("metadata.version " + level);
      }
      return level;
    });
    call("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
    List<Integer> ids = nodes.stream().map(Node::id).collect(Collectors.toList());
    call("describeLogDirs", () -> admin.describeLogDirs(ids).allDescriptions().get());
    Set<String> names =
        call("listTopics", () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
    Map<String, TopicDescription> topics =
        call("describeTopics", () -> admin.describeTopics(names).allTopicNames().get());
    List<ConfigResource> resources = names.stream()
        .map(name -> of(ConfigResource.Type.TOPIC, name)).collect(Collectors.toList());
    call("describeConfigs of topics", () -> admin.describeConfigs(
        resources, new DescribeConfigsOptions().includeSynonyms(true)).all().get());
    List<TopicPartition> partitions = partitionsWithLeader(topics.values());
    for (int from = 0; from < partitions.size(); from += 200) {
      List<TopicPartition> some = partitions.subList(from, Math.min(from + 200, partitions.size()));
      call("listOffsets latest", () -> admin.listOffsets(all(some, OffsetSpec.latest())).all().get());
      call("listOffsets earliest", () -> admin.listOffsets(all(some, OffsetSpec.earliest())).all().get());
    }
    List<String> groups = call("listConsumerGroups", () -> admin.listConsumerGroups().all().get().stream()
        .map(each -> each.groupId()).collect(Collectors.toList()));
    call("describeConsumerGroups", () -> admin.describeConsumerGroups(groups).all().get());
    call("listConsumerGroupOffsets", () -> {
      Map<String, ListConsumerGroupOffsetsSpec> specs = groups.stream()
          .collect(Collectors.toMap(each -> each, each -> new ListConsumerGroupOffsetsSpec()));
      return admin.listConsumerGroupOffsets(specs).all().get();
    });
    call("describeMetadataQuorum", () -> admin.describeMetadataQuorum().quorumInfo().get());
  }

  /** The pages of a topic, of a group, and the actions on them. */
  private void kafbatPages() throws Exception {
    TopicPartition first = new TopicPartition(topic, 0);
    call("describeProducers",
        () -> admin.describeProducers(List.of(first)).partitionResult(first).get());
    call("messages", () -> readAll(Map.of()));
    call("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());

    String made = topic + "-by-kafbat";
    call("createTopics", () -> admin.createTopics(
        List.of(new NewTopic(made, 2, (short) 2).configs(Map.of("retention.ms", "3600000"))))
        .all().get());
    call("createPartitions",
        () -> admin.createPartitions(Map.of(made, NewPartitions.increaseTo(4))).all().get());
    call("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(
        of(ConfigResource.Type.TOPIC, made),
        List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SET))))
        .all().get());
    call("alterPartitionReassignments", () -> fewerReplicas(made));
    call("listPartitionReassignments",
        () -> admin.listPartitionReassignments().reassignments().get());
    call("deleteRecords", () -> admin.deleteRecords(
        Map.of(first, RecordsToDelete.beforeOffset(1))).all().get());
    call("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets(
        group, Map.of(first, new OffsetAndMetadata(1))).all().get());
    call("deleteConsumerGroupOffsets",
        () -> admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get());
    call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    call("deleteTopics", () -> admin.deleteTopics(List.of(made)).all().get());
  }

  private Object fewerReplicas(String name) throws Exception {
    Map<TopicPartition, Optional<NewPartitionReassignment>> wanted = new HashMap<>();
    for (var part : admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions()) {
      wanted.put(new TopicPartition(name, part.partition()),
          Optional.of(new NewPartitionReassignment(List.of(part.leader().id()))));
    }
    return admin.alterPartitionReassignments(wanted).all().get();
  }

  /** Reads the topic to its end, as the pages of messages do. */
  private Object readAll(Map<String, String> settings) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(settings)) {
      List<TopicPartition> parts = consumer.partitionsFor(topic).stream()
          .map(part -> new TopicPartition(topic, part.partition())).collect(Collectors.toList());
      consumer.assign(parts);
      Map<TopicPartition, Long> begins = new LinkedHashMap<>();
      // AKHQ finds a topic's start by the time 0.
      consumer.offsetsForTimes(parts.stream().collect(Collectors.toMap(part -> part, part -> 0L)))
          .forEach((part, found) -> begins.put(part, found == null ? null : found.offset()));
      Map<TopicPartition, Long> ends = consumer.endOffsets(parts);
      Set<TopicPartition> unread = new HashSet<>();
      begins.forEach((part, begin) -> {
        if (begin != null) {
          consumer.seek(part, begin);
          unread.add(part);
        }
      });
      if (unread.isEmpty()) {
        throw new IllegalStateException("the topic has no records by time");
      }
      List<byte[]> values = new ArrayList<>();
      long until = System.nanoTime() + 15_000_000_000L;
      while (!unread.isEmpty()) {
        if (System.nanoTime() > until) {
          throw new IllegalStateException("not read to the end: " + unread + " of " + ends);
        }
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        records.forEach(record -> values.add(record.value()));
        unread.removeIf(part -> consumer.position(part) >= ends.get(part));
      }
      return values;
    }
  }

  /** AKHQ's pages; it changes configs by AlterConfigs and offsets by a consumer's commit. */
  private void akhqPages() throws Exception {
    Collection<Node> nodes = call("describeCluster", () -> admin.describeCluster().nodes().get());
    call("describeConfigs of brokers", () -> admin.describeConfigs(
        nodes.stream().map(Uis::brokerOf).collect(Collectors.toList())).all().get());
    call("describeLogDirs", () -> admin.describeLogDirs(
        nodes.stream().map(Node::id).collect(Collectors.toList())).allDescriptions().get());
    Set<String> names =
        call("listTopics", () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
    call("describeTopics", () -> admin.describeTopics(names).allTopicNames().get());
    call("describeConfigs of a topic",
        () -> admin.describeConfigs(List.of(of(ConfigResource.Type.TOPIC, topic))).all().get());
    call("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
    List<String> groups = call("listConsumerGroups", () -> admin.listConsumerGroups().all().get().stream()
        .map(each -> each.groupId()).collect(Collectors.toList()));
    call("describeConsumerGroups", () -> admin.describeConsumerGroups(groups).all().get());
    for (String each : groups) {
      call("listConsumerGroupOffsets",
          () -> admin.listConsumerGroupOffsets(each).partitionsToOffsetAndMetadata().get());
    }
    call("data", () -> readAll(Map.of("isolation.level", "read_committed")));
    call("produce", this::produce);

    String made = topic + "-by-akhq";
    call("createTopics",
        () -> admin.createTopics(List.of(new NewTopic(made, 2, (short) 2))).all().get());
    call("createPartitions",
        () -> admin.createPartitions(Map.of(made, NewPartitions.increaseTo(3))).all().get());
    call("alterConfigs", () -> alterByWhole(made));
    TopicPartition first = new TopicPartition(topic, 0);
    call("deleteRecords", () -> admin.deleteRecords(
        Map.of(first, RecordsToDelete.beforeOffset(1))).all().get());
    call("update offsets", () -> {
      try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("group.id", group))) {
        consumer.assign(List.of(first));
        consumer.commitSync(Map.of(first, new OffsetAndMetadata(1)));
        return consumer.committed(Set.of(first)).get(first).offset();
      }
    });
    call("deleteConsumerGroupOffsets",
        () -> admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get());
    call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    call("deleteTopics", () -> admin.deleteTopics(List.of(made)).all().get());
  }

  @SuppressWarnings("deprecation")
  private Object alterByWhole(String name) throws Exception {
    Config config = new Config(List.of(new ConfigEntry("retention.ms", "3600000")));
    return admin.alterConfigs(Map.of(of(ConfigResource.Type.TOPIC, name), config)).all().get();
  }

  private Object produce() throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("key.serializer", ByteArraySerializer.class.getName());
    settings.put("value.serializer", ByteArraySerializer.class.getName());
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      return producer.send(new ProducerRecord<>(topic, "by AKHQ".getBytes())).get();
    }
  }
}
