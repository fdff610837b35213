package bridge.checkpoint;

import bridge.checkpoint.Pickled.Dict;
import bridge.checkpoint.Pickled.Global;
import bridge.checkpoint.Pickled.Items;
import bridge.checkpoint.Pickled.Opaque;
import bridge.checkpoint.Pickled.Storage;
import bridge.checkpoint.Pickled.Tuple;
import bridge.checkpoint.Pickled.View;
import bridge.torch.Memory;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads one Python pickle (protocols 2 to 5) out of a mapped file, without ever running what it
 * names: a global is a name, calls are left to {@link TorchGlobals}, which knows the few that make
 * tensors and turns every other into an {@link Opaque}.
 *
 * <p>Time and memory are bounded by {@link #BUDGET}, whatever the file holds. What the pickle makes
 * is never walked here, so cycles do no harm.
 */
final class Unpickler {
  /** Heap that one pickle may cost, roughly, in bytes: about two million opcodes. */
  private static final long BUDGET = 1 << 28;

  private static final int PER_OPCODE = 128;
  private static final int LONGEST_NAME = 1000;
  private static final int LONGEST_NUMBER = 255;

  /** Modules whose functions act on the machine: a file that names one is an attack. */
  private static final Set<String> ACTING =
      Set.of(
          "os",
          "posix",
          "nt",
          "subprocess",
          "sys",
          "socket",
          "shutil",
          "pty",
          "importlib",
          "runpy",
          "ctypes",
          "webbrowser",
          "commands",
          "code",
          "timeit",
          "pickle",
          "marshal",
          "asyncio");

  /** Of Python's built-in names, those that only make values. */
  private static final Set<String> HARMLESS =
      Set.of(
          "set",
          "frozenset",
          "list",
          "dict",
          "tuple",
          "int",
          "long",
          "float",
          "bool",
          "str",
          "unicode",
          "bytes",
          "bytearray",
          "complex",
          "slice",
          "range",
          "xrange",
          "object",
          "type",
          "Ellipsis",
          "NotImplemented");

  private final Path file;
  private final Memory memory;
  private final long end;
  private final List<Object> stack = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private final TorchGlobals torch;
  private long at;
  private long spent;

  private Unpickler(Path file, Memory memory, long start, long end, Map<String, View> tensors) {
    this.file = file;
    this.memory = memory;
    this.at = start;
    this.end = end;
    this.torch = new TorchGlobals(file, tensors);
  }

  /**
   * A pickle's value.
   *
   * @param value as {@link Pickled} says
   * @param storages all that the pickle refers to, by key
   * @param end the byte behind the pickle
   */
  record Result(Object value, Map<String, Storage> storages, long end) {}

  /**
   * Reads the pickle that begins at {@code start}; it must stop before {@code end}.
   *
   * @throws CheckpointException if it is broken, too large, or names a function that acts
   */
  static Result read(Path file, Memory memory, long start, long end) {
    return read(file, memory, start, end, Map.of());
  }

  /** As above, in a layout whose objects refer to tensors by key. */
  static Result read(Path file, Memory memory, long start, long end, Map<String, View> tensors) {
    Unpickler reader = new Unpickler(file, memory, start, end, tensors);
    while (reader.step()) {}
    return new Result(reader.pop(), reader.torch.storages(), reader.at);
  }

  /** One opcode; false for the last. */
  private boolean step() {
    spend(PER_OPCODE);
    int opcode = ubyte();
    switch (opcode) {
      case 0x80 -> ubyte(); // PROTO: the opcodes themselves tell all
      case 0x95 -> skip(8); // FRAME: nothing is read ahead here
      case '.' -> {
        return false;
      }
      case '(' -> marks.add(stack.size());
      case '0' -> pop();
      case '1' -> popMark();
      case '2' -> push(top());
      case 'N' -> push(null);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'c' -> push(global(line(), line()));
      case 0x93 -> {
        String name = pop(String.class);
        push(global(pop(String.class), name));
      }
      case 'Q' -> push(torch.persistent(pop()));
      case 'R', 0x81 -> { // a call, and the making of an object
        List<Object> arguments = pop(Tuple.class).items;
        push(torch.call(pop(), arguments));
      }
      case 0x92 -> { // the same with named arguments, which nothing known here has
        popLast(2);
        push(new Opaque(pop(Global.class)));
      }
      case 'b' -> build();
      default -> {
        if (!number(opcode) && !text(opcode) && !container(opcode) && !remembered(opcode)) {
          at--;
          throw broken("holds opcode 0x%02x, which no checkpoint needs".formatted(opcode));
        }
      }
    }
    return true;
  }

  private boolean number(int opcode) {
    switch (opcode) {
      case 'J' -> push((long) memory.getInt(skip(4)));
      case 'K' -> push((long) ubyte());
      case 'M' -> push((long) (ubyte() | ubyte() << 8));
      case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(memory.getLong(skip(8)))));
      case 0x8a -> push(whole(ubyte()));
      case 0x8b -> push(whole(memory.getInt(skip(4))));
      default -> {
        return false;
      }
    }
    return true;
  }

  private boolean text(int opcode) {
    switch (opcode) {
      case 'X', 'T' -> push(utf8(Integer.toUnsignedLong(memory.getInt(skip(4)))));
      case 'U', 0x8c -> push(utf8(ubyte()));
      case 0x8d -> push(utf8(memory.getLong(skip(8))));
      case 'B' -> push(bytes(Integer.toUnsignedLong(memory.getInt(skip(4)))));
      case 'C' -> push(bytes(ubyte()));
      case 0x8e, 0x96 -> push(bytes(memory.getLong(skip(8))));
      default -> {
        return false;
      }
    }
    return true;
  }

  private boolean container(int opcode) {
    switch (opcode) {
      case '}' -> push(new Dict());
      case ']' -> push(new Items());
      case ')' -> push(new Tuple(List.of()));
      case 't' -> push(new Tuple(popMark()));
      case 0x85, 0x86, 0x87 -> push(new Tuple(popLast(opcode - 0x84)));
      case 'l' -> {
        Items list = new Items();
        list.items.addAll(popMark());
        push(list);
      }
      case 'd' -> {
        List<Object> items = popMark();
        push(new Dict());
        set(items);
      }
      case 'a' -> add(popLast(1));
      case 'e' -> add(popMark());
      case 's' -> set(popLast(2));
      case 'u' -> set(popMark());
      case 0x8f -> push(new Opaque(new Global("builtins", "set")));
      case 0x91 -> {
        popMark();
        push(new Opaque(new Global("builtins", "frozenset")));
      }
      case 0x90 -> {
        popMark(); // ADDITEMS: what is in a set is of no use here
        top();
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  private boolean remembered(int opcode) {
    switch (opcode) {
      case 'q' -> memo.put(ubyte(), top());
      case 'r' -> memo.put(memory.getInt(skip(4)), top());
      case 0x94 -> memo.put(memo.size(), top());
      case 'h' -> push(recall(ubyte()));
      case 'j' -> push(recall(memory.getInt(skip(4))));
      default -> {
        return false;
      }
    }
    return true;
  }

  private Object recall(int index) {
    if (!memo.containsKey(index)) {
      throw broken("recalls value %d, which it never stored".formatted(index));
    }
    return memo.get(index);
  }

  private Global global(String module, String name) {
    if (module.length() > LONGEST_NAME || name.length() > LONGEST_NAME) {
      throw broken("names a global of %d characters".formatted(module.length() + name.length()));
    }
    String outermost = module.split("\\.", 2)[0];
    boolean builtin = outermost.equals("__builtin__") || outermost.equals("builtins");
    if (ACTING.contains(outermost) || builtin && !HARMLESS.contains(name)) {
      throw new CheckpointException(
          file,
          ("names %s (offset %d), which would act on your machine if Python loaded it; nothing was"
                  + " run, do not use the file")
              .formatted(new Global(module, name), at));
    }
    return new Global(module, name);
  }

  /** BUILD: the state of the object on top. */
  private void build() {
    Object state = pop();
    if (top() instanceof Opaque object
        && object.type.module().startsWith("__torch__")
        && state instanceof Dict dict) {
      object.attributes = dict.entries;
    }
  }

  private void add(List<Object> items) {
    switch (top()) {
      case Items list -> list.items.addAll(items);
      case Opaque _ -> {} // of no use here
      case null, default -> throw broken("appends to what is no list");
    }
  }

  private void set(List<Object> items) {
    if (items.size() % 2 != 0) {
      throw broken("sets a key without a value");
    }
    switch (top()) {
      case Dict dict -> {
        for (int i = 0; i < items.size(); i += 2) {
          dict.entries.put(items.get(i), items.get(i + 1));
        }
      }
      case Opaque _ -> {} // of no use here
      case null, default -> throw broken("sets keys of what is no dict");
    }
  }

  // ---- the stack ---------------------------------------------------------------------------

  private void push(Object value) {
    stack.add(value);
  }

  private Object top() {
    return stack.get(need(1));
  }

  private Object pop() {
    return stack.remove(need(1));
  }

  private <T> T pop(Class<T> type) {
    Object value = pop();
    if (!type.isInstance(value)) {
      throw broken("has another value where a %s belongs".formatted(type.getSimpleName()));
    }
    return type.cast(value);
  }

  /** The stack's index {@code count} below its top. */
  private int need(int count) {
    int floor = marks.isEmpty() ? 0 : marks.getLast();
    if (stack.size() - count < floor) {
      throw broken("takes a value that is not there");
    }
    return stack.size() - count;
  }

  private List<Object> popLast(int count) {
    return cut(need(count));
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

  // ---- the bytes ---------------------------------------------------------------------------

  private int ubyte() {
    return memory.getUByte(skip(1));
  }

  /** Moves on by {@code bytes}, and says where it was. */
  private long skip(long bytes) {
    if (bytes < 0 || bytes > end - at) {
      throw broken("ends too early");
    }
    long was = at;
    at += bytes;
    return was;
  }

  private byte[] bytes(long count) {
    long from = skip(count);
    spend(2 * count);
    return memory.bytes(from, (int) count);
  }

  private String utf8(long count) {
    return new String(bytes(count), StandardCharsets.UTF_8);
  }

  private String line() {
    long from = at;
    while (ubyte() != '\n') {
      spend(2);
    }
    return new String(memory.bytes(from, (int) (at - 1 - from)), StandardCharsets.UTF_8);
  }

  /** Python's whole numbers of any length: little endian, two's complement. */
  private Number whole(int count) {
    if (count > LONGEST_NUMBER) {
      throw broken("holds a number of %d bytes".formatted(count));
    }
    byte[] little = bytes(count);
    byte[] big = new byte[little.length];
    for (int i = 0; i < big.length; i++) {
      big[i] = little[big.length - 1 - i];
    }
    BigInteger value = big.length == 0 ? BigInteger.ZERO : new BigInteger(big);
    return value.bitLength() < Long.SIZE ? (Number) value.longValue() : value;
  }

  private void spend(long bytes) {
    spent += bytes;
    if (spent > BUDGET) {
      throw broken("is larger than any checkpoint's");
    }
  }

  private CheckpointException broken(String what) {
    return new CheckpointException(
        file, "has a pickle that %s (offset %d); fetch the file again".formatted(what, at));
  }
}
