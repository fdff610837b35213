package bridge.cli;

import bridge.Json;
import bridge.UsageException;
import bridge.architecture.Architectures.Fit;
import bridge.checkpoint.Format;
import bridge.files.FileException;
import bridge.files.WholeFile;
import bridge.model.Inspection;
import bridge.model.ModelCard;
import com.google.gson.annotations.SerializedName;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says what is in a checkpoint. */
@Command(
    name = "inspect",
    sortOptions = false,
    description =
        "Says what is in a checkpoint and which architecture it fits; nothing in it is run.")
final class InspectCommand implements Callable<Integer> {
  private static final int DIFFERENCES_SHOWN = 3;

  @Parameters(
      paramLabel = "FILE",
      description = "PyTorch zip, pickles or tar; safetensors; TorchScript.")
  private Path file;

  @Option(
      names = "--under",
      paramLabel = "NAME",
      description = "Where the weights are, for instance ema.state_dict (found by itself).")
  private String under;

  @Option(
      names = "--write-card",
      description = "Writes the proposed card beside the file, to be completed.")
  private boolean writeCard;

  @Option(names = "--json", description = "Prints the findings as JSON.")
  private boolean json;

  @Override
  public Integer call() {
    Inspection found = Inspection.of(file, under);
    if (writeCard) {
      write(found);
    }
    System.out.println(json ? Json.write(Findings.of(found)) : text(found));
    return 0;
  }

  private void write(Inspection found) {
    Path card = ModelCard.path(file);
    if (Files.exists(card)) {
      throw new UsageException(
          "card %s cannot be written: it exists already; remove it, or print a new one without"
                  .formatted(card)
              + " --write-card");
    }
    try {
      WholeFile.write(card, Json.write(found.proposedCard()) + "\n");
    } catch (FileException e) {
      throw new UsageException(
          "card %s; or print it without --write-card".formatted(e.getMessage()), e);
    }
  }

  private String text(Inspection found) {
    StringBuilder text = new StringBuilder();
    row(text, "file", "%s, %s".formatted(found.file(), size(found.bytes())));
    row(text, "layout", found.format().toString());
    row(text, "sha256", found.sha256());
    if (!found.nestedUnder().isEmpty()) {
      row(text, "weights", "under " + found.nestedUnder());
    }
    if (!found.strippedPrefix().isEmpty()) {
      row(text, "prefix", found.strippedPrefix() + " taken off every name");
    }
    if (!found.ignored().isEmpty()) {
      row(text, "beside", String.join(", ", found.ignored()));
    }
    row(text, "tensors", tensors(found));
    fits(text, found.fits());
    row(
        text,
        "use as",
        found.model().orElse("nothing yet: export it as TorchScript (models/export_teacher.py)"));
    if (found.card().isPresent()) {
      row(text, "card", found.card().get().path().toString());
    } else if (writeCard) {
      row(text, "card", ModelCard.path(file) + ", new: complete it");
    }
    text.append('\n');
    int width = found.tensors().stream().mapToInt(t -> t.name().length()).max().orElse(0);
    for (Inspection.Entry t : found.tensors()) {
      text.append(
          "  %%-%ds  %%-8s %%s%%n"
              .formatted(Math.max(width, 1))
              .formatted(t.name(), t.type().name().toLowerCase(Locale.ROOT), t.shape()));
    }
    if (found.card().isEmpty() && !writeCard) {
      text.append(
          "%n  a card to complete and save as %s:%n%s"
              .formatted(ModelCard.path(file), Json.write(found.proposedCard())));
    }
    return text.toString().stripTrailing();
  }

  private static void row(StringBuilder text, String name, String value) {
    text.append("  %-8s %s%n".formatted(name, value));
  }

  private static String size(long bytes) {
    return bytes < 100_000 ? bytes + " bytes" : String.format(Locale.ROOT, "%.1f MB", bytes / 1e6);
  }

  private static String tensors(Inspection found) {
    Map<String, Long> types =
        found.tensors().stream()
            .collect(
                Collectors.groupingBy(
                    t -> t.type().name().toLowerCase(Locale.ROOT),
                    TreeMap::new,
                    Collectors.counting()));
    String kinds =
        types.entrySet().stream()
            .map(e -> e.getValue() + " " + e.getKey())
            .collect(Collectors.joining(", "));
    return String.format(
        Locale.ROOT, "%d (%s), %,d elements", found.tensors().size(), kinds, found.elements());
  }

  private static void fits(StringBuilder text, List<Fit> fits) {
    if (fits.isEmpty()) {
      row(text, "fits", "no architecture of ours");
      return;
    }
    for (Fit fit : fits) {
      row(text, fit.exact() ? "fits" : "nearest", describe(fit));
    }
    if (fits.size() > 1) {
      row(text, "", "(the same tensors, another arithmetic: whoever trained it knows which)");
    }
    Fit first = fits.getFirst();
    differences(text, "lacks", first.missing());
    differences(text, "has too", first.unexpected());
    differences(text, "differs", first.misshapen());
  }

  private static String describe(Fit fit) {
    if (!fit.exact()) {
      return "%s, but %d tensors differ".formatted(fit.text(), fit.differences());
    }
    return String.format(
        Locale.ROOT,
        "%s: %,d parameters, %d channels, %d classes",
        fit.text(),
        fit.parameters(),
        fit.data().channels(),
        fit.data().classes());
  }

  private static void differences(StringBuilder text, String title, List<String> names) {
    if (!names.isEmpty()) {
      int more = names.size() - DIFFERENCES_SHOWN;
      row(
          text,
          title,
          String.join(", ", names.subList(0, Math.min(DIFFERENCES_SHOWN, names.size())))
              + (more > 0 ? " and %d more".formatted(more) : ""));
    }
  }

  /** What {@code --json} prints. */
  private record Findings(
      String file,
      long bytes,
      String sha256,
      Format format,
      String under,
      String prefix,
      List<String> ignored,
      long elements,
      String model,
      List<FitFindings> fits,
      List<TensorFindings> tensors,
      String card,
      @SerializedName("proposed_card") Inspection.ProposedCard proposedCard) {

    static Findings of(Inspection found) {
      return new Findings(
          found.file().toString(),
          found.bytes(),
          found.sha256(),
          found.format(),
          found.nestedUnder(),
          found.strippedPrefix(),
          found.ignored(),
          found.elements(),
          found.model().orElse(null),
          found.fits().stream().map(FitFindings::of).toList(),
          found.tensors().stream().map(TensorFindings::of).toList(),
          found.card().map(card -> card.path().toString()).orElse(null),
          found.card().isPresent() ? null : found.proposedCard());
    }
  }

  private record FitFindings(
      String architecture,
      boolean exact,
      long parameters,
      int channels,
      int classes,
      List<String> missing,
      List<String> unexpected,
      List<String> misshapen) {

    static FitFindings of(Fit fit) {
      return new FitFindings(
          fit.text(),
          fit.exact(),
          fit.parameters(),
          fit.data().channels(),
          fit.data().classes(),
          fit.missing(),
          fit.unexpected(),
          fit.misshapen());
    }
  }

  private record TensorFindings(String name, List<Long> shape, String dtype) {

    static TensorFindings of(Inspection.Entry tensor) {
      return new TensorFindings(
          tensor.name(), tensor.shape(), tensor.type().name().toLowerCase(Locale.ROOT));
    }
  }
}
