package bridge.pickle;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What an {@link Unpickler} makes of a pickle, beside {@link String}, {@link Long}, {@link Double},
 * {@link Boolean}, {@link java.math.BigInteger}, null, and what {@link Globals} make of calls.
 * Nothing of it comes from running anything the file names.
 *
 * <p>Containers are compared by identity: a hostile file can nest one in itself, and comparing or
 * hashing its contents would then never end. Nothing here may be walked by recursion.
 */
public sealed interface Pickled {

  /** A class or function that the pickle names. */
  record Global(String module, String name) implements Pickled {
    private static final int LONGEST_SHOWN = 100;

    /** Fit for a message: one line, not too long. */
    @Override
    public String toString() {
      String line = (module + "." + name).replaceAll("\\p{C}", "?");
      return line.length() <= LONGEST_SHOWN ? line : line.substring(0, LONGEST_SHOWN) + "…";
    }
  }

  /**
   * An object of a class that nobody here knows: its class, and what attributes {@link
   * Globals#build} chose to keep.
   */
  final class Opaque implements Pickled {
    private final Global type;
    private Map<Object, Object> attributes = Map.of();

    public Opaque(Global type) {
      this.type = type;
    }

    public Global type() {
      return type;
    }

    public Map<Object, Object> attributes() {
      return attributes;
    }

    /** Keeps a dict as the attributes. */
    public void attributes(Dict dict) {
      attributes = dict.entries;
    }
  }

  /** A Python tuple. */
  final class Tuple implements Pickled {
    private final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }

    public List<Object> items() {
      return items;
    }
  }

  /** A Python list. */
  final class Items implements Pickled {
    private final List<Object> items = new ArrayList<>();

    public List<Object> items() {
      return items;
    }
  }

  /** A Python dict, in the order of its keys. */
  final class Dict implements Pickled {
    private final Map<Object, Object> entries = new LinkedHashMap<>();

    public Map<Object, Object> entries() {
      return entries;
    }
  }

  /** Python's bytes, left where they are in the file, so that large ones cost nothing. */
  final class ByteString implements Pickled {
    private static final int LONGEST_TEXT = 1000;

    private final Source source;
    private final long start;
    private final long length;

    ByteString(Source source, long start, long length) {
      this.source = source;
      this.start = start;
      this.length = length;
    }

    /** The first byte's place in the source. */
    public long start() {
      return start;
    }

    public long length() {
      return length;
    }

    /** The bytes as the Latin-1 text they may be; empty where they are too many for a name. */
    public Optional<String> text() {
      if (length > LONGEST_TEXT) {
        return Optional.empty();
      }
      ByteBuffer bytes = source.buffer(start, (int) length);
      return Optional.of(StandardCharsets.ISO_8859_1.decode(bytes).toString());
    }
  }
}
