package bridge.checkpoint;

import bridge.UsageException;
import bridge.files.Digest;
import bridge.files.FileException;
import bridge.torch.Memory;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Networks' weights in and out of files, in the layouts that PyTorch users have. */
public final class Checkpoints {
  private static final String SAFETENSORS = ".safetensors";
  private static final String ZIP = "PK\u0003\u0004";

  private Checkpoints() {}

  /**
   * Reads the weights of a checkpoint, mapped; its layout is told by its content.
   *
   * <p>Nothing that the file names is ever run. Weights are looked for at the top and under the
   * names that training scripts use; a prefix that all names share is taken off.
   *
   * @throws UsageException if there is no such file
   * @throws CheckpointException if it holds no weights that can be read, or is broken
   */
  public static StateDict read(Path file) {
    return read(file, null);
  }

  /**
   * As {@link #read(Path)}, under this name.
   *
   * @param under names joined by a dot, for instance {@code ema.state_dict}; null to look oneself
   */
  public static StateDict read(Path file, String under) {
    Memory memory = TensorFile.map(file);
    try {
      if (SafetensorsHeader.fits(memory)) {
        refuseChoice(file, Format.SAFETENSORS, under);
        TensorFile tensors = TensorFile.read(file, memory);
        return new StateDict(
            file, Format.SAFETENSORS, tensors.tensors(), "", List.of(), memory, tensors::close);
      }
      return read(file, memory, open(file, memory), under);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  private static void refuseChoice(Path file, Format format, String under) {
    if (under != null) {
      throw new CheckpointException(
          file,
          "is %s, which has its tensors at the top and nothing under %s; name nothing"
              .formatted(format, CheckpointException.printable(under)));
    }
  }

  /**
   * Whether a file is TorchScript, which libtorch itself loads; looks at the zip's directory only.
   *
   * @throws UsageException if there is no such file
   */
  public static boolean isTorchScript(Path file) {
    try (Memory memory = TensorFile.map(file)) {
      return begins(memory, ZIP)
          && ZipDirectory.read(file, memory).keySet().stream()
              .anyMatch(name -> name.matches("[^/]*/constants\\.pkl"));
    } catch (CheckpointException _) {
      return false;
    }
  }

  /**
   * The SHA-256 of all of a file, in hexadecimal.
   *
   * @throws UsageException if there is no such file
   */
  public static String sha256(Path file) {
    try (Memory memory = TensorFile.map(file)) {
      Digest digest = Digest.sha256();
      memory.buffers(0, memory.size()).forEach(digest::add);
      return digest.hex();
    }
  }

  private static PickledFile open(Path file, Memory memory) {
    if (begins(memory, ZIP)) {
      return PickledFile.readZip(file, memory);
    }
    if (LegacyFile.fits(memory)) {
      return LegacyFile.read(file, memory);
    }
    if (TarFile.fits(memory)) {
      return TarFile.read(file, memory);
    }
    throw new CheckpointException(file, unknown(file, memory));
  }

  private static boolean begins(Memory memory, String bytes) {
    return memory.size() >= bytes.length()
        && new String(memory.bytes(0, bytes.length()), StandardCharsets.ISO_8859_1).equals(bytes);
  }

  /** What a file is that is no checkpoint. */
  private static String unknown(Path file, Memory memory) {
    if (memory.size() == 0) {
      return "is empty; fetch it again";
    }
    if (begins(memory, "version https://git-lfs")) {
      return "is a pointer of Git LFS, not the file itself; run git lfs pull";
    }
    if (begins(memory, "<")) {
      return "is a web page, not a checkpoint: the download failed; fetch it again";
    }
    if (begins(memory, "\u001f\u008b")) {
      return "is compressed by gzip; unpack it first";
    }
    if (begins(memory, "\u0080")) {
      // Reading it names what would act; what is left is a pickle by something else.
      PickledFile.refuseObject(file, TorchPickle.read(file, memory, 0, memory.size()).value());
      return "is a pickle that torch.save did not write; in Python, write it with torch.save";
    }
    return "is in no known layout (PyTorch zip or pickles, TorchScript, safetensors); check the"
        + " path";
  }

  private static StateDict read(Path file, Memory memory, PickledFile pickled, String under) {
    if (pickled.format() == Format.TORCHSCRIPT) {
      refuseChoice(file, Format.TORCHSCRIPT, under);
    }
    Weights weights =
        pickled.format() == Format.TORCHSCRIPT
            ? TorchScriptWeights.find(file, pickled.root())
            : Weights.find(file, pickled.root(), under);
    if (weights.tensors().size() > MappedTensors.MOST_TENSORS) {
      throw new CheckpointException(
          file, "holds more than %d tensors".formatted(MappedTensors.MOST_TENSORS));
    }
    try (Scope reading = Scope.open("checkpoint");
        MappedTensors stored = new MappedTensors(file, memory.size())) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      weights
          .tensors()
          .forEach((name, view) -> tensors.put(name, pickled.tensor(file, stored, name, view)));
      tensors.values().forEach(reading::keep);
      List<Memory> memories = new ArrayList<>(stored.release());
      memories.add(memory);
      return new StateDict(
          file,
          pickled.format(),
          tensors,
          weights.under(),
          weights.ignored(),
          memory,
          () -> memories.forEach(Memory::close));
    }
  }

  /**
   * Writes tensors (any device, any strides) as a state_dict, whole or not at all: safetensors
   * where the name ends so, else the zip that {@code torch.load(path, weights_only=True)} reads.
   * Names keep their order. A tensor under two names is written twice.
   *
   * @throws FileException if it cannot be written; an old file of that name then stands
   */
  public static void write(Path file, Map<String, Tensor> tensors) {
    if (file.toString().endsWith(SAFETENSORS)) {
      TensorFile.write(file, tensors, Map.of("format", "pt"));
    } else {
      StateDictZip.write(file, tensors);
    }
  }
}
