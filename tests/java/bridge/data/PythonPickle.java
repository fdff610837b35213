package bridge.data;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Writes pickles byte for byte as Python 2's cPickle does in protocol 2, memo and all. */
final class PythonPickle {
  private static final int BATCH = 1000;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int memo = 1;

  /**
   * A numpy array of bytes.
   *
   * @param content in the order that {@code fortran} tells
   */
  record Array(int rows, int columns, boolean fortran, byte[] content) {}

  /** A call that only an attacker writes. */
  record Call(String module, String name, String argument) {}

  static byte[] of(Object value) {
    PythonPickle pickle = new PythonPickle();
    pickle.raw("\u0080\u0002");
    pickle.put(value);
    pickle.raw(".");
    return pickle.out.toByteArray();
  }

  private void put(Object value) {
    switch (value) {
      case Integer i -> integer(i);
      case String s -> string(s.getBytes(StandardCharsets.ISO_8859_1));
      case List<?> list -> list(list);
      case Map<?, ?> map -> map(map);
      case Array array -> array(array);
      case Call call -> {
        raw("c" + call.module + "\n" + call.name + "\n");
        string(call.argument.getBytes(StandardCharsets.ISO_8859_1));
        raw("\u0085R");
      }
      default -> throw new IllegalArgumentException(value.toString());
    }
  }

  private void integer(int i) {
    if (i >= 0 && i < 256) {
      raw("K" + (char) i);
    } else if (i >= 0 && i < 65536) {
      raw("M" + (char) (i & 255) + (char) (i >> 8));
    } else {
      raw("J");
      littleEndian(i);
    }
  }

  private void string(byte[] bytes) {
    if (bytes.length < 256) {
      raw("U" + (char) bytes.length);
    } else {
      raw("T");
      littleEndian(bytes.length);
    }
    out.writeBytes(bytes);
    remember();
  }

  private void list(List<?> list) {
    raw("]");
    remember();
    for (int from = 0; from < list.size(); from += BATCH) {
      raw("(");
      list.subList(from, Math.min(from + BATCH, list.size())).forEach(this::put);
      raw("e");
    }
  }

  private void map(Map<?, ?> map) {
    raw("}");
    remember();
    raw("(");
    map.forEach(
        (key, value) -> {
          put(key);
          put(value);
        });
    raw("u");
  }

  private void array(Array array) {
    raw("cnumpy.core.multiarray\n_reconstruct\n");
    remember();
    raw("cnumpy\nndarray\n");
    remember();
    raw("K\0\u0085");
    string(new byte[] {'b'});
    raw("\u0087R");
    remember();
    raw("(K\1");
    integer(array.rows);
    integer(array.columns);
    raw("\u0086cnumpy\ndtype\n");
    remember();
    string(new byte[] {'u', '1'});
    raw("K\0K\1\u0087R");
    remember();
    raw("(K\3");
    string(new byte[] {'|'});
    raw("NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\0tb");
    raw(array.fortran ? "\u0088" : "\u0089");
    string(array.content);
    raw("tb");
  }

  private void remember() {
    if (memo < 256) {
      raw("q" + (char) memo);
    } else {
      raw("r");
      littleEndian(memo);
    }
    memo++;
  }

  private void littleEndian(int value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.write(value >>> shift);
    }
  }

  private void raw(String latin1) {
    out.writeBytes(latin1.getBytes(StandardCharsets.ISO_8859_1));
  }
}
