package bridge.model;

import bridge.Json;
import bridge.Options;
import bridge.UsageException;
import bridge.architecture.Architectures;
import bridge.checkpoint.Checkpoints;
import bridge.files.Reason;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What is known about a checkpoint: the JSON file of the same name beside it.
 *
 * <p>Of its entries these are used where they are there, and any others are left to people: {@code
 * architecture}, if it is one of ours, for a state_dict that is named alone; {@code channels} and
 * {@code classes}, which must be the data's; {@code normalisation} with {@code mean} and {@code
 * std}, applied before the network unless {@code where} says {@code inside the network}; {@code
 * feature.module}, the submodule whose output is the feature; {@code sha256} by file name.
 *
 * @param architecture of ours, empty where the entry is another or only describes
 * @param channels 0 where not said
 * @param classes 0 where not said
 * @param normalisation to be applied before the network
 */
public record ModelCard(
    Path path,
    Optional<String> architecture,
    int channels,
    int classes,
    Normalisation normalisation,
    Optional<String> feature) {
  private static final String INSIDE = "inside the network";

  /** What the card of a trained model says. */
  private record TrainedModel(
      String architecture,
      int channels,
      int classes,
      Normalisation normalisation,
      String data,
      String source) {}

  /** A card for weights of this architecture; see {@link Models#card}. */
  static JsonObject json(
      String architecture,
      int channels,
      int classes,
      Normalisation normalisation,
      String data,
      String source) {
    return Json.tree(
        new TrainedModel(architecture, channels, classes, normalisation, data, source));
  }

  /** The place of a checkpoint's card. */
  public static Path path(Path checkpoint) {
    String name = checkpoint.getFileName().toString();
    return checkpoint.resolveSibling(name.replaceFirst("\\.[^.]*$", "") + ".json");
  }

  /**
   * The card beside a checkpoint, if there is one.
   *
   * @throws UsageException if it cannot be read, an entry is not what it should be, or it gives
   *     another checksum than the checkpoint has
   */
  public static Optional<ModelCard> beside(Path checkpoint) {
    Path path = path(checkpoint);
    if (!Files.isRegularFile(path) || path.equals(checkpoint)) {
      return Optional.empty();
    }
    try {
      return JsonParser.parseString(Files.readString(path)) instanceof JsonObject card
          ? Optional.of(read(path, card, checkpoint))
          : Optional.empty();
    } catch (IOException e) {
      throw new UsageException(
          "card %s cannot be read: %s; mend or remove it".formatted(path, Reason.reading(e).what()),
          e);
    } catch (JsonParseException e) {
      throw new UsageException(
          "card %s cannot be read: it is no JSON; mend or remove it".formatted(path), e);
    }
  }

  private static ModelCard read(Path path, JsonObject card, Path checkpoint) {
    Options options = new Options("card " + path, card);
    String architecture = options.text("architecture", "");
    Options normalisation = options.object("normalisation");
    boolean inside = normalisation.text("where", "").equals(INSIDE);
    Normalisation before =
        inside
            ? Normalisation.NONE
            : new Normalisation(list(normalisation, "mean"), list(normalisation, "std"));
    String feature = options.object("feature").text("module", "");
    if (card.get("sha256") instanceof JsonObject) {
      check(path, options.object("sha256"), checkpoint);
    }
    return new ModelCard(
        path,
        Optional.of(architecture).filter(text -> Architectures.has(text.replaceFirst(":.*", ""))),
        options.integer("channels", 0, 0, 1_000_000),
        options.integer("classes", 0, 0, 1_000_000),
        before,
        Optional.of(feature).filter(text -> !text.isEmpty()));
  }

  private static List<Double> list(Options options, String key) {
    return Arrays.stream(options.numbers(key)).boxed().toList();
  }

  private static void check(Path path, Options sums, Path checkpoint) {
    String name = checkpoint.getFileName().toString();
    if (!sums.has(name)) {
      return;
    }
    String expected = sums.text(name, null);
    String found = Checkpoints.sha256(checkpoint);
    if (!expected.equalsIgnoreCase(found)) {
      throw new UsageException(
          "card %s gives %s the sha256 %s, but it has %s: fetch the file again, or mend the card"
              .formatted(path, name, expected, found));
    }
  }

  /** Refuses data of another kind. */
  void checkFits(int dataChannels, int dataClasses) {
    checkEqual("channels", channels, dataChannels);
    checkEqual("classes", classes, dataClasses);
  }

  private void checkEqual(String what, int stated, int data) {
    if (stated != 0 && stated != data) {
      throw new UsageException(
          "card %s says %d %s, but the data has %d".formatted(path, stated, what, data));
    }
  }
}
