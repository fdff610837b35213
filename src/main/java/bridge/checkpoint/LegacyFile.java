package bridge.checkpoint;

import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Items;
import bridge.torch.Memory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The layout of PyTorch before 1.6: five pickles (a magic number, a version, the writer's machine,
 * the object, the keys of its storages), then for each key the number of elements and the elements.
 */
final class LegacyFile {
  private static final byte[] MAGIC = {
    (byte) 0x80,
    2,
    (byte) 0x8a,
    10,
    0x6c,
    (byte) 0xfc,
    (byte) 0x9c,
    0x46,
    (byte) 0xf9,
    0x20,
    0x6a,
    (byte) 0xa8,
    0x50,
    0x19,
    '.'
  };

  private LegacyFile() {}

  static boolean fits(Memory memory) {
    return memory.size() >= MAGIC.length && Arrays.equals(memory.bytes(0, MAGIC.length), MAGIC);
  }

  static PickledFile read(Path file, Memory memory) {
    long end = memory.size();
    var version = TorchPickle.read(file, memory, MAGIC.length, end);
    if (!Long.valueOf(1001).equals(version.value())) {
      throw new CheckpointException(
          file, "is of another version of PyTorch's old layout than 1001; save it again");
    }
    var machine = TorchPickle.read(file, memory, version.end(), end);
    if (machine.value() instanceof Dict d
        && Boolean.FALSE.equals(d.entries().get("little_endian"))) {
      throw PickledFile.bigEndian(file);
    }
    var object = TorchPickle.read(file, memory, machine.end(), end);
    PickledFile.refuseObject(file, object.value());
    var keys = TorchPickle.read(file, memory, object.end(), end);
    if (!(keys.value() instanceof Items list)) {
      throw new CheckpointException(
          file, "lists no storages at offset %d; fetch it again".formatted(object.end()));
    }
    return new PickledFile(
        Format.LEGACY,
        object.value(),
        regions(file, memory, list.items(), object.storages(), keys.end()));
  }

  private static Map<String, MappedTensors.Region> regions(
      Path file, Memory memory, List<Object> keys, Map<String, Storage> storages, long start) {
    Map<String, MappedTensors.Region> regions = new HashMap<>();
    long at = start;
    for (Object key : keys) {
      Storage storage = storages.get(key instanceof String s ? s : "");
      if (storage == null || regions.containsKey(storage.key())) {
        throw new CheckpointException(
            file, "lists a storage that no tensor has, or one twice; fetch it again");
      }
      MappedTensors.Region region = region(file, memory, at, storage);
      regions.put(storage.key(), region);
      at = region.start() + region.bytes();
    }
    return regions;
  }

  /** The storage whose number of elements is at {@code at}, its elements behind it. */
  static MappedTensors.Region region(Path file, Memory memory, long at, Storage storage) {
    if (storage.type() == null && !storage.untyped()) {
      throw PickledFile.unknownType(file, "a storage", storage.typeName());
    }
    long rest = memory.size() - at - Long.BYTES;
    long elements = rest < 0 ? 0 : memory.getLong(at);
    if (rest < 0 || elements < 0 || elements > rest / storage.width()) {
      throw new CheckpointException(
          file,
          "ends inside storage %s (offset %d): it was cut off, at %d bytes; fetch it again"
              .formatted(CheckpointException.printable(storage.key()), at, memory.size()));
    }
    return new MappedTensors.Region(memory, at + Long.BYTES, elements * storage.width());
  }
}
