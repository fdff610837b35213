package bridge.cli;

import bridge.attack.Ball;
import bridge.evaluate.Examples;
import bridge.report.Picture;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Examples as a picture: clean, and as the attack changes them against each of the networks. */
final class PictureSheet {
  private PictureSheet() {}

  /**
   * @param epsilon as the user wrote it
   */
  static void write(Path file, Examples examples, Ball ball, String epsilon) {
    float[][][][] clean = examples.clean().pixels();
    List<Picture.Row> rows = new ArrayList<>();
    rows.add(row("clean", examples.clean()));
    for (Examples.Attacked attacked : examples.attacked()) {
      rows.add(row("against " + label(attacked.network()), attacked.images()));
      float[][][][] changed = attacked.images().pixels();
      rows.add(Picture.Row.difference("its change", clean, changed, ball.epsilon()));
    }
    String heading = "%s, PGD-20, %s ε = %s".formatted(examples.data(), ball.norm(), epsilon);
    Picture.write(file, Picture.sheet(heading, examples.labels(), rows));
  }

  private static Picture.Row row(String name, Examples.ExampleImages images) {
    return new Picture.Row(
        name,
        images.pixels(),
        images.predictions().stream().map(PictureSheet::predictions).toList());
  }

  private static Picture.Predictions predictions(Examples.Predictions of) {
    return new Picture.Predictions(
        label(of.network()),
        of.predictions().stream()
            .map(p -> new Picture.Prediction(p.label(), p.confidence(), p.right()))
            .toList());
  }

  /** The run's folder for a checkpoint in one, else the file's or the architecture's name. */
  private static String label(String network) {
    int at = network.indexOf('@');
    Path file = Path.of(at < 0 ? network : network.substring(at + 1));
    Path folder = file.getParent();
    boolean run = at >= 0 && folder != null && folder.getFileName() != null;
    return (run ? folder : file).getFileName().toString().replaceFirst("\\.(pt|pth)$", "");
  }
}
