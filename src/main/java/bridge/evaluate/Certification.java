package bridge.evaluate;

import bridge.Json;
import bridge.attack.Smoothing;
import bridge.attack.Smoothing.Certificate;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;

/** Randomised-smoothing certificates over a data set; see {@link Smoothing}. */
public final class Certification {
  private static final String NAME = "smoothing";

  private Certification() {}

  /**
   * One image's certificate.
   *
   * @param index of the image in its set
   */
  public record Certified(int index, int label, Certificate certificate) {
    private boolean within(double radius) {
      return certificate.prediction() == label && certificate.radius() >= radius;
    }
  }

  /**
   * All certificates.
   *
   * @param seconds all it took, also before an interruption
   */
  public record Result(Smoothing smoothing, List<Certified> images, double seconds) {
    /** The share of images that are right wherever they are moved by less than this in L2. */
    public double accuracy(double radius) {
      return images.isEmpty()
          ? 0
          : (double) images.stream().filter(c -> c.within(radius)).count() / images.size();
    }

    /** How many images have no certificate. */
    public int abstained() {
      return (int)
          images.stream().filter(c -> c.certificate().prediction() == Smoothing.ABSTAINS).count();
    }

    /** The mean over all images of the radius within which they are right. */
    public double meanRadius() {
      return images.stream()
          .mapToDouble(c -> c.within(0) ? c.certificate().radius() : 0)
          .average()
          .orElse(0);
    }
  }

  /** What a batch's certificates are written down as. */
  private record Lines(int[] predictions, double[] radii, double seconds) {}

  /**
   * Certifies all images of the batches.
   *
   * @param state empty where none is kept
   * @param progress told the name and the images done
   */
  public static Result run(
      Network network,
      Smoothing smoothing,
      Batches batches,
      Seeds seeds,
      Optional<EvaluationState> state,
      BiConsumer<String, Integer> progress) {
    List<Certified> all = new ArrayList<>();
    double seconds = 0;
    try (Batches.Epoch epoch = batches.epoch(1, 0)) {
      while (epoch.hasNext()) {
        try (Scope _ = Scope.open(NAME)) {
          Batch batch = epoch.next();
          Lines lines = lines(network, smoothing, batch, seeds, state);
          long[] labels = batch.labels().toLongs();
          for (int i = 0; i < labels.length; i++) {
            Certificate one = new Certificate(lines.predictions[i], lines.radii[i]);
            all.add(new Certified(batch.indices()[i], (int) labels[i], one));
          }
          seconds += lines.seconds;
          progress.accept(NAME, all.size());
        }
      }
    }
    return new Result(smoothing, all, seconds);
  }

  private static Lines lines(
      Network network,
      Smoothing smoothing,
      Batch batch,
      Seeds seeds,
      Optional<EvaluationState> state) {
    String key = "%s of %s from %d".formatted(NAME, smoothing, batch.indices()[0]);
    Optional<JsonObject> stored = state.flatMap(saved -> saved.stored(key, batch.step(), false));
    if (stored.isPresent()) {
      return Json.GSON.fromJson(stored.get(), Lines.class);
    }
    long startNanos = System.nanoTime();
    Generator noise = Generator.on(batch.images().device(), seeds.derive(NAME, batch.indices()[0]));
    List<Certificate> certificates = smoothing.certify(network, batch.images(), noise);
    Lines lines =
        new Lines(
            certificates.stream().mapToInt(Certificate::prediction).toArray(),
            certificates.stream().mapToDouble(Certificate::radius).toArray(),
            (System.nanoTime() - startNanos) / 1e9);
    state.ifPresent(saved -> saved.add(key, batch.step(), Json.tree(lines), Optional.empty()));
    return lines;
  }
}
