package garam.golden;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Locale;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Sets every field that a message has in a version by a rule that tests/golden/filler.cc repeats:
 * fields in the order of their declaration, the n-th scalar or text derived from n alone.
 */
final class Filler {
  /** What a case looks like; the C++ rule has the same names. */
  enum Mode {
    /** A fresh message. */
    DEFAULT,
    /** Arrays of structs with one fresh element, all the way down; else untouched. */
    FRESH,
    /** No elements, no characters; null nowhere. */
    BARE,
    /** Arrays of structs with one element, other arrays with none, no characters; null nowhere. */
    EMPTY,
    /** Null wherever it is allowed; elsewhere one element. */
    NULL,
    /** Arrays with two elements, texts with characters; null nowhere. */
    FULL,
    /** FULL, and tagged fields that nobody knows in every struct. */
    TAGGED
  }

  private final Mode mode;
  private final boolean flexible;
  private long count = 0;

  Filler(Mode mode, boolean flexible) {
    this.mode = mode;
    this.flexible = flexible;
  }

  void fill(Message message, Schema schema) throws ReflectiveOperationException {
    if (mode == Mode.DEFAULT) return;
    for (Field field : message.getClass().getDeclaredFields()) {
      if (Modifier.isStatic(field.getModifiers())) continue;
      Type type = typeOf(schema, field.getName());
      if (type == null) continue;
      if (mode == Mode.FRESH && !holdsStructs(type)) continue;
      field.setAccessible(true);
      field.set(message, value(type, field, field.get(message)));
    }
    if (mode == Mode.TAGGED && flexible) {
      message.unknownTaggedFields().add(new RawTaggedField(1000, new byte[] {7, 8, 9}));
      message.unknownTaggedFields().add(new RawTaggedField(70000, new byte[0]));
    }
  }

  private static boolean holdsStructs(Type type) {
    return (type.isArray() ? type.arrayElementType().get() : type) instanceof Schema;
  }

  /** The type of a field in that version, or null. */
  private static Type typeOf(Schema schema, String name) {
    for (BoundField bound : schema.fields()) {
      if (bound.def.type instanceof TaggedFields) {
        for (var tagged : ((TaggedFields) bound.def.type).fields().values()) {
          if (same(tagged.name, name)) return tagged.type;
        }
      } else if (same(bound.def.name, name)) {
        return bound.def.type;
      }
    }
    return null;
  }

  private static boolean same(String snake, String camel) {
    return snake.replace("_", "").equals(camel.toLowerCase(Locale.ROOT));
  }

  private Object value(Type type, Field field, Object current)
      throws ReflectiveOperationException {
    if (type.isNullable() && mode == Mode.NULL) return null;
    if (type.isArray()) return array(type.arrayElementType().get(), field);
    if (type instanceof Schema) {
      Message struct = (Message) (current != null ? current : create(field.getType()));
      fill(struct, (Schema) type);
      return struct;
    }
    return leaf(type, field.getType(), current);
  }

  @SuppressWarnings("unchecked")
  private Object array(Type elementType, Field field) throws ReflectiveOperationException {
    boolean structs = elementType instanceof Schema;
    var generic = (ParameterizedType) (field.getGenericType() instanceof ParameterizedType
        ? field.getGenericType() : field.getType().getGenericSuperclass());
    Class<?> element = (Class<?>) generic.getActualTypeArguments()[0];
    Collection<Object> all = (Collection<Object>) (field.getType().isInterface()
        ? new java.util.ArrayList<>() : create(field.getType()));
    for (int left = elements(structs); left > 0; --left) {
      if (structs) {
        Message struct = (Message) create(element);
        fill(struct, (Schema) elementType);
        all.add(struct);
      } else {
        all.add(leaf(elementType, element, null));
      }
    }
    return all;
  }

  private int elements(boolean structs) {
    return switch (mode) {
      case DEFAULT, BARE -> 0;
      case EMPTY, FRESH -> structs ? 1 : 0;
      case NULL -> 1;
      case FULL, TAGGED -> 2;
    };
  }

  private static Object create(Class<?> type) throws ReflectiveOperationException {
    var constructor = type.getDeclaredConstructor();
    constructor.setAccessible(true);
    return constructor.newInstance();
  }

  private Object leaf(Type type, Class<?> javaType, Object current) {
    ++count;
    long bits = count * 0x9E3779B97F4A7C15L;
    if (type == Type.BOOLEAN) return !((Boolean) current);
    if (type == Type.INT8) return (byte) (bits >>> 56);
    if (type == Type.INT16) return (short) (bits >>> 48);
    if (type == Type.UINT16) return (int) (bits >>> 48);
    if (type == Type.INT32) return (int) (bits >>> 32);
    if (type == Type.UNSIGNED_INT32) return bits >>> 32;
    if (type == Type.INT64) return bits;
    if (type == Type.FLOAT64) return (int) (bits >>> 32) / 8.0;
    if (type == Type.UUID) return new Uuid(bits, ~bits);
    if (javaType == String.class) return text('s');
    if (javaType == byte[].class) return text('b').getBytes(StandardCharsets.UTF_8);
    if (javaType == ByteBuffer.class) return buffer(text('b'));
    return MemoryRecords.readableRecords(buffer(text('r')));
  }

  private static ByteBuffer buffer(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Every eighth is longer than one byte of a varint can say, and not only ASCII. */
  private String text(char first) {
    if (mode == Mode.BARE || mode == Mode.EMPTY) return "";
    String text = first + Long.toString(count);
    return count % 8 == 5 ? text + "é" + "x".repeat(130) : text;
  }
}
