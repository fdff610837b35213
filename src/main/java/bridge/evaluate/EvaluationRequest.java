package bridge.evaluate;

import bridge.UsageException;
import bridge.attack.Ball;
import bridge.attack.Smoothing;
import bridge.data.DataSpec;
import bridge.gradient.Engine;
import bridge.model.ModelSpec;
import bridge.model.Normalisation;
import bridge.torch.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a user wants evaluated, checked as far as that needs no file to be opened.
 *
 * @param limit only the first so many test images
 * @param batch images at once; empty for what suits the device
 * @param engine what the networks run by
 * @param certificates by randomised smoothing, after the attacks
 * @param state the folder in which results are kept and from which they go on
 * @param keepImages whether {@link ModelEvaluation#writeImages} will be asked for them
 */
public record EvaluationRequest(
    Models models,
    Data data,
    Optional<Integer> limit,
    Optional<Integer> batch,
    Attacked attacks,
    long seed,
    Device device,
    Engine engine,
    Optional<Certificates> certificates,
    Optional<Path> state,
    boolean keepImages) {
  private static final int BATCH = 100;
  private static final int CUDA_BATCH = 250;

  /**
   * The networks.
   *
   * @param model the one that is evaluated
   * @param surrogate the one against which {@code transfer} makes its images
   * @param beside another one for the sheet of examples
   * @param normalisation of all of them, where their files do not say it
   */
  public record Models(
      ModelSpec model,
      Optional<ModelSpec> surrogate,
      Optional<ModelSpec> beside,
      Normalisation normalisation) {}

  /**
   * The images.
   *
   * @param text as the user wrote it
   */
  public record Data(String text, DataSpec spec) {
    public static Data parse(String text) {
      return new Data(text, DataSpec.parse(text));
    }
  }

  /**
   * The attacks.
   *
   * @param names of the list that {@link AttackNames} knows
   * @param restarts of each attack that starts at random and whose name says nothing of them
   */
  public record Attacked(List<String> names, Ball ball, int restarts) {
    public Attacked {
      names = List.copyOf(names);
    }
  }

  /**
   * The certificates.
   *
   * @param every how far apart the images are that get one
   */
  public record Certificates(Smoothing smoothing, int every) {}

  /**
   * @throws UsageException for an unknown attack, or one that has no form in the norm or no
   *     surrogate
   */
  public EvaluationRequest {
    AttackNames.check(attacks.names, attacks.ball, attacks.restarts, models.surrogate.isPresent());
  }

  /** Images at once. */
  int batchSize() {
    return batch.orElse(device.isCuda() ? CUDA_BATCH : BATCH);
  }
}
