package bridge.data;

import bridge.torch.Memory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the pickles that CIFAR was published in: protocol 2, written by Python 2, with numpy arrays
 * of bytes. Nothing is ever run: of all callables only the two that make such arrays are known, and
 * those only as names; any other is refused.
 *
 * <p>An array's bytes stay where they are in the file. The values are maps, lists, {@link Array},
 * {@link Text}, longs, booleans and null; nothing here walks them, so cycles do no harm.
 */
final class Pickle {
  /** The published files have at most 350,000 opcodes. */
  private static final int MOST_OPCODES = 2_000_000;

  private static final int LONGEST_NAME = 1000;

  /**
   * A numpy array of bytes.
   *
   * @param at where its bytes begin in the file
   * @param fortran whether columns lie together instead of rows
   */
  record Array(int rows, int columns, boolean fortran, long at) {}

  /** A byte string, left in the file. */
  record Text(long at, long length) {}

  private record Tuple(List<Object> items) {}

  private record Global(String module, String name) {
    boolean isReconstruct() {
      return name.equals("_reconstruct")
          && (module.equals("numpy.core.multiarray") || module.equals("numpy._core.multiarray"));
    }

    boolean isNumpy(String wanted) {
      return module.equals("numpy") && name.equals(wanted);
    }

    @Override
    public String toString() {
      return module + "." + name;
    }
  }

  /** A numpy type; only that of single bytes is of use. */
  private record Type(String code) {}

  /** An array that has been made but not been given its content yet. */
  private record Unbuilt() {}

  private final String file;
  private final Memory memory;
  private final List<Object> stack = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private boolean hasArray;
  private long at;

  private Pickle(String file, Memory memory) {
    this.file = file;
    this.memory = memory;
  }

  /**
   * The file's one value.
   *
   * @throws DataException if the pickle is damaged, or holds what CIFAR's files do not
   */
  static Object read(String file, Memory memory) {
    Pickle pickle = new Pickle(file, memory);
    int opcodes = 0;
    while (pickle.step()) {
      if (++opcodes > MOST_OPCODES) {
        throw pickle.broken("is longer than any of CIFAR's");
      }
    }
    return pickle.pop();
  }

  /** One opcode; false for the last. */
  private boolean step() {
    int opcode = ubyte();
    switch (opcode) {
      case '.' -> {
        return false;
      }
      case 0x80 -> protocol(ubyte());
      case 'N' -> stack.add(null);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'J' -> stack.add((long) memory.getInt(skip(4)));
      case 'K' -> stack.add((long) ubyte());
      case 'M' -> stack.add((long) (ubyte() | ubyte() << 8));
      case 'U', 'C' -> stack.add(text(ubyte()));
      case 'T', 'B', 'X' -> stack.add(text(Integer.toUnsignedLong(memory.getInt(skip(4)))));
      case 'c' -> stack.add(new Global(line(), line()));
      case 'q' -> memo.put(ubyte(), top());
      case 'r' -> memo.put(memory.getInt(skip(4)), top());
      case 'h' -> stack.add(recall(ubyte()));
      case 'j' -> stack.add(recall(memory.getInt(skip(4))));
      case 'R' -> {
        Object arguments = pop();
        stack.add(call(pop(), arguments));
      }
      case 'b' -> {
        Object state = pop();
        stack.add(build(pop(), state));
      }
      default -> container(opcode);
    }
    return true;
  }

  private void container(int opcode) {
    switch (opcode) {
      case '(' -> marks.add(stack.size());
      case '}' -> stack.add(new HashMap<String, Object>());
      case ']' -> stack.add(new ArrayList<>());
      case ')' -> stack.add(new Tuple(List.of()));
      case 't' -> stack.add(new Tuple(popMark()));
      case 0x85, 0x86, 0x87 -> stack.add(new Tuple(cut(floor(opcode - 0x84))));
      case 'a' -> list().addAll(cut(floor(1)));
      case 'e' -> add(popMark());
      case 's' -> set(cut(floor(2)));
      case 'u' -> set(popMark());
      default -> {
        at--;
        throw broken("holds opcode 0x%02x, which CIFAR's files do not".formatted(opcode));
      }
    }
  }

  private void protocol(int version) {
    if (version > 3) {
      throw broken("is of protocol %d, expected 2".formatted(version));
    }
  }

  // ---- arrays --------------------------------------------------------------------------------

  private Object call(Object function, Object arguments) {
    if (function instanceof Global global && arguments instanceof Tuple(List<Object> items)) {
      if (global.isReconstruct()
          && !items.isEmpty()
          && items.getFirst() instanceof Global type
          && type.isNumpy("ndarray")) {
        return new Unbuilt();
      }
      if (global.isNumpy("dtype")
          && !items.isEmpty()
          && items.getFirst() instanceof Text code
          && code.length <= LONGEST_NAME) {
        return new Type(string(code));
      }
    }
    throw new DataException(
        file,
        "calls %s (byte %d), which CIFAR's files do not; nothing was run, do not use the file"
            .formatted(function instanceof Global ? function : "an object", at - 1));
  }

  /** BUILD: a type keeps what it is, an array gets (version, shape, type, order, bytes). */
  private Object build(Object object, Object state) {
    if (object instanceof Type) {
      return object;
    }
    if (object instanceof Unbuilt
        && state instanceof Tuple(List<Object> parts)
        && parts.size() == 5
        && parts.get(1) instanceof Tuple(List<Object> shape)
        && parts.get(2) instanceof Type(String code)
        && parts.get(3) instanceof Boolean fortran
        && parts.get(4) instanceof Text content) {
      if (!code.equals("u1") && !code.equals("|u1")) {
        throw broken("has an array of type %s, expected u1".formatted(code));
      }
      long rows = shape.size() == 2 && shape.get(0) instanceof Long n ? n : -1;
      long columns = shape.size() == 2 && shape.get(1) instanceof Long n ? n : -1;
      if (rows < 0
          || columns < 0
          || rows > Integer.MAX_VALUE
          || columns > Integer.MAX_VALUE
          || rows * columns != content.length) {
        throw broken(
            "has an array of %d by %d in %d bytes".formatted(rows, columns, content.length));
      }
      Array array = new Array((int) rows, (int) columns, fortran, content.at);
      if (hasArray) {
        throw broken("has more than one array");
      }
      hasArray = true;
      memo.replaceAll((_, value) -> value == object ? array : value);
      return array;
    }
    throw broken("gives an object a state that CIFAR's files do not");
  }

  // ---- the stack -----------------------------------------------------------------------------

  private Object recall(int index) {
    if (!memo.containsKey(index)) {
      throw broken("recalls value %d, which it never stored".formatted(index));
    }
    return memo.get(index);
  }

  private Object top() {
    return stack.get(floor(1));
  }

  private Object pop() {
    return stack.remove(floor(1));
  }

  /** The stack's index {@code count} below its top. */
  private int floor(int count) {
    int lowest = marks.isEmpty() ? 0 : marks.getLast();
    if (stack.size() - count < lowest) {
      throw broken("takes a value that is not there");
    }
    return stack.size() - count;
  }

  private List<Object> popMark() {
    if (marks.isEmpty()) {
      throw broken("goes back to a mark that is not there");
    }
    return cut(marks.removeLast());
  }

  private List<Object> cut(int from) {
    List<Object> tail = stack.subList(from, stack.size());
    List<Object> items = new ArrayList<>(tail);
    tail.clear();
    return items;
  }

  private void add(List<Object> items) {
    list().addAll(items);
  }

  @SuppressWarnings("unchecked") // every List on the stack was made here as a List<Object>
  private List<Object> list() {
    return top() instanceof List<?> list
        ? (List<Object>) list
        : refuse("appends to what is no list");
  }

  @SuppressWarnings("unchecked") // every Map on the stack was made here as a Map<String, Object>
  private void set(List<Object> items) {
    Map<String, Object> map =
        top() instanceof Map<?, ?> m
            ? (Map<String, Object>) m
            : refuse("sets keys of what is no dict");
    if (items.size() % 2 != 0) {
      throw broken("sets a key without a value");
    }
    for (int i = 0; i < items.size(); i += 2) {
      if (!(items.get(i) instanceof Text key) || key.length > LONGEST_NAME) {
        throw broken("has a key that is no name");
      }
      map.put(string(key), items.get(i + 1));
    }
  }

  // ---- the bytes -----------------------------------------------------------------------------

  private int ubyte() {
    return memory.getUByte(skip(1));
  }

  /** Moves on by {@code bytes}, and says where it was. */
  private long skip(long bytes) {
    if (bytes > memory.size() - at) {
      throw broken("ends too early");
    }
    long was = at;
    at += bytes;
    return was;
  }

  private Text text(long length) {
    return new Text(skip(length), length);
  }

  private String string(Text text) {
    return new String(memory.bytes(text.at, (int) text.length), StandardCharsets.ISO_8859_1);
  }

  private String line() {
    long from = at;
    while (ubyte() != '\n') {
      if (at - from > LONGEST_NAME) {
        throw broken("has a name without an end");
      }
    }
    return string(new Text(from, at - 1 - from));
  }

  private <T> T refuse(String what) {
    throw broken(what);
  }

  private DataException broken(String what) {
    return new DataException(
        file, "has a pickle that %s (byte %d); fetch it again".formatted(what, at));
  }
}
