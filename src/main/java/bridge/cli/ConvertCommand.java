package bridge.cli;

import bridge.model.Conversion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes a checkpoint in another layout. */
@Command(
    name = "convert",
    sortOptions = false,
    description =
        "Writes a checkpoint of any layout as a plain state_dict, its wrapper and prefixes undone.")
final class ConvertCommand implements Callable<Integer> {

  @Parameters(index = "0", paramLabel = "IN", description = "A checkpoint; see bridge inspect.")
  private Path in;

  @Parameters(
      index = "1",
      paramLabel = "OUT",
      description = "The new file: safetensors if it ends so, else what torch.load reads.")
  private Path out;

  @Option(
      names = "--arch",
      paramLabel = "NAME",
      description =
          "Checks against this architecture, and keeps its names in its order; with"
              + " repvgg-a0:deploy=true fuses the branches.")
  private String architecture;

  @Option(
      names = "--under",
      paramLabel = "NAME",
      description = "Where the weights are, for instance ema.state_dict (found by itself).")
  private String under;

  @Override
  public Integer call() {
    Conversion done = Conversion.convert(in, out, under, architecture);
    List<String> undone = new ArrayList<>();
    if (!done.from().nestedUnder().isEmpty()) {
      undone.add("found under " + done.from().nestedUnder());
    }
    if (!done.from().strippedPrefix().isEmpty()) {
      undone.add("prefix " + done.from().strippedPrefix() + " taken off");
    }
    if (done.fused()) {
      undone.add("branches fused");
    }
    if (!done.dropped().isEmpty()) {
      undone.add("dropped " + String.join(", ", done.dropped()));
    }
    System.out.printf(
        "%s: %d tensors from %s (%s)%s%n",
        out,
        done.tensors(),
        in,
        done.from().format(),
        undone.isEmpty() ? "" : "; " + String.join("; ", undone));
    return 0;
  }
}
