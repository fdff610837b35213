package bridge.checkpoint;

import bridge.pickle.Pickled.Global;
import bridge.pickle.Pickled.Items;
import bridge.pickle.Pickled.Tuple;
import bridge.torch.DType;
import bridge.torch.Memory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The oldest layout: a tar of {@code storages} and {@code tensors} (each a count, then a pickle and
 * plain numbers for every one) and {@code pickle}, whose object refers to tensors by key.
 */
final class TarFile {
  private static final int BLOCK = 512;
  private static final int MAGIC = 257;

  private final Path file;
  private final Memory memory;
  private final Map<String, MappedTensors.Region> members = new HashMap<>();
  private final Map<String, Storage> storages = new HashMap<>();
  private final Map<String, MappedTensors.Region> regions = new HashMap<>();
  private final Map<String, View> tensors = new HashMap<>();

  private TarFile(Path file, Memory memory) {
    this.file = file;
    this.memory = memory;
  }

  static boolean fits(Memory memory) {
    return memory.size() >= BLOCK
        && new String(memory.bytes(MAGIC, 5), StandardCharsets.US_ASCII).equals("ustar");
  }

  static PickledFile read(Path file, Memory memory) {
    TarFile tar = new TarFile(file, memory);
    tar.members();
    tar.storages();
    tar.entries(tar.member("tensors"), tar::tensor);
    MappedTensors.Region pickle = tar.member("pickle");
    var object =
        TorchPickle.read(
            file, memory, pickle.start(), pickle.start() + pickle.bytes(), tar.tensors);
    PickledFile.refuseObject(file, object.value());
    return new PickledFile(Format.TAR, object.value(), tar.regions);
  }

  private void members() {
    long at = 0;
    while (at + BLOCK <= memory.size() && memory.getUByte(at) != 0) {
      String name = field(at, 100).replaceFirst("^\\./", "");
      long bytes = octal(field(at + 124, 12), at);
      if (bytes > memory.size() - at - BLOCK) {
        throw broken(at, "it was cut off");
      }
      members.put(name, new MappedTensors.Region(memory, at + BLOCK, bytes));
      at += BLOCK + Math.ceilDiv(bytes, (long) BLOCK) * BLOCK;
    }
  }

  private String field(long at, int bytes) {
    String text = new String(memory.bytes(at, bytes), StandardCharsets.ISO_8859_1);
    int end = text.indexOf(0);
    return end < 0 ? text : text.substring(0, end);
  }

  private long octal(String digits, long at) {
    String text = digits.strip();
    if (!text.matches("[0-7]{1,12}")) {
      throw broken(at, "a member has no size");
    }
    return Long.parseLong(text, 8);
  }

  private MappedTensors.Region member(String name) {
    MappedTensors.Region member = members.get(name);
    if (member == null) {
      throw new CheckpointException(
          file,
          "is a tar archive without %s, so no PyTorch checkpoint; unpack it and name one inside"
              .formatted(name));
    }
    return member;
  }

  /** What stands behind the pickle of one storage or tensor; says where the next begins. */
  private interface EntryReader {
    long read(List<Object> described, long at, long end);
  }

  /** Reads a member of counted entries; returns where the last one ends. */
  private long entries(MappedTensors.Region member, EntryReader reader) {
    long end = member.start() + member.bytes();
    var count = TorchPickle.read(file, memory, member.start(), end);
    long at = count.end();
    for (long i = count(count.value(), at); i > 0; i--) {
      var entry = TorchPickle.read(file, memory, at, end);
      at = reader.read(tuple(entry.value(), at), entry.end(), end);
    }
    return at;
  }

  /** Each: the pickle (key, location, class), the number of elements, the elements. */
  private void storages() {
    MappedTensors.Region member = member("storages");
    long last = entries(member, this::storage);
    long end = member.start() + member.bytes();
    if (last < end
        && TorchPickle.read(file, memory, last, end).value() instanceof Items views
        && !views.items().isEmpty()) {
      throw broken(last, "it has storages that are views; save it again with a newer PyTorch");
    }
  }

  private long storage(List<Object> described, long at, long end) {
    String key = key(described.get(0), at);
    String type = type(described.get(2), at);
    DType elements = TorchGlobals.elements(type);
    var unsized = new Storage(key, elements, type, Long.MAX_VALUE, 0);
    MappedTensors.Region region = LegacyFile.region(file, memory, at, unsized);
    storages.put(key, new Storage(key, elements, type, region.bytes() / unsized.width(), 0));
    regions.put(key, region);
    return region.start() + region.bytes();
  }

  /** Behind the pickle (key, storage's key, class): dimensions, sizes, strides, offset. */
  private long tensor(List<Object> described, long at, long end) {
    Storage storage = storages.get(key(described.get(1), at));
    int dimensions = end - at < Long.BYTES ? -1 : memory.getInt(at); // eight bytes, four used
    long numbers = (2L * dimensions + 2) * Long.BYTES;
    if (storage == null
        || dimensions < 0
        || dimensions > MappedTensors.MOST_DIMENSIONS
        || numbers > end - at) {
      throw broken(at, "a tensor has no storage or no shape");
    }
    long[] shape = longs(at + Long.BYTES, dimensions);
    long[] strides = longs(at + Long.BYTES * (1L + dimensions), dimensions);
    long offset = memory.getLong(at + numbers - Long.BYTES);
    tensors.put(
        key(described.get(0), at),
        new View(storage, storage.type(), storage.typeName(), offset, shape, strides));
    return at + numbers;
  }

  private long[] longs(long at, int count) {
    long[] values = new long[count];
    for (int i = 0; i < count; i++) {
      values[i] = memory.getLong(at + (long) i * Long.BYTES);
    }
    return values;
  }

  private long count(Object value, long at) {
    if (value instanceof Long n && n >= 0 && n <= MappedTensors.MOST_TENSORS) {
      return n;
    }
    throw broken(at, "it counts its parts as no checkpoint does");
  }

  private List<Object> tuple(Object value, long at) {
    if (value instanceof Tuple t && t.items().size() == 3) {
      return t.items();
    }
    throw broken(at, "a part is not described");
  }

  private String key(Object value, long at) {
    if (value instanceof Long || value instanceof String) {
      return value.toString();
    }
    throw broken(at, "a part has no key");
  }

  private String type(Object value, long at) {
    if (value instanceof Global g) {
      return g.name();
    }
    throw broken(at, "a storage has no class");
  }

  private CheckpointException broken(long at, String what) {
    return new CheckpointException(
        file, "is a tar of PyTorch's oldest layout, damaged at offset %d: %s".formatted(at, what));
  }
}
