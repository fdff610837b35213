package bridge.model;

import bridge.UsageException;
import bridge.architecture.Architecture;
import bridge.architecture.Architectures;
import bridge.architecture.Dimensions;
import bridge.architecture.Init;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Builds what a {@link ModelSpec} names. */
public final class Models {
  private Models() {}

  /**
   * Builds the network in the caller's scope; a new one is in training mode.
   *
   * @param channels of the data's images
   * @param classes of the data
   * @param imageSize height and width of the data's images, in pixels
   * @param normalisation applied to the images, inside the network; with none, the one of the
   *     {@link ModelCard} beside the checkpoint, if there is one
   * @param seeds whose stream "init" gives the first weights
   * @throws UsageException if the model does not fit the data, an option is wrong, or a checkpoint
   *     is not of this architecture
   */
  public static Network build(
      ModelSpec spec,
      int channels,
      int classes,
      int imageSize,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    Optional<ModelCard> card = spec.checkpoint().flatMap(ModelCard::beside);
    card.ifPresent(c -> c.checkFits(channels, classes));
    Normalisation applied = applied(normalisation, card);
    return switch (spec) {
      case ModelSpec.ModelFile torchScript when Checkpoints.isTorchScript(torchScript.file()) ->
          ScriptNetwork.load(
              torchScript,
              channels,
              classes,
              imageSize,
              applied,
              device,
              card.flatMap(ModelCard::feature));
      case ModelSpec.ModelFile stateDict ->
          builtIn(
              withArchitecture(stateDict, card),
              new Dimensions(channels, classes, imageSize),
              applied,
              seeds,
              device);
      case ModelSpec.BuiltIn builtIn ->
          builtIn(builtIn, new Dimensions(channels, classes, imageSize), applied, seeds, device);
    };
  }

  /**
   * A network that is only asked, held and run in this precision: for half precision it is frozen
   * and converted in place, see {@link HalfNetwork}; in FLOAT32 it stays what it is.
   *
   * @param channels of the images it will be asked about
   * @param imageSize their height and width in pixels
   * @throws UsageException if it cannot be run so
   */
  public static Network inPrecision(
      Network network, Precision precision, int channels, int imageSize) {
    return precision == Precision.FLOAT32
        ? network
        : HalfNetwork.of(network, precision, channels, imageSize);
  }

  private static Normalisation applied(Normalisation explicit, Optional<ModelCard> card) {
    return explicit.isNone() && card.isPresent() ? card.get().normalisation() : explicit;
  }

  /**
   * A {@link ModelCard} for weights that were trained in the network that {@link #build} makes of
   * the same; empty for TorchScript.
   *
   * @param data they were trained on
   * @param source where they come from
   */
  public static Optional<JsonObject> card(
      ModelSpec spec,
      int channels,
      int classes,
      Normalisation normalisation,
      String data,
      String source) {
    Optional<ModelCard> old = spec.checkpoint().flatMap(ModelCard::beside);
    Optional<String> architecture =
        switch (spec) {
          case ModelSpec.BuiltIn builtIn -> Optional.of(builtIn.text().replaceFirst("@.*", ""));
          case ModelSpec.ModelFile torchScript when Checkpoints.isTorchScript(torchScript.file()) ->
              Optional.empty();
          case ModelSpec.ModelFile _ -> old.flatMap(ModelCard::architecture);
        };
    Normalisation applied = applied(normalisation, old);
    return architecture.map(text -> ModelCard.json(text, channels, classes, applied, data, source));
  }

  /** A state_dict that the user named alone: its card must know the architecture. */
  private static ModelSpec.BuiltIn withArchitecture(
      ModelSpec.ModelFile spec, Optional<ModelCard> card) {
    Optional<String> architecture = card.flatMap(ModelCard::architecture);
    if (architecture.isPresent()) {
      String[] parts = architecture.get().split(":", 2);
      return new ModelSpec.BuiltIn(
          spec.text(),
          parts[0],
          Architectures.options(spec.text(), parts.length == 1 ? null : parts[1]),
          Optional.of(spec.file()));
    }
    try (Scope _ = Scope.open("inspect");
        StateDict found = Checkpoints.read(spec.file())) {
      String names =
          Architectures.fits(found.shapes()).stream()
              .filter(Architectures.Fit::exact)
              .map(fit -> fit.text() + "@" + spec.text())
              .collect(Collectors.joining(" or "));
      throw new UsageException(
          "model %s is no TorchScript but a state_dict; %s"
              .formatted(
                  spec.text(),
                  names.isEmpty()
                      ? "it fits no architecture of ours: export it as TorchScript"
                          + " (models/export_teacher.py), or see bridge inspect"
                      : "name its architecture with it: " + names));
    }
  }

  private static Network builtIn(
      ModelSpec.BuiltIn spec,
      Dimensions data,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    try (Scope building = Scope.open("build")) {
      var constants = normalisation.on(device, data.channels());
      // A checkpoint brings all weights, so none are drawn: large networks take seconds to draw.
      Init init = spec.checkpoint().isPresent() ? Init.unset(device) : Init.of(seeds, device);
      Architecture root = Architectures.build(spec.architecture(), spec.options(), data, init);
      Network network = new BuiltInNetwork(spec.text(), data.classes(), root, constants, device);
      spec.checkpoint().ifPresent(file -> StateDicts.load(network, file));
      List<Tensor> lasting = new ArrayList<>(network.stateDict().values());
      lasting.addAll(network.constants());
      lasting.forEach(building::keep);
      return network;
    }
  }
}
