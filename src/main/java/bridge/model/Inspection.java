package bridge.model;

import bridge.architecture.Architectures;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.Format;
import bridge.checkpoint.StateDict;
import bridge.files.FileException;
import bridge.torch.DType;
import bridge.torch.Scope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What is in a checkpoint, and which architectures it fits.
 *
 * @param bytes of the file
 * @param nestedUnder the names under which the weights lay, joined by a dot; or empty
 * @param strippedPrefix what began every name and is taken off below; or empty
 * @param ignored names of what lies beside the weights
 * @param fits all that fit exactly, or else the nearest; the likeliest first
 */
public record Inspection(
    Path file,
    long bytes,
    String sha256,
    Format format,
    String nestedUnder,
    String strippedPrefix,
    List<String> ignored,
    List<Entry> tensors,
    List<Architectures.Fit> fits,
    Optional<ModelCard> card) {

  /** One tensor. */
  public record Entry(String name, List<Long> shape, DType type) {

    public long elements() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  /**
   * Reads a checkpoint of any layout; no weight is looked at.
   *
   * @param under where its weights are, as for {@link Checkpoints#read(Path, String)}; or null
   * @throws bridge.BridgeException if there is no such file, or it cannot be read
   */
  public static Inspection of(Path file, String under) {
    try (Scope _ = Scope.open("inspect");
        StateDict found = Checkpoints.read(file, under)) {
      List<Entry> tensors =
          found.tensors().entrySet().stream()
              .map(
                  e ->
                      new Entry(
                          e.getKey(),
                          java.util.Arrays.stream(e.getValue().sizes()).boxed().toList(),
                          e.getValue().dtype()))
              .toList();
      return new Inspection(
          file,
          Files.size(file),
          Checkpoints.sha256(file),
          found.format(),
          found.nestedUnder(),
          found.strippedPrefix(),
          found.ignored(),
          tensors,
          Architectures.fits(found.shapes()),
          ModelCard.beside(file));
    } catch (IOException e) {
      throw FileException.unreadable(file, e);
    }
  }

  /** Elements of all tensors, counters and statistics too. */
  public long elements() {
    return tensors.stream().mapToLong(Entry::elements).sum();
  }

  /** What a user calls this model: {@code resnet18@best.pth}; empty if it cannot. */
  public Optional<String> model() {
    if (format == Format.TORCHSCRIPT || card.flatMap(ModelCard::architecture).isPresent()) {
      return Optional.of(file.toString());
    }
    return exactFit().map(fit -> fit.text() + "@" + file);
  }

  private Optional<Architectures.Fit> exactFit() {
    return fits.stream().filter(Architectures.Fit::exact).findFirst();
  }

  /**
   * A card to be completed by whoever knows: what the model was trained on, with which
   * normalisation, and what it reaches.
   *
   * @param architecture null, as are channels, classes and parameters, where none fits
   * @param file the checkpoint's name
   * @param sha256 by file name
   */
  public record ProposedCard(
      String name,
      String architecture,
      Integer channels,
      Integer classes,
      Long parameters,
      String file,
      Normalisation normalisation,
      String data,
      String source,
      Map<String, Double> accuracy,
      Map<String, String> sha256) {}

  /** A card for this checkpoint. */
  public ProposedCard proposedCard() {
    String name = file.getFileName().toString();
    Optional<Architectures.Fit> fit = exactFit();
    return new ProposedCard(
        name.replaceFirst("\\.[^.]*$", ""),
        fit.map(Architectures.Fit::text).orElse(null),
        fit.map(f -> f.data().channels()).orElse(null),
        fit.map(f -> f.data().classes()).orElse(null),
        fit.map(Architectures.Fit::parameters).orElse(null),
        name,
        Normalisation.NONE,
        "",
        "",
        Map.of(),
        Map.of(name, sha256));
  }
}
