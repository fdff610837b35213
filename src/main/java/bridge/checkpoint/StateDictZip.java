package bridge.checkpoint;

import bridge.files.WholeFile;
import bridge.pickle.PickleWriter;
import bridge.torch.DType;
import bridge.torch.Memory;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/**
 * Writes a state_dict as {@code torch.save} does since 1.6: a zip of plain entries under one
 * folder, of which {@code data.pkl} describes an OrderedDict of tensors and {@code data/0}, {@code
 * data/1}, … hold their bytes.
 */
final class StateDictZip {
  private static final String FOLDER = "archive/";

  private StateDictZip() {}

  static void write(Path file, Map<String, Tensor> tensors) {
    WholeFile.write(file, out -> write(new ZipWriter(out), tensors));
  }

  static void write(ZipWriter zip, Map<String, Tensor> tensors) throws IOException {
    zip.put(FOLDER + "data.pkl", pickle(tensors));
    zip.put(FOLDER + "byteorder", ascii("little"));
    int key = 0;
    for (Tensor tensor : tensors.values()) {
      try (Scope _ = Scope.open("write")) {
        Tensor plain = TensorFile.plain(tensor);
        try (Memory bytes = plain.memory()) {
          zip.put(FOLDER + "data/" + key++, bytes);
        }
      }
    }
    zip.put(FOLDER + "version", ascii("3\n"));
    zip.finish();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] pickle(Map<String, Tensor> tensors) {
    PickleWriter out = new PickleWriter();
    out.protocol();
    orderedDict(out);
    out.mark();
    int key = 0;
    for (var e : tensors.entrySet()) {
      out.text(e.getKey());
      tensor(out, e.getValue(), Integer.toString(key++));
    }
    out.setItems();
    return out.stop();
  }

  private static void orderedDict(PickleWriter out) {
    out.global("collections", "OrderedDict");
    out.tuple();
    out.call();
  }

  /** {@code _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)}. */
  private static void tensor(PickleWriter out, Tensor tensor, String key) {
    long[] sizes = tensor.sizes();
    long[] strides = new long[sizes.length];
    long step = 1;
    for (int d = sizes.length - 1; d >= 0; d--) {
      strides[d] = step;
      step *= Math.max(sizes[d], 1);
    }
    out.global("torch._utils", "_rebuild_tensor_v2");
    out.mark();
    storage(out, tensor, key);
    out.number(0);
    out.tuple(sizes);
    out.tuple(strides);
    out.no();
    orderedDict(out);
    out.endTuple();
    out.call();
  }

  private static void storage(PickleWriter out, Tensor tensor, String key) {
    out.mark();
    out.text("storage");
    out.global("torch", storageClass(tensor.dtype()));
    out.text(key);
    out.text("cpu");
    out.number(tensor.numel());
    out.endTuple();
    out.persistent();
  }

  private static String storageClass(DType type) {
    return switch (type) {
      case FLOAT32 -> "FloatStorage";
      case FLOAT64 -> "DoubleStorage";
      case FLOAT16 -> "HalfStorage";
      case BFLOAT16 -> "BFloat16Storage";
      case INT64 -> "LongStorage";
      case INT32 -> "IntStorage";
      case INT16 -> "ShortStorage";
      case INT8 -> "CharStorage";
      case UINT8 -> "ByteStorage";
      case BOOL -> "BoolStorage";
    };
  }
}
