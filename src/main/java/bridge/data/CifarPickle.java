package bridge.data;

import bridge.data.NumpyGlobals.Array;
import bridge.pickle.Opcode;
import bridge.pickle.PickleException;
import bridge.pickle.PickleFormat;
import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Items;
import bridge.pickle.Unpickler;
import bridge.torch.Memory;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One file of CIFAR's Python version: a pickled dict with {@code data}, uint8 [N, 3072], and the
 * labels as a list.
 */
final class CifarPickle implements CifarFiles.Records {
  private static final int IMAGE = 3072;

  /** What Python 2's cPickle writes in protocol 2, and Python 3 of the same values. */
  private static final PickleFormat FORMAT =
      new PickleFormat(
          "CIFAR file",
          3,
          EnumSet.of(
              Opcode.PROTO,
              Opcode.STOP,
              Opcode.MARK,
              Opcode.NONE,
              Opcode.NEWTRUE,
              Opcode.NEWFALSE,
              Opcode.BININT,
              Opcode.BININT1,
              Opcode.BININT2,
              Opcode.BINSTRING,
              Opcode.SHORT_BINSTRING,
              Opcode.BINBYTES,
              Opcode.SHORT_BINBYTES,
              Opcode.BINUNICODE,
              Opcode.EMPTY_TUPLE,
              Opcode.TUPLE,
              Opcode.TUPLE1,
              Opcode.TUPLE2,
              Opcode.TUPLE3,
              Opcode.EMPTY_LIST,
              Opcode.APPEND,
              Opcode.APPENDS,
              Opcode.EMPTY_DICT,
              Opcode.SETITEM,
              Opcode.SETITEMS,
              Opcode.BINPUT,
              Opcode.LONG_BINPUT,
              Opcode.BINGET,
              Opcode.LONG_BINGET,
              Opcode.GLOBAL,
              Opcode.REDUCE,
              Opcode.BUILD),
          PickleFormat.Encoding.BYTES);

  private final Memory memory;
  private final Array data;
  private final int[] labels;

  private CifarPickle(Memory memory, Array data, int[] labels) {
    this.memory = memory;
    this.data = data;
    this.labels = labels;
  }

  /** The file's one value, arrays as {@link Array}. */
  static Object unpickle(String name, Memory memory) {
    try {
      return Unpickler.read(memory::buffer, 0, memory.size(), FORMAT, new NumpyGlobals()).value();
    } catch (PickleException e) {
      throw new DataException(name, e.getMessage(), e);
    }
  }

  /** A dict by its keys, which must be names. */
  private static Map<String, Object> names(String file, Dict dict) {
    Map<String, Object> names = new HashMap<>();
    dict.entries()
        .forEach(
            (key, value) -> {
              String name = NumpyGlobals.text(key);
              if (name == null) {
                throw new DataException(file, "has a key that is no name; fetch it again");
              }
              names.put(name, value);
            });
    return names;
  }

  static CifarPickle read(String name, Memory memory, String labelKey, int classes) {
    Map<String, Object> dict = unpickle(name, memory) instanceof Dict d ? names(name, d) : Map.of();
    if (!(dict.get("data") instanceof Array data)
        || !data.isBuilt()
        || !(dict.get(labelKey) instanceof Items items)) {
      throw new DataException(name, "is no dict with data and %s".formatted(labelKey));
    }
    List<Object> list = items.items();
    if (data.columns() != IMAGE || data.rows() != list.size()) {
      throw new DataException(
          name,
          "has data of shape (%d, %d) and %d labels, expected (N, %d) and N"
              .formatted(data.rows(), data.columns(), list.size(), IMAGE));
    }
    int[] labels = new int[list.size()];
    for (int i = 0; i < labels.length; i++) {
      if (!(list.get(i) instanceof Long label) || label < 0 || label >= classes) {
        throw new DataException(
            name,
            "has label %s in record %d, expected 0 to %d".formatted(list.get(i), i, classes - 1));
      }
      labels[i] = label.intValue();
    }
    return new CifarPickle(memory, data, labels);
  }

  @Override
  public int size() {
    return labels.length;
  }

  @Override
  public int label(int i) {
    return labels[i];
  }

  @Override
  public void copy(int i, Memory to, long at) {
    if (!data.fortran()) {
      to.copyFrom(memory, data.at() + (long) i * IMAGE, at, IMAGE);
      return;
    }
    for (int column = 0; column < IMAGE; column++) {
      to.setByte(at + column, memory.getUByte(data.at() + (long) column * data.rows() + i));
    }
  }
}
