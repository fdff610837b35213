package bridge.checkpoint;

import bridge.pickle.Pickled.Opaque;
import bridge.torch.Memory;
import bridge.torch.Tensor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A file of PyTorch's own layouts, taken apart: an object, and the bytes its tensors refer to.
 *
 * @param root as {@link bridge.pickle.Pickled} says
 * @param regions the bytes of each storage, by key
 */
record PickledFile(Format format, Object root, Map<String, MappedTensors.Region> regions) {
  private static final String DATA = "data.pkl";

  /** The layout since 1.6, and TorchScript's, which is like it. */
  static PickledFile readZip(Path file, Memory memory) {
    Map<String, MappedTensors.Region> entries = ZipDirectory.read(file, memory);
    List<String> pickles =
        entries.keySet().stream().filter(name -> name.matches("[^/]*/" + DATA)).toList();
    if (pickles.size() != 1) {
      throw new CheckpointException(
          file,
          "is a zip file but no PyTorch checkpoint: it has %d entries named FOLDER/%s, not one"
              .formatted(pickles.size(), DATA));
    }
    String name = pickles.getFirst();
    String folder = name.substring(0, name.length() - DATA.length());
    checkByteOrder(file, entries.get(folder + "byteorder"));
    boolean script = entries.containsKey(folder + "constants.pkl");
    MappedTensors.Region pickle = entries.get(name);
    var object = TorchPickle.read(file, memory, pickle.start(), pickle.start() + pickle.bytes());
    if (!script) {
      refuseObject(file, object.value());
    }
    Map<String, MappedTensors.Region> regions = new HashMap<>();
    for (String key : object.storages().keySet()) {
      MappedTensors.Region region = entries.get(folder + "data/" + key);
      if (region == null) {
        throw new CheckpointException(
            file,
            "has no entry %sdata/%s, which its %s needs; fetch it again"
                .formatted(
                    CheckpointException.printable(folder),
                    CheckpointException.printable(key),
                    DATA));
      }
      regions.put(key, region);
    }
    return new PickledFile(script ? Format.TORCHSCRIPT : Format.ZIP, object.value(), regions);
  }

  private static void checkByteOrder(Path file, MappedTensors.Region order) {
    if (order != null) {
      byte[] text = order.memory().bytes(order.start(), (int) Math.min(order.bytes(), 16));
      if (!new String(text, StandardCharsets.US_ASCII).strip().equals("little")) {
        throw bigEndian(file);
      }
    }
  }

  static CheckpointException bigEndian(Path file) {
    return new CheckpointException(
        file, "holds big-endian numbers; load and save it again on a usual machine");
  }

  /** A whole object is refused before its bytes are looked for. */
  static void refuseObject(Path file, Object root) {
    if (root instanceof Opaque o) {
      throw wholeObject(file, o, List.of());
    }
  }

  /**
   * @param under the names that lead to it
   */
  static CheckpointException wholeObject(Path file, Opaque object, List<String> under) {
    String where = under.isEmpty() ? "" : " under " + String.join(".", under);
    String keys = under.stream().map("[\"%s\"]"::formatted).collect(Collectors.joining());
    return new CheckpointException(
        file,
        ("holds a whole object of class %s%s, not a state_dict; in Python, where that class can be"
                + " imported: torch.save(torch.load(path, weights_only=False)%s.state_dict(),"
                + " new_path)")
            .formatted(object.type(), where, keys));
  }

  static CheckpointException unknownType(Path file, String what, String type) {
    return new CheckpointException(
        file,
        "has %s of type %s, which is not supported; convert it to float32 in Python"
            .formatted(what, CheckpointException.printable(type)));
  }

  /** The tensor of a view, over the mapped bytes. */
  Tensor tensor(Path file, MappedTensors stored, String name, View view) {
    Storage storage = view.storage();
    if (view.type() == null) {
      throw unknownType(file, "tensor " + CheckpointException.printable(name), view.typeName());
    }
    return stored.tensor(
        name,
        region(file, name, storage),
        view.type(),
        view.offset(),
        view.shape(),
        view.strides());
  }

  /** The part that a storage claims, inside what the file has for it. */
  private MappedTensors.Region region(Path file, String name, Storage storage) {
    MappedTensors.Region all = regions.get(storage.key());
    long width = storage.width();
    if (all == null
        || storage.start() > all.bytes() / width
        || storage.elements() > all.bytes() / width - storage.start()) {
      throw new CheckpointException(
          file,
          "has tensor %s in a storage of %d elements, but only %d bytes are there; fetch it again"
              .formatted(
                  CheckpointException.printable(name),
                  storage.elements(),
                  all == null ? 0 : all.bytes()));
    }
    long start = all.start() + storage.start() * width;
    return new MappedTensors.Region(all.memory(), start, storage.elements() * width);
  }
}
