import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A consumer of a group that says what happens to it, as group_member.py.
 *
 * <p>Member BOOTSTRAP GROUP TOPIC [key=value…]
 */
public final class Member {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings(arguments));
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      consumer.wakeup();
      try {
        main.join();
      } catch (InterruptedException ended) {
        Thread.currentThread().interrupt();
      }
    }));
    consumer.subscribe(List.of(arguments[2]), new Assigned());
    try {
      while (true) {
        readAndCommit(consumer);
      }
    } catch (WakeupException stopped) {
      consumer.close();
    }
  }

  private static Properties settings(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("group.id", arguments[1]);
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    for (int i = 3; i < arguments.length; i++) {
      String[] setting = arguments[i].split("=", 2);
      settings.put(setting[0], setting[1]);
    }
    return settings;
  }

  private static void readAndCommit(KafkaConsumer<String, String> consumer) {
    ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
    for (ConsumerRecord<String, String> record : records) {
      say(List.of("read", record.partition(), record.offset(), record.value()));
    }
    if (records.isEmpty()) {
      return;
    }
    try {
      consumer.commitSync(records.nextOffsets());
      records.nextOffsets().forEach(
          (part, next) -> say(List.of("committed", part.partition(), next.offset())));
    } catch (RebalanceInProgressException | CommitFailedException notAMember) {
      // Whoever has the partitions next reads these again.
    }
  }

  private static synchronized void say(List<?> what) {
    try {
      System.out.println(JSON.writeValueAsString(what));
    } catch (Exception failure) {
      throw new IllegalStateException(failure);
    }
  }

  private static final class Assigned implements ConsumerRebalanceListener {
    private final TreeSet<Integer> partitions = new TreeSet<>();

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
      revoked.forEach(part -> partitions.remove(part.partition()));
      sayAll();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
      assigned.forEach(part -> partitions.add(part.partition()));
      sayAll();
    }

    private void sayAll() {
      List<Object> line = new ArrayList<>(List.of("assigned"));
      line.addAll(partitions);
      say(line);
    }
  }
}
