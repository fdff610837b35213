package bridge.evaluate;

import bridge.UsageException;
import bridge.checkpoint.TensorFile;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.torch.ComputePrecision;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * A request with its models and images loaded: it answers in numbers, names and pixels. Belongs to
 * one thread.
 */
public final class ModelEvaluation implements AutoCloseable {
  /** Images whose certificates are kept together. */
  private static final int CERTIFIED_AT_ONCE = 10;

  private final List<String> notes = new ArrayList<>();
  private final EvaluationRequest request;
  private final Scope scope;
  private final ImageSet images;
  private final Network network;
  private final Optional<Network> surrogate;
  private final Optional<Network> beside;
  private final EvaluationSettings settings;
  private final Optional<EvaluationState> state;
  private final Map<String, Tensor> adversarial = new LinkedHashMap<>();

  private ModelEvaluation(EvaluationRequest request, Scope scope, ImageSet images) {
    this.request = request;
    this.scope = scope;
    this.images = images;
    if (images.height() != images.width()) {
      throw new UsageException(
          "images must be square, found %d×%d in %s"
              .formatted(images.height(), images.width(), request.data().text()));
    }
    this.network = build(request.models().model());
    this.surrogate = request.models().surrogate().map(this::build);
    this.beside = request.models().beside().map(this::build);
    this.settings = EvaluationSettings.of(request, count(), network.normalisation());
    this.state = request.state().map(folder -> EvaluationState.open(folder, settings.json()));
  }

  /**
   * Loads the images and the models, and opens the state.
   *
   * @throws UsageException if models and images do not belong together, or the state is of other
   *     settings
   */
  public static ModelEvaluation open(EvaluationRequest request) {
    Scope scope = Scope.open("evaluate");
    try {
      ImageSet images = request.data().spec().load(Split.TEST);
      try {
        return new ModelEvaluation(request, scope, images);
      } catch (RuntimeException | Error e) {
        images.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private Network build(ModelSpec spec) {
    Network built =
        Models.build(
            spec,
            images.channels(),
            images.classes(),
            images.height(),
            request.models().normalisation(),
            new Seeds(request.seed()),
            request.device());
    built.freeze();
    built.channelsLast(ComputePrecision.FLOAT32);
    long[] shape = {images.channels(), images.height(), images.width()};
    return request.engine().over(built, shape, notes::add);
  }

  /** How many images are attacked. */
  public int count() {
    return Math.min(request.limit().orElse(images.size()), images.size());
  }

  /** The names of the classes, by label. */
  public List<String> classNames() {
    return images.classNames();
  }

  /** All that the results depend on, but the attacks. */
  public EvaluationSettings settings() {
    return settings;
  }

  /**
   * Runs the attacks.
   *
   * @param warnings told, a line each, why a number may be wrong
   * @param progress told the attack's name and the images done, of {@link #count}
   */
  public List<Result> attack(Consumer<String> warnings, BiConsumer<String, Integer> progress) {
    notes.forEach(warnings);
    EvaluationRequest.Attacked attacks = request.attacks();
    Evaluation evaluation =
        new Evaluation(network, attacks.ball(), new Seeds(request.seed()))
            .restarts(attacks.restarts())
            .workers(request.device().isCuda() ? 1 : Natives.threads())
            .warnings(warnings);
    surrogate.ifPresent(evaluation::surrogate);
    state.ifPresent(evaluation::state);
    if (request.keepImages()) {
      evaluation.images(adversarial::put);
    }
    int[] first = IntStream.range(0, count()).toArray();
    try (Batches batches = batches(first, request.batchSize())) {
      return evaluation.run(attacks.names(), batches, progress);
    }
  }

  private Batches batches(int[] places, int size) {
    return Batches.over(images, places).batchSize(size).device(request.device()).build();
  }

  /**
   * The certificates, where they were requested.
   *
   * @param progress told a name and the images done, of {@link #certified}
   */
  public Optional<Certification.Result> certify(BiConsumer<String, Integer> progress) {
    return request
        .certificates()
        .map(
            certificates -> {
              try (Batches batches =
                  batches(certifiedPlaces(certificates.every()), CERTIFIED_AT_ONCE)) {
                return Certification.run(
                    network,
                    certificates.smoothing(),
                    batches,
                    new Seeds(request.seed()),
                    state,
                    progress);
              }
            });
  }

  /** How many images get a certificate. */
  public int certified() {
    return request
        .certificates()
        .map(certificates -> certifiedPlaces(certificates.every()).length)
        .orElse(0);
  }

  private int[] certifiedPlaces(int every) {
    return IntStream.range(0, count()).filter(i -> i % every == 0).toArray();
  }

  /**
   * Writes the images that {@link #attack} came to: float [N, C, H, W] under each attack's name,
   * and {@code labels} [N].
   */
  public void writeImages(Path file, List<Result> results) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(adversarial);
    long[] labels = results.getFirst().labels().stream().mapToLong(Integer::longValue).toArray();
    try (Scope _ = Scope.open("labels")) {
      tensors.put("labels", Tensor.of(labels, labels.length));
      TensorFile.write(file, tensors, settings.texts());
    }
  }

  /** Some images, clean and attacked, with what the models say of them. */
  public Examples examples() {
    List<Network> networks =
        beside.map(second -> List.of(network, second)).orElse(List.of(network));
    return Examples.of(images, networks, request);
  }

  @Override
  public void close() {
    try {
      state.ifPresent(EvaluationState::close);
    } finally {
      try {
        images.close();
      } finally {
        scope.close();
      }
    }
  }
}
