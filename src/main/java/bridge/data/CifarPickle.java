package bridge.data;

import bridge.torch.Memory;
import java.util.List;
import java.util.Map;

/**
 * One file of CIFAR's Python version: a pickled dict with {@code data}, uint8 [N, 3072], and the
 * labels as a list.
 */
final class CifarPickle implements CifarFiles.Records {
  private static final int IMAGE = 3072;

  private final Memory memory;
  private final Pickle.Array data;
  private final int[] labels;

  private CifarPickle(Memory memory, Pickle.Array data, int[] labels) {
    this.memory = memory;
    this.data = data;
    this.labels = labels;
  }

  static CifarPickle read(String name, Memory memory, String labelKey, int classes) {
    if (!(Pickle.read(name, memory) instanceof Map<?, ?> dict)
        || !(dict.get("data") instanceof Pickle.Array data)
        || !(dict.get(labelKey) instanceof List<?> list)) {
      throw new DataException(name, "is no dict with data and %s".formatted(labelKey));
    }
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
