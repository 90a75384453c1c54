import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs commands of Apache Kafka one after another, for a process each costs seconds.
 *
 * <p>In, a line each: {"class": name, "arguments": [texts], "input": text}. Out, for each:
 * {"code": exit code, "out": text, "err": text}. Ends with its input.
 */
public final class Commands {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A command wants to end its process. */
  private static final class Exited extends RuntimeException {}

  // Streams that last: loggers keep the first ones that they see.
  private static final ByteArrayOutputStream OUT = new ByteArrayOutputStream();
  private static final ByteArrayOutputStream ERR = new ByteArrayOutputStream();
  private static Map<String, Object> answer;

  public static void main(String[] ignored) throws Exception {
    PrintStream answers =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
    Exit.setExitProcedure((code, message) -> {
      end(code);
      throw new Exited();
    });
    Exit.setHaltProcedure((code, message) -> {
      end(code);
      throw new Exited();
    });
    Exit.setShutdownHookAdder((name, hook) -> {});

    BufferedReader asked =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = asked.readLine(); line != null; line = asked.readLine()) {
      OUT.reset();
      ERR.reset();
      answer = null;
      run(JSON.readTree(line));
      answers.println(JSON.writeValueAsString(answer));
    }
    Runtime.getRuntime().halt(0);
  }

  /** The first end counts: a command may catch what was thrown at it, and complain of it. */
  private static synchronized void end(int code) {
    if (answer != null) {
      return;
    }
    System.out.flush();
    answer = new LinkedHashMap<>();
    answer.put("code", code);
    answer.put("out", OUT.toString(StandardCharsets.UTF_8));
    answer.put("err", ERR.toString(StandardCharsets.UTF_8));
  }

  private static void run(JsonNode asked) throws Exception {
    String[] arguments = JSON.convertValue(asked.get("arguments"), String[].class);
    System.setIn(
        new ByteArrayInputStream(asked.get("input").asText().getBytes(StandardCharsets.UTF_8)));
    try {
      Class.forName(asked.get("class").asText())
          .getMethod("main", String[].class)
          .invoke(null, (Object) arguments);
      end(0);
    } catch (InvocationTargetException failure) {
      if (!(failure.getCause() instanceof Exited)) {
        failure.getCause().printStackTrace();
      }
      end(1);
    }
  }
}
