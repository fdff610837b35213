package bridge.data;

import bridge.pickle.Globals;
import bridge.pickle.PickleException;
import bridge.pickle.Pickled.ByteString;
import bridge.pickle.Pickled.Global;
import bridge.pickle.Pickled.Tuple;
import java.util.List;
import java.util.Set;

/**
 * The four names that CIFAR's pickles need, which make numpy arrays of bytes; any other is refused.
 */
final class NumpyGlobals implements Globals {
  private static final Set<Global> RECONSTRUCT =
      Set.of(
          new Global("numpy.core.multiarray", "_reconstruct"),
          new Global("numpy._core.multiarray", "_reconstruct"));
  private static final Global NDARRAY = new Global("numpy", "ndarray");
  private static final Global DTYPE = new Global("numpy", "dtype");

  private boolean hasArray;

  /** A numpy array of bytes [rows, columns], which lie where they are in the file. */
  static final class Array {
    private int rows;
    private int columns;
    private boolean fortran;
    private ByteString bytes;

    int rows() {
      return rows;
    }

    int columns() {
      return columns;
    }

    /** Whether columns lie together instead of rows. */
    boolean fortran() {
      return fortran;
    }

    /** Where its bytes begin in the file. */
    long at() {
      return bytes.start();
    }

    /** Whether it was given its content. */
    boolean isBuilt() {
      return bytes != null;
    }
  }

  /** A numpy type; only that of single bytes is of use. */
  private record Type(String code) {}

  @Override
  public void check(Global global) {
    if (!RECONSTRUCT.contains(global) && !global.equals(NDARRAY) && !global.equals(DTYPE)) {
      throw PickleException.unsafe("names %s, which CIFAR's files do not".formatted(global));
    }
  }

  @Override
  public Object call(Object callee, List<Object> arguments) {
    Object first = arguments.isEmpty() ? null : arguments.getFirst();
    if (callee instanceof Global global) {
      if (RECONSTRUCT.contains(global) && NDARRAY.equals(first)) {
        return new Array();
      }
      String code = text(first);
      if (global.equals(DTYPE) && code != null) {
        return new Type(code);
      }
    }
    throw PickleException.unsafe(
        "calls %s in a way that CIFAR's files do not"
            .formatted(callee instanceof Global ? callee : "an object"));
  }

  /** A short string of either kind; null for any other value. */
  static String text(Object value) {
    return switch (value) {
      case ByteString bytes -> bytes.text().orElse(null);
      case String text -> text;
      case null, default -> null;
    };
  }

  /** A type keeps what it is, an array gets (version, shape, type, order, bytes). */
  @Override
  public void build(Object object, Object state) {
    if (object instanceof Type) {
      return;
    }
    if (object instanceof Array array
        && state instanceof Tuple parts
        && parts.items().size() == 5
        && parts.items().get(1) instanceof Tuple shape
        && parts.items().get(2) instanceof Type(String code)
        && parts.items().get(3) instanceof Boolean fortran
        && parts.items().get(4) instanceof ByteString bytes) {
      if (!code.equals("u1") && !code.equals("|u1")) {
        throw new PickleException("has an array of type %s, expected u1".formatted(code));
      }
      fill(array, shape.items(), fortran, bytes);
    } else {
      throw new PickleException("gives an object a state that CIFAR's files do not");
    }
  }

  private void fill(Array array, List<Object> shape, boolean fortran, ByteString bytes) {
    long rows = shape.size() == 2 && shape.get(0) instanceof Long n ? n : -1;
    long columns = shape.size() == 2 && shape.get(1) instanceof Long n ? n : -1;
    if (rows < 0
        || columns < 0
        || rows > Integer.MAX_VALUE
        || columns > Integer.MAX_VALUE
        || rows * columns != bytes.length()) {
      throw new PickleException(
          "has an array of %d by %d in %d bytes".formatted(rows, columns, bytes.length()));
    }
    if (hasArray) {
      throw new PickleException("has more than one array");
    }
    hasArray = true;
    array.rows = (int) rows;
    array.columns = (int) columns;
    array.fortran = fortran;
    array.bytes = bytes;
  }
}
