package bridge.cli;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Pgd;
import bridge.attack.Start;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.report.Picture;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A picture of the first image of each class, clean and as PGD-20 changes it against each of the
 * networks, with what every network says of it.
 */
final class Sheets {
  /** Columns that still read well side by side. */
  private static final int MOST = 10;

  private final ImageSet images;
  private final Ball ball;
  private final Device device;
  private final long seed;
  private final String epsilon;

  /**
   * @param epsilon as the user wrote it
   */
  Sheets(ImageSet images, Ball ball, String epsilon, Device device, long seed) {
    this.images = images;
    this.ball = ball;
    this.device = device;
    this.seed = seed;
    this.epsilon = epsilon;
  }

  void write(Path file, List<Network> networks) {
    int[] shown = firstOfEachClass();
    try (Scope _ = Scope.open("picture");
        Batches batches =
            Batches.over(images, shown).batchSize(shown.length).device(device).build();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      Batch batch = epoch.next();
      float[][][][] clean = pixels(batch.images());
      List<Picture.Row> rows = new ArrayList<>();
      rows.add(new Picture.Row("clean", clean, says(networks, batch, batch.images())));
      for (Network network : networks) {
        Tensor adversarial = attack(network, batch);
        float[][][][] changed = pixels(adversarial);
        String name = "against " + label(network);
        rows.add(new Picture.Row(name, changed, says(networks, batch, adversarial)));
        rows.add(Picture.Row.difference("its change", clean, changed, ball.epsilon()));
      }
      List<String> columns = new ArrayList<>();
      for (int i : shown) {
        columns.add(images.classNames().get(images.label(i)));
      }
      String heading = "%s, PGD-20, %s ε = %s".formatted(images.name(), ball.norm(), epsilon);
      Picture.write(file, Picture.sheet(heading, columns, rows));
    }
  }

  /** The run's folder for a checkpoint in one, else the file's or the architecture's name. */
  private static String label(Network network) {
    String name = network.name();
    int at = name.indexOf('@');
    Path file = Path.of(at < 0 ? name : name.substring(at + 1));
    Path folder = file.getParent();
    boolean run = at >= 0 && folder != null && folder.getFileName() != null;
    return (run ? folder : file).getFileName().toString().replaceFirst("\\.(pt|pth)$", "");
  }

  private int[] firstOfEachClass() {
    Map<Integer, Integer> first = new LinkedHashMap<>();
    for (int i = 0; i < images.size() && first.size() < MOST; i++) {
      first.putIfAbsent(images.label(i), i);
    }
    return first.values().stream().mapToInt(Integer::intValue).toArray();
  }

  private Tensor attack(Network network, Batch batch) {
    Attack pgd =
        new Pgd("pgd20", ball, ball.epsilon() / 4, 20, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    return pgd.perturb(network, batch.images(), batch.labels(), Generator.on(device, seed));
  }

  private List<Picture.Predictions> says(List<Network> networks, Batch batch, Tensor shown) {
    List<Picture.Predictions> all = new ArrayList<>();
    long[] labels = batch.labels().toLongs();
    for (Network network : networks) {
      try (Scope _ = Scope.open("says");
          NoGrad _ = NoGrad.enter();
          Mode _ = Mode.eval(network)) {
        Tensor p = network.logits(shown).softmax(1);
        long[] best = p.argmax(1).toLongs();
        double[] confidence = p.amaxKeep(1).toDoubles();
        List<Picture.Prediction> predictions =
            IntStream.range(0, labels.length)
                .mapToObj(
                    i ->
                        new Picture.Prediction(
                            images.classNames().get((int) best[i]),
                            confidence[i],
                            best[i] == labels[i]))
                .toList();
        all.add(new Picture.Predictions(label(network), predictions));
      }
    }
    return all;
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
