package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The first image of each class, clean and as {@link #ATTACK} changes it against each of the
 * networks, with what every network says of it.
 *
 * @param data the images' name
 * @param labels the class of each image, in words
 * @param attacked against each network in turn
 */
public record Examples(
    String data, List<String> labels, ExampleImages clean, List<Attacked> attacked) {
  /** The attack, as {@link bridge.attack.Attacks} names it. */
  public static final String ATTACK = "pgd20";

  /** Columns that still read well side by side. */
  private static final int MOST = 10;

  /**
   * What a network says of an image.
   *
   * @param label the class in words
   * @param confidence its probability for that class, in [0, 1]
   * @param right whether that is the image's own
   */
  public record Prediction(String label, double confidence, boolean right) {}

  /**
   * What a network says of each image.
   *
   * @param network its name
   */
  public record Predictions(String network, List<Prediction> predictions) {}

  /**
   * Images, and what all networks say of them.
   *
   * @param pixels [N][C][H][W] in [0, 1]
   */
  public record ExampleImages(float[][][][] pixels, List<Predictions> predictions) {}

  /**
   * @param network the one that is attacked
   */
  public record Attacked(String network, ExampleImages images) {}

  static Examples of(ImageSet images, List<Network> networks, EvaluationRequest request) {
    Ball ball = request.attacks().ball();
    Attack attack = AttackNames.named(ATTACK, ball);
    int[] places = firstOfEachClass(images);
    try (Scope _ = Scope.open("examples");
        Batches batches =
            Batches.over(images, places).batchSize(places.length).device(request.device()).build();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      Batch batch = epoch.next();
      List<String> names = images.classNames();
      ExampleImages clean = images(networks, names, batch, batch.images());
      List<Attacked> attacked = new ArrayList<>();
      for (Network network : networks) {
        Generator noise = Generator.on(request.device(), request.seed());
        Tensor adversarial =
            attack.perturb(network, batch.images(), batch.labels(), noise).images();
        attacked.add(new Attacked(network.name(), images(networks, names, batch, adversarial)));
      }
      List<String> labels =
          IntStream.of(places).mapToObj(place -> names.get(images.label(place))).toList();
      return new Examples(images.name(), labels, clean, attacked);
    }
  }

  private static int[] firstOfEachClass(ImageSet images) {
    Map<Integer, Integer> first = new LinkedHashMap<>();
    for (int i = 0; i < images.size() && first.size() < MOST; i++) {
      first.putIfAbsent(images.label(i), i);
    }
    return first.values().stream().mapToInt(Integer::intValue).toArray();
  }

  private static ExampleImages images(
      List<Network> networks, List<String> names, Batch batch, Tensor images) {
    long[] labels = batch.labels().toLongs();
    List<Predictions> predictions =
        networks.stream()
            .map(n -> new Predictions(n.name(), predictions(n, names, labels, images)))
            .toList();
    return new ExampleImages(pixels(images), predictions);
  }

  private static List<Prediction> predictions(
      Network network, List<String> names, long[] labels, Tensor images) {
    try (Scope _ = Scope.open("predictions");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      Tensor probabilities = network.logits(images).softmax(1);
      long[] best = probabilities.argmax(1).toLongs();
      double[] confidence = probabilities.amaxKeep(1).toDoubles();
      return IntStream.range(0, labels.length)
          .mapToObj(
              i -> new Prediction(names.get((int) best[i]), confidence[i], best[i] == labels[i]))
          .toList();
    }
  }

  private static float[][][][] pixels(Tensor images) {
    long[] s = images.sizes();
    float[] flat = images.toFloats();
    float[][][][] all = new float[(int) s[0]][(int) s[1]][(int) s[2]][(int) s[3]];
    int at = 0;
    for (float[][][] image : all) {
      for (float[][] channel : image) {
        for (float[] row : channel) {
          System.arraycopy(flat, at, row, 0, row.length);
          at += row.length;
        }
      }
    }
    return all;
  }
}
