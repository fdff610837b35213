package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.attack.Perturbed;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** AutoAttack's rows, transfer, and what an evaluation warns of. */
class AutoAttackEvaluationTest {
  private static final Ball BALL = new Ball(Norm.LINF, 0.06);

  private final List<String> warnings = new ArrayList<>();
  private Scope scope;
  private ImageSet mini;
  private Network network;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    mini = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
    network = SmallNetwork.load();
  }

  @AfterEach
  void close() {
    mini.close();
    scope.close();
  }

  private Evaluation evaluation(Network of) {
    return new Evaluation(of, BALL, new Seeds(2)).warnings(warnings::add);
  }

  private List<Result> run(Evaluation evaluation, int images, String... attacks) {
    int[] first = IntStream.range(0, images).toArray();
    try (Batches batches = Batches.over(mini, first).batchSize(8).build()) {
      return evaluation.run(List.of(attacks), batches, (attack, done) -> {});
    }
  }

  @Test
  void componentsAreCumulative() {
    List<Result> results = run(evaluation(network), 8, "clean", "autoattack", "apgd-ce");
    Result all = results.get(1);
    List<Result> rows = all.components();
    assertEquals(
        List.of("apgd-ce", "apgd-t", "fab-t", "square"),
        rows.stream().map(Result::attack).toList());
    int before = all.cleanCorrect();
    double seconds = 0;
    for (Result row : rows) {
      assertTrue(row.correct() <= before, row::attack);
      assertEquals(row.correct(), row.worstCorrect(), row::attack);
      assertTrue(row.maxPerturbation() <= BALL.epsilon() + 1e-6, row::attack);
      before = row.correct();
      seconds += row.seconds();
    }
    assertEquals(before, all.correct());
    assertEquals(rows.getLast().predictions(), all.predictions());
    assertEquals(seconds, all.seconds(), 1e-9);
    assertTrue(all.correct() < all.cleanCorrect());
    // alone it draws other numbers
    assertEquals(rows.get(0).correct(), results.get(2).correct(), 1);
    assertEquals(List.of(), warnings);
    JsonObject first = all.settings().getAsJsonArray("components").get(0).getAsJsonObject();
    assertEquals(100, first.get("steps").getAsInt());
    assertEquals("CROSS_ENTROPY", first.get("loss").getAsString());
  }

  /** A network whose logits another function makes of its own. */
  private static Network saying(Network network, UnaryOperator<Tensor> change) {
    return new NetworkDecorator(network) {
      @Override
      public Outputs forward(Tensor images, List<String> features) {
        Outputs outputs = super.forward(images, features);
        return new Outputs(change.apply(outputs.logits()), outputs.features());
      }
    };
  }

  @Test
  void checksWarn() {
    // the largest perturbation breaks all images at once
    Evaluation evaluation =
        new Evaluation(
                saying(network, logits -> logits.softmax(1)),
                new Ball(Norm.LINF, 0.5),
                new Seeds(2))
            .warnings(warnings::add);
    run(evaluation, 8, "autoattack");
    assertEquals(1, warnings.stream().filter(w -> w.contains("probabilities")).count());
    warnings.forEach(warning -> assertEquals(1, warning.lines().count(), warning));
  }

  @Test
  void transferIsMadeAgainstTheSurrogate() {
    List<Integer> clean = run(evaluation(network), 16, "clean").get(0).predictions();
    Network deaf = saying(network, logits -> logits.mul(0));
    Result lost = run(evaluation(network).surrogate(deaf), 16, "transfer-fgsm").get(0);
    assertEquals(clean, lost.predictions(), "no gradient, so no change");
    assertEquals(0, lost.maxPerturbation());
    Result own = run(evaluation(network).surrogate(network), 16, "transfer-fgsm").get(0);
    assertEquals(run(evaluation(network), 16, "fgsm").get(0).predictions(), own.predictions());
    assertNotEquals(clean, own.predictions());
    assertEquals(network.name(), own.settings().get("surrogate").getAsString());
    assertEquals("transfer-fgsm", own.attack());
  }

  @Test
  void restartsAreAtMostAsGood() {
    Result once = run(evaluation(network), 24, "pgd2").get(0);
    Result often = run(evaluation(network).restarts(5), 24, "pgd2").get(0);
    assertEquals("pgd2-r5", often.attack());
    assertTrue(often.correct() <= once.correct());
  }

  /** Whitens every second image, or sets it to something that is no number. */
  private record Cheat(double value) implements Attack {
    @Override
    public String name() {
      return "cheat";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      Tensor made = images.copy();
      for (int i = 0; i < images.size(0); i += 2) {
        made.narrow(0, i, 1).zero_().add_(value);
      }
      return new Perturbed(made);
    }
  }

  @Test
  void imagesOutsideTheBallCountAsNotAttacked() {
    for (double value : new double[] {1, -0.01, Double.NaN}) {
      warnings.clear();
      int[] first = IntStream.range(0, 16).toArray();
      try (Batches batches = Batches.over(mini, first).batchSize(8).build()) {
        Result clean = evaluation(network).run(List.of("clean"), batches, (a, n) -> {}).get(0);
        Result cheated = evaluation(network).against(List.of(new Cheat(value)), batches).get(0);
        assertEquals(clean.predictions(), cheated.predictions());
        assertEquals(0, cheated.maxPerturbation());
        assertEquals(value, cheated.settings().get("value").getAsDouble());
      }
      assertEquals(
          List.of("cheat took 8 images out of the ball or of [0, 1]; they count as not attacked"),
          warnings);
    }
  }
}
