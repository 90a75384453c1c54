package garam.golden;

import java.io.IOException;
import java.io.PrintWriter;
import java.lang.reflect.Constructor;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * Writes, for every schema of ours, a file of lines "message version case hex" made by Kafka's own
 * classes, and the file of GroupRecords. Arguments: the folder of the schemas, the folder to write to.
 */
public final class Golden {
  private static final String HEADERS = "org.apache.kafka.common.message.";
  private static final String GROUP_RECORDS = "org.apache.kafka.coordinator.group.generated.";

  public static void main(String[] arguments) throws Exception {
    Path out = Path.of(arguments[1]);
    Files.createDirectories(out);
    try (Stream<Path> schemas = Files.list(Path.of(arguments[0]))) {
      for (Path schema : schemas.sorted().toList()) {
        try (var writer = new PrintWriter(Files.newBufferedWriter(out.resolve(schema.getFileName())))) {
          writeSchema(writer, heads(schema));
        }
      }
    }
    try (var writer = new PrintWriter(Files.newBufferedWriter(out.resolve("whole_group_records.txt")))) {
      GroupRecords.write(writer);
    }
  }

  /** The words of every line that begins a message, or an API with its two. */
  private static List<String[]> heads(Path schema) throws IOException {
    try (Stream<String> lines = Files.lines(schema)) {
      return lines.filter(line -> line.matches("(api|header|data) .*"))
          .map(line -> line.split(" +")).toList();
    }
  }

  private static void writeSchema(PrintWriter out, List<String[]> heads) throws Exception {
    boolean data = heads.get(0)[0].equals("data");
    out.printf("# Written by tests/golden/java with %s 4.3.1.%n",
        data ? "kafka-group-coordinator" : "kafka-clients");
    for (String[] head : heads) {
      switch (head[0]) {
        case "api" -> writeApi(out, head[2]);
        case "header" -> writeAlone(out, head[1], HEADERS + head[1] + "Data");
        default -> writeAlone(out, head[1], GROUP_RECORDS + head[1]);
      }
    }
  }

  private static void writeApi(PrintWriter out, String name) throws Exception {
    String constant = name.replaceAll("([a-z0-9])([A-Z])", "$1_$2").toUpperCase(Locale.ROOT);
    ApiMessageType type = ApiMessageType.valueOf(constant);
    for (int i = type.lowestSupportedVersion(); i <= type.highestSupportedVersion(true); ++i) {
      short version = (short) i;
      out.printf("api %s %d version %d headers %d %d%n", name, type.apiKey(), version,
          type.requestHeaderVersion(version), type.responseHeaderVersion(version));
      writeCases(out, name + "Request", type::newRequest, type.requestSchemas()[i], version);
      writeCases(out, name + "Response", type::newResponse, type.responseSchemas()[i], version);
    }
  }

  /** A message of no API: all versions of one class of Kafka's. */
  private static void writeAlone(PrintWriter out, String name, String className) throws Exception {
    Class<?> type = Class.forName(className);
    Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
    var constructor = type.getConstructor();
    for (short i = 0; i < schemas.length; ++i) {
      if (schemas[i] == null) continue;
      writeCases(out, name, () -> (Message) create(constructor), schemas[i], i);
    }
  }

  private static Object create(Constructor<?> constructor) {
    try {
      return constructor.newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void writeCases(PrintWriter out, String name, Supplier<? extends Message> fresh,
      Schema schema, short version) throws Exception {
    boolean flexible = Stream.of(schema.fields()).anyMatch(f -> f.def.type instanceof TaggedFields);
    for (Filler.Mode mode : Filler.Mode.values()) {
      if (mode == Filler.Mode.TAGGED && !flexible) continue;
      Message message = fresh.get();
      new Filler(mode, flexible).fill(message, schema);
      out.printf("%s %d %s %s%n", name, version, mode.name().toLowerCase(Locale.ROOT),
          HexFormat.of().formatHex(encode(message, version)));
    }
  }

  private static byte[] encode(Message message, short version) {
    var cache = new ObjectSerializationCache();
    var buffer = new ByteBufferAccessor(ByteBuffer.allocate(message.size(cache, version)));
    message.write(buffer, cache, version);
    return buffer.buffer().array();
  }

  private Golden() {}
}
