package bridge.pickle;

import bridge.pickle.PickleFormat.Encoding;
import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Global;
import bridge.pickle.Pickled.Items;
import bridge.pickle.Pickled.Opaque;
import bridge.pickle.Pickled.Tuple;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads one Python pickle without ever running what it names: a global is a name, and calls are
 * left to {@link Globals}.
 *
 * <p>Time and memory are bounded, whatever the pickle holds: two million opcodes, 2<sup>28</sup>
 * bytes of heap. What it makes is never walked here, so cycles do no harm.
 */
public final class Unpickler {
  private final PickleInput in;
  private final PickleStack stack = new PickleStack();
  private final Map<Integer, Object> memo = new HashMap<>();
  private final PickleFormat format;
  private final Globals globals;

  private Unpickler(PickleInput in, PickleFormat format, Globals globals) {
    this.in = in;
    this.format = format;
    this.globals = globals;
  }

  /**
   * A pickle's value.
   *
   * @param value as {@link Pickled} says
   * @param end the byte behind the pickle
   */
  public record Result(Object value, long end) {}

  /**
   * Reads the pickle that begins at {@code start}; it must stop before {@code end}.
   *
   * @throws PickleException if it is broken or too large, or holds what the format or the globals
   *     do not allow
   */
  public static Result read(
      Source source, long start, long end, PickleFormat format, Globals globals) {
    PickleInput in = new PickleInput(source, start, end, format.owner());
    Unpickler reader = new Unpickler(in, format, globals);
    long opcode = start;
    try {
      while (reader.step()) {
        opcode = in.position();
      }
      return new Result(reader.stack.pop(), in.position());
    } catch (PickleException e) {
      throw e.at(opcode);
    }
  }

  /** One opcode; false for the last. */
  private boolean step() {
    int code = in.opcode();
    Opcode opcode = Opcode.of(code);
    if (opcode == null || !format.opcodes().contains(opcode)) {
      throw new PickleException(
          "holds opcode 0x%02x, which no %s needs".formatted(code, format.owner()));
    }
    switch (opcode.kind) {
      case MACHINE -> machine(opcode);
      case NUMBER -> stack.push(number(opcode));
      case STRING -> stack.push(string(opcode));
      case CONTAINER -> container(opcode);
      case MEMO -> memo(opcode);
      case OBJECT -> object(opcode);
    }
    return opcode != Opcode.STOP;
  }

  private void machine(Opcode opcode) {
    switch (opcode) {
      case PROTO -> protocol(in.ubyte());
      case FRAME -> in.skip(Long.BYTES); // nothing is read ahead here
      case MARK -> stack.mark();
      case POP -> stack.pop();
      case POP_MARK -> stack.popMark();
      case DUP -> stack.push(stack.top());
      case STOP -> {}
      default -> throw unexpected(opcode);
    }
  }

  private void protocol(int version) {
    if (version > format.highestProtocol()) {
      throw new PickleException(
          "is of protocol %d, expected at most %d".formatted(version, format.highestProtocol()));
    }
  }

  private Object number(Opcode opcode) {
    return switch (opcode) {
      case NONE -> null;
      case NEWTRUE -> true;
      case NEWFALSE -> false;
      case BININT -> (long) in.int32();
      case BININT1 -> (long) in.ubyte();
      case BININT2 -> (long) (in.ubyte() | in.ubyte() << 8);
      case LONG1 -> in.whole(in.ubyte());
      case LONG4 -> in.whole(in.int32());
      case BINFLOAT -> Double.longBitsToDouble(Long.reverseBytes(in.int64()));
      default -> throw unexpected(opcode);
    };
  }

  private Object string(Opcode opcode) {
    return switch (opcode) {
      case BINUNICODE -> in.utf8(in.uint32());
      case SHORT_BINUNICODE -> in.utf8(in.ubyte());
      case BINUNICODE8 -> in.utf8(in.int64());
      case BINSTRING -> python2(in.uint32());
      case SHORT_BINSTRING -> python2(in.ubyte());
      case BINBYTES -> in.byteString(in.uint32());
      case SHORT_BINBYTES -> in.byteString(in.ubyte());
      case BINBYTES8, BYTEARRAY8 -> in.byteString(in.int64());
      default -> throw unexpected(opcode);
    };
  }

  private Object python2(long count) {
    return format.encoding() == Encoding.UTF8 ? in.utf8(count) : in.byteString(count);
  }

  private void container(Opcode opcode) {
    switch (opcode) {
      case EMPTY_TUPLE -> stack.push(new Tuple(List.of()));
      case TUPLE -> stack.push(new Tuple(stack.popMark()));
      case TUPLE1 -> stack.push(new Tuple(stack.popLast(1)));
      case TUPLE2 -> stack.push(new Tuple(stack.popLast(2)));
      case TUPLE3 -> stack.push(new Tuple(stack.popLast(3)));
      case EMPTY_LIST -> stack.push(new Items());
      case LIST -> {
        List<Object> items = stack.popMark();
        stack.push(new Items());
        append(items);
      }
      case APPEND -> append(stack.popLast(1));
      case APPENDS -> append(stack.popMark());
      case EMPTY_DICT -> stack.push(new Dict());
      case DICT -> {
        List<Object> items = stack.popMark();
        stack.push(new Dict());
        set(items);
      }
      case SETITEM -> set(stack.popLast(2));
      case SETITEMS -> set(stack.popMark());
      case EMPTY_SET -> stack.push(new Opaque(new Global("builtins", "set")));
      case FROZENSET -> {
        stack.popMark();
        stack.push(new Opaque(new Global("builtins", "frozenset")));
      }
      case ADDITEMS -> {
        stack.popMark(); // what is in a set is of no use to anybody
        stack.top();
      }
      default -> throw unexpected(opcode);
    }
  }

  private void append(List<Object> items) {
    switch (stack.top()) {
      case Items list -> list.items().addAll(items);
      case Opaque _ -> {} // of no use to anybody
      case null, default -> throw new PickleException("appends to what is no list");
    }
  }

  private void set(List<Object> items) {
    if (items.size() % 2 != 0) {
      throw new PickleException("sets a key without a value");
    }
    switch (stack.top()) {
      case Dict dict -> {
        for (int i = 0; i < items.size(); i += 2) {
          dict.entries().put(items.get(i), items.get(i + 1));
        }
      }
      case Opaque _ -> {} // of no use to anybody
      case null, default -> throw new PickleException("sets keys of what is no dict");
    }
  }

  private void memo(Opcode opcode) {
    switch (opcode) {
      case BINPUT -> memo.put(in.ubyte(), stack.top());
      case LONG_BINPUT -> memo.put(in.int32(), stack.top());
      case MEMOIZE -> memo.put(memo.size(), stack.top());
      case BINGET -> stack.push(recall(in.ubyte()));
      case LONG_BINGET -> stack.push(recall(in.int32()));
      default -> throw unexpected(opcode);
    }
  }

  private Object recall(int index) {
    if (!memo.containsKey(index)) {
      throw new PickleException("recalls value %d, which it never stored".formatted(index));
    }
    return memo.get(index);
  }

  private void object(Opcode opcode) {
    switch (opcode) {
      case GLOBAL -> stack.push(global(in.line(), in.line()));
      case STACK_GLOBAL -> {
        String name = stack.pop(String.class);
        stack.push(global(stack.pop(String.class), name));
      }
      case REDUCE, NEWOBJ -> {
        List<Object> arguments = stack.pop(Tuple.class).items();
        stack.push(globals.call(stack.pop(), arguments));
      }
      case NEWOBJ_EX -> { // with named arguments, which nothing known has
        stack.popLast(2);
        stack.push(new Opaque(stack.pop(Global.class)));
      }
      case BUILD -> {
        Object state = stack.pop();
        globals.build(stack.top(), state);
      }
      case BINPERSID -> stack.push(globals.persistent(stack.pop()));
      default -> throw unexpected(opcode);
    }
  }

  private Global global(String module, String name) {
    if (module.length() > PickleInput.LONGEST_NAME || name.length() > PickleInput.LONGEST_NAME) {
      throw new PickleException(
          "names a global of %d characters".formatted(module.length() + name.length()));
    }
    Global global = new Global(module, name);
    globals.check(global);
    return global;
  }

  private static IllegalStateException unexpected(Opcode opcode) {
    return new IllegalStateException(opcode + " is of another kind");
  }
}
