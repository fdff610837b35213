package bridge.checkpoint;

import bridge.UsageException;
import bridge.files.FileException;
import bridge.files.Reason;
import bridge.files.WholeFile;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Memory;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file: tensors by name, and text by name beside them.
 *
 * <p>Read, it is mapped: its tensors borrow the file's bytes, so they must not be written to and
 * are valid until {@link #close}; copy what is to live longer. They belong to the scope that was
 * innermost at {@link #read}. The full state of a training run is kept in this form as well.
 *
 * <p>Layout: 8 bytes length of the header, the header (JSON), the tensors' bytes one after the
 * other without a gap. Names keep the order in which they stand in the header.
 */
public final class TensorFile implements AutoCloseable {
  /** Our header ends, and so the first tensor begins, at a multiple of this. */
  private static final int ALIGNMENT = 64;

  private final Memory memory;
  private final List<Memory> copies;
  private final Map<String, Tensor> tensors;
  private final Map<String, String> metadata;

  private TensorFile(
      Memory memory,
      List<Memory> copies,
      Map<String, Tensor> tensors,
      Map<String, String> metadata) {
    this.memory = memory;
    this.copies = copies;
    this.tensors = Collections.unmodifiableMap(tensors);
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  /**
   * Maps a file and checks all of its header.
   *
   * @throws UsageException if there is no such file
   * @throws CheckpointException if it is no safetensors file, or a broken one
   */
  public static TensorFile read(Path file) {
    Memory memory = map(file);
    try {
      return read(file, memory);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  /** As {@link #read(Path)} over a file mapped already, which the result then owns. */
  static TensorFile read(Path file, Memory memory) {
    SafetensorsHeader header = SafetensorsHeader.read(file, memory);
    try (Scope reading = Scope.open("safetensors");
        MappedTensors stored = new MappedTensors(file, memory.size())) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      header
          .entries()
          .forEach(
              (name, e) -> {
                MappedTensors.Region region =
                    new MappedTensors.Region(memory, e.begin(), e.bytes());
                tensors.put(name, stored.tensor(name, region, e.type(), 0, e.shape(), null));
              });
      tensors.values().forEach(reading::keep);
      return new TensorFile(memory, stored.release(), tensors, header.metadata());
    }
  }

  /** Maps a file the user named. */
  static Memory map(Path file) {
    if (Files.isDirectory(file)) {
      throw new UsageException("checkpoint " + file + " is a folder; name a file");
    }
    if (!Files.exists(file)) {
      throw new UsageException("checkpoint " + file + " does not exist; check the path");
    }
    try {
      return Memory.map(file);
    } catch (IOException e) {
      throw new CheckpointException(file, "cannot be read: " + Reason.reading(e), e);
    }
  }

  /** The tensors, in the header's order. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** The texts of {@code __metadata__}; empty where there is none. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** Unmaps the file; its tensors must not be used any more. */
  @Override
  public void close() {
    copies.forEach(Memory::close);
    memory.close();
  }

  /**
   * Writes tensors (any device, any strides) and texts, whole or not at all.
   *
   * @throws FileException if it cannot be written; an old file of that name then stands
   */
  public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
    // Wide elements first: with no gap between them, every tensor is then aligned to its elements.
    List<Map.Entry<String, Tensor>> order = new ArrayList<>(tensors.entrySet());
    order.sort(Comparator.comparingInt(e -> -e.getValue().dtype().bytes()));
    Map<String, Long> begins = new LinkedHashMap<>();
    tensors.keySet().forEach(name -> begins.put(name, 0L));
    long end = 0;
    for (var e : order) {
      begins.put(e.getKey(), end);
      end += bytes(e.getValue());
    }
    byte[] header = SafetensorsHeader.json(tensors, begins, metadata);
    int padded = Math.ceilDiv(Long.BYTES + header.length, ALIGNMENT) * ALIGNMENT - Long.BYTES;
    byte[] spaces = " ".repeat(padded - header.length).getBytes(StandardCharsets.US_ASCII);
    WholeFile.write(
        file,
        out -> {
          out.put(
              ByteBuffer.allocate(Long.BYTES)
                  .order(ByteOrder.LITTLE_ENDIAN)
                  .putLong(padded)
                  .array());
          out.put(header);
          out.put(spaces);
          for (var e : order) {
            try (Scope _ = Scope.open("write")) {
              put(out, plain(e.getValue()).memory());
            }
          }
        });
  }

  private static void put(WholeFile.Output out, Memory memory) throws IOException {
    for (ByteBuffer chunk : memory.buffers(0, memory.size())) {
      out.put(chunk);
    }
  }

  /** The same values on the processor, row by row. */
  static Tensor plain(Tensor tensor) {
    return tensor.detach().to(Device.CPU).contiguous();
  }

  static long bytes(Tensor tensor) {
    DType type = tensor.dtype();
    return tensor.numel() * type.bytes();
  }
}
