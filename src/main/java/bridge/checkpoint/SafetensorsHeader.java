package bridge.checkpoint;

import bridge.Json;
import bridge.torch.DType;
import bridge.torch.Memory;
import bridge.torch.Tensor;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a safetensors file, in and out.
 *
 * @param entries by name, in the header's order
 * @param metadata the texts of {@code __metadata__}
 */
record SafetensorsHeader(Map<String, Entry> entries, Map<String, String> metadata) {
  private static final String METADATA = "__metadata__";
  private static final long MOST_BYTES = 1 << 25;

  private static final Map<DType, String> NAMES = new EnumMap<>(DType.class);

  static {
    NAMES.put(DType.FLOAT64, "F64");
    NAMES.put(DType.FLOAT32, "F32");
    NAMES.put(DType.FLOAT16, "F16");
    NAMES.put(DType.BFLOAT16, "BF16");
    NAMES.put(DType.INT64, "I64");
    NAMES.put(DType.INT32, "I32");
    NAMES.put(DType.INT16, "I16");
    NAMES.put(DType.INT8, "I8");
    NAMES.put(DType.UINT8, "U8");
    NAMES.put(DType.BOOL, "BOOL");
  }

  /**
   * Where a tensor lies.
   *
   * @param begin its first byte, counted from the file's start
   */
  record Entry(DType type, long[] shape, long begin, long bytes) {}

  /** Whether a file begins as a safetensors file does. */
  static boolean fits(Memory memory) {
    return memory.size() >= 10 && memory.getUByte(8) == '{';
  }

  static SafetensorsHeader read(Path file, Memory memory) {
    if (memory.size() < Long.BYTES) {
      throw new CheckpointException(
          file, "has %d bytes, too few for a safetensors file".formatted(memory.size()));
    }
    long length = memory.getLong(0);
    if (length < 2 || length > Math.min(MOST_BYTES, memory.size() - Long.BYTES)) {
      throw new CheckpointException(
          file,
          "says that its header has %s bytes (offset 0), but the file has %d; fetch it again"
              .formatted(Long.toUnsignedString(length), memory.size()));
    }
    String json = new String(memory.bytes(Long.BYTES, (int) length), StandardCharsets.UTF_8);
    Parser parser = new Parser(file, Long.BYTES + length);
    SafetensorsHeader header = parser.parse(json);
    parser.checkCover(header.entries, memory.size());
    return header;
  }

  private record Parser(Path file, long start) {

    SafetensorsHeader parse(String json) {
      Map<String, Entry> entries = new LinkedHashMap<>();
      Map<String, String> metadata = new LinkedHashMap<>();
      try (JsonReader in = new JsonReader(new StringReader(json))) {
        in.setStrictness(Strictness.STRICT);
        in.beginObject();
        while (in.hasNext()) {
          String name = in.nextName();
          if (name.equals(METADATA)) {
            texts(in, metadata);
          } else if (entries.put(name, entry(in, name)) != null) {
            throw broken("names tensor %s twice".formatted(CheckpointException.printable(name)));
          } else if (entries.size() > MappedTensors.MOST_TENSORS) {
            throw broken("holds more than %d tensors".formatted(MappedTensors.MOST_TENSORS));
          }
        }
        in.endObject();
        if (in.peek() != JsonToken.END_DOCUMENT) {
          throw broken("has a header that goes on after its end");
        }
      } catch (IOException | IllegalStateException | NumberFormatException e) {
        throw broken(
            "has a header that is no valid JSON for safetensors: "
                + CheckpointException.printable(Json.fault(e)));
      }
      return new SafetensorsHeader(entries, metadata);
    }

    private static void texts(JsonReader in, Map<String, String> metadata) throws IOException {
      in.beginObject();
      while (in.hasNext()) {
        metadata.put(in.nextName(), in.nextString());
      }
      in.endObject();
    }

    private Entry entry(JsonReader in, String name) throws IOException {
      String type = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      in.beginObject();
      while (in.hasNext()) {
        switch (in.nextName()) {
          case "dtype" -> type = in.nextString();
          case "shape" -> shape = longs(in);
          case "data_offsets" -> offsets = longs(in);
          default -> in.skipValue();
        }
      }
      in.endObject();
      if (type == null || shape == null || offsets == null || offsets.size() != 2) {
        throw broken("does not describe %s fully".formatted(CheckpointException.printable(name)));
      }
      return place(name, type, shape.stream().mapToLong(n -> n).toArray(), offsets);
    }

    private static List<Long> longs(JsonReader in) throws IOException {
      List<Long> values = new ArrayList<>();
      in.beginArray();
      while (in.hasNext()) {
        values.add(in.nextLong());
      }
      in.endArray();
      return values;
    }

    private Entry place(String name, String type, long[] shape, List<Long> offsets) {
      String printable = CheckpointException.printable(name);
      DType dtype =
          NAMES.entrySet().stream()
              .filter(e -> e.getValue().equals(type))
              .map(Map.Entry::getKey)
              .findFirst()
              .orElseThrow(
                  () ->
                      broken(
                          "has tensor %s of type %s, which is not supported; convert it to F32"
                              .formatted(printable, CheckpointException.printable(type))));
      long begin = offsets.get(0);
      long end = offsets.get(1);
      long bytes = MappedTensors.bytes(shape, dtype);
      if (begin < 0 || end < begin || bytes < 0 || end - begin != bytes) {
        throw broken(
            "places tensor %s of shape %s at bytes %d to %d, which do not fit"
                .formatted(printable, Arrays.toString(shape), begin, end));
      }
      return new Entry(dtype, shape, start + begin, bytes);
    }

    /** The format allows no gap, no overlap and no rest. */
    void checkCover(Map<String, Entry> entries, long size) {
      List<Entry> order = new ArrayList<>(entries.values());
      order.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::bytes));
      long end = start;
      for (Entry e : order) {
        if (e.begin != end || e.bytes > size - end) {
          throw broken(
              "has %d bytes, but its tensors need another layout from offset %d on; fetch it again"
                  .formatted(size, end));
        }
        end += e.bytes;
      }
      if (end != size) {
        throw broken("has %d bytes, its tensors end at %d; fetch it again".formatted(size, end));
      }
    }

    private CheckpointException broken(String what) {
      return new CheckpointException(file, what);
    }
  }

  /** The header's text for these tensors, whose first bytes are counted from the header's end. */
  static byte[] json(
      Map<String, Tensor> tensors, Map<String, Long> begins, Map<String, String> metadata) {
    StringWriter text = new StringWriter();
    try (JsonWriter out = new JsonWriter(text)) {
      out.beginObject();
      if (!metadata.isEmpty()) {
        out.name(METADATA).beginObject();
        for (var e : metadata.entrySet()) {
          out.name(e.getKey()).value(e.getValue());
        }
        out.endObject();
      }
      for (var e : tensors.entrySet()) {
        if (e.getKey().equals(METADATA)) {
          throw new IllegalArgumentException("a tensor cannot be named " + METADATA);
        }
        long begin = begins.get(e.getKey());
        Tensor tensor = e.getValue();
        out.name(e.getKey()).beginObject().name("dtype").value(NAMES.get(tensor.dtype()));
        out.name("shape").beginArray();
        for (long n : tensor.sizes()) {
          out.value(n);
        }
        out.endArray();
        out.name("data_offsets").beginArray();
        out.value(begin).value(begin + TensorFile.bytes(tensor)).endArray();
        out.endObject();
      }
      out.endObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a StringWriter has none
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }
}
