package bridge.cli;

import bridge.torch.Device;
import bridge.train.AttackBenchmark;
import bridge.train.MachinePeak;
import bridge.train.Recipe;
import bridge.train.Spread;
import bridge.train.StepBenchmark;
import com.google.gson.JsonObject;
import com.google.gson.annotations.SerializedName;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@code bench --json} writes; parts that do not belong to what was measured are left out.
 *
 * @param seconds of each step, or of each time the batch was attacked
 * @param stages mean seconds of each stage of a step, and of the {@code rest}
 */
record BenchFile(
    String finished,
    JsonObject environment,
    JsonObject recipe,
    String attack,
    @SerializedName("random_images") boolean randomImages,
    int batch,
    List<Long> shape,
    @SerializedName("warm_up") Integer warmUp,
    List<Double> seconds,
    @SerializedName("images_per_second") Spread imagesPerSecond,
    Map<String, Double> stages,
    @SerializedName("step_of_stages") Double stepOfStages,
    Operations operations,
    @SerializedName("peak_resident_bytes") long peakResidentBytes,
    Host host,
    Integer broken) {

  /**
   * Floating-point operations.
   *
   * @param share of the peak; 0 where no network was counted
   */
  record Operations(
      @SerializedName("per_image") double perImage,
      @SerializedName("per_second") double perSecond,
      double share,
      MachinePeak peak,
      @SerializedName("not_counted") List<String> notCounted) {}

  /** Seconds of the host on CUDA, nothing waited for. */
  record Host(
      @SerializedName("seconds_per_step") double perStep,
      @SerializedName("seconds_per_launch") double perLaunch) {}

  static BenchFile of(Recipe recipe, Device device, StepBenchmark.Result result) {
    Map<String, Double> stages = new LinkedHashMap<>();
    result.split().seconds().forEach((stage, seconds) -> stages.put(stage.toString(), seconds));
    stages.put("rest", result.split().rest());
    Operations operations =
        new Operations(
            result.work().perImage(),
            result.operationsPerSecond(),
            result.operationsPerSecond() / result.peak().highest(),
            result.peak(),
            result.work().notCounted());
    return new BenchFile(
        now(),
        Environment.json(device),
        recipe.resolved(),
        null,
        result.randomImages(),
        result.batch(),
        java.util.Arrays.stream(result.shape()).boxed().toList(),
        result.warmUp(),
        result.seconds(),
        result.imagesPerSecond(),
        stages,
        result.split().step(),
        operations,
        result.peakBytes(),
        result.host() == null ? null : new Host(result.host().perStep(), result.host().perLaunch()),
        null);
  }

  static BenchFile of(Recipe recipe, String attack, Device device, AttackBenchmark.Result result) {
    return new BenchFile(
        now(),
        Environment.json(device),
        recipe.resolved(),
        attack,
        result.randomImages(),
        result.images(),
        null,
        null,
        result.seconds(),
        result.imagesPerSecond(),
        null,
        null,
        null,
        result.peakBytes(),
        null,
        result.broken());
  }

  private static String now() {
    return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
