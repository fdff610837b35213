package bridge.model;

import bridge.UsageException;
import bridge.architecture.Architectures;
import bridge.architecture.Dimensions;
import bridge.architecture.RepVgg;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.files.FileException;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint written anew as a plain state_dict: wrapper and prefix undone, zip or safetensors by
 * the new file's name.
 *
 * @param from how the weights were found
 * @param tensors written
 * @param dropped what the architecture has no use for
 * @param fused whether training branches were fused
 */
public record Conversion(Inspection from, int tensors, List<String> dropped, boolean fused) {
  private static final String DEPLOY = "deploy=true";
  private static final String TRAINING = "deploy=false";

  /**
   * Converts.
   *
   * @param under where the weights are, as for {@link Checkpoints#read(Path, String)}; or null
   * @param model an architecture to check against, whose names and order the result has; or null to
   *     take the tensors as they are. RepVGG's deploy form is fused from its training form.
   * @throws UsageException if the two files are one, or {@code model} is no architecture
   * @throws bridge.checkpoint.CheckpointException if the old file cannot be read or does not fit
   * @throws FileException if the new one cannot be written; no new file is left then
   */
  public static Conversion convert(Path in, Path out, String under, String model) {
    Inspection from = Inspection.of(in, under);
    if (sameFile(in, out)) {
      throw new UsageException(
          "convert needs a new file, found %s twice; name another".formatted(in));
    }
    try (Scope _ = Scope.open("convert");
        NoGrad _ = NoGrad.enter();
        StateDict found = Checkpoints.read(in, under)) {
      boolean fused = model != null && model.contains(DEPLOY) && RepVgg.isTraining(found.shapes());
      Map<String, Tensor> kept =
          model == null
              ? found.tensors()
              : found.match(shapes(fused ? model.replace(DEPLOY, TRAINING) : model, from));
      Map<String, Tensor> written = fused ? RepVgg.deploy(kept) : kept;
      Checkpoints.write(out, written);
      List<String> dropped =
          found.tensors().keySet().stream().filter(name -> !kept.containsKey(name)).toList();
      return new Conversion(from, written.size(), dropped, fused);
    }
  }

  private static boolean sameFile(Path in, Path out) {
    try {
      return Files.exists(out) && Files.isSameFile(in, out);
    } catch (IOException e) {
      throw FileException.unreadable(in, e);
    }
  }

  private static Map<String, long[]> shapes(String model, Inspection from) {
    Dimensions data =
        from.fits().isEmpty() ? new Dimensions(3, 10, 32) : from.fits().getFirst().data();
    return Architectures.shapes(model, data);
  }
}
