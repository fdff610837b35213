package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;

/** What the official code made of one network: a file with its images and constants. */
final class GoldenAutoAttackCase {
  /**
   * Of the square of a loss: rounding of one that is large because it was divided by a small
   * difference of logits.
   */
  private static final double QUOTIENT = 1e-6;

  /** How much rounding may grow: the files advise five times what they measured. */
  private static final double GROWTH = 5;

  private final JsonObject card;
  private final JsonObject constants;
  private final Map<String, Tensor> tensors;
  private final Network network;
  private final Tensor images;
  private final Tensor labels;
  private final Ball ball;

  GoldenAutoAttackCase(JsonObject card, Map<String, Tensor> tensors) {
    this.card = card;
    this.tensors = tensors;
    this.images = pixels("x");
    this.labels = tensors.get("y");
    this.network =
        RecordedNetworks.load(GoldenAutoAttackTest.FOLDER.resolve("net_torchscript.pt"), images);
    network.freeze();
    this.constants = card.getAsJsonObject("constants");
    this.ball = GoldenAutoAttackTest.ball(constants);
  }

  /** Images in [0, 1]; some files have grey levels. */
  private Tensor pixels(String name) {
    Tensor stored = expected(name);
    return stored.dtype() == DType.UINT8 ? stored.to(DType.FLOAT32).div(255) : stored;
  }

  /** A constant that the attack here has built in. */
  private void assertConstant(double ours, String name) {
    assertEquals(ours, constants.get(name).getAsDouble(), name);
  }

  private int count() {
    return (int) images.size(0);
  }

  private Tensor expected(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new AssertionError("the file has no " + name);
    }
    return tensor;
  }

  private static int steps(String run) {
    return Integer.parseInt(run.substring(run.lastIndexOf('_') + 1));
  }

  private static String what(String run) {
    return run.substring(0, run.lastIndexOf('_'));
  }

  private static long number(Tensor mask) {
    return mask.sum().itemLong();
  }

  private Tensor right(Tensor at) {
    try (NoGrad _ = NoGrad.enter()) {
      return network.logits(at).argmax(1).eq(labels);
    }
  }

  private void assertAllowed(Tensor made) {
    double longest = ball.lengths(made.sub(images)).max().item();
    double rounding = 1e-6 * Math.max(1, ball.epsilon());
    assertTrue(longest <= ball.epsilon() + rounding, () -> "perturbation of " + longest);
    assertTrue(made.min().item() >= 0 && made.max().item() <= 1, "outside [0, 1]");
  }

  // ---- APGD --------------------------------------------------------------------------------

  void apgdFromGivenStarts() {
    assertConstant(0.75, "rho");
    JsonObject measured = card.getAsJsonObject("measured_f32_vs_f64");
    assertFalse(measured.isEmpty());
    measured.keySet().forEach(run -> apgd(run, measured.getAsJsonObject(run)));
  }

  private void apgd(String run, JsonObject measured) {
    Apgd.Loss loss =
        switch (what(run)) {
          case "ce", "ce-widened" -> Apgd.Loss.CROSS_ENTROPY;
          case "dlr" -> Apgd.Loss.DLR;
          case "dlr-targeted" -> Apgd.Loss.TARGETED_DLR;
          default -> throw new AssertionError("no loss knows " + run);
        };
    Tensor targets = loss == Apgd.Loss.TARGETED_DLR ? expected("y_target") : null;
    boolean widened = what(run).endsWith("-widened");
    Apgd.Outcome made =
        new Apgd(run, ball, loss, steps(run), 1, 1, 9, widened)
            .climb(network, images, labels, targets, pixels("x_start"));
    assertAllowed(made.best());
    assertAllowed(made.adversarial());

    double tolerance =
        card.getAsJsonObject("tolerance").get("loss_best_abs_short_runs").getAsDouble();
    double rounding = GROWTH * measured.get("max_abs_loss_best_diff").getAsDouble();
    boolean turns = rounding > tolerance || steps(run) > 25;
    Tensor official = expected("loss_best_" + run);
    Tensor difference = official.sub(made.bestLoss()).abs();
    Tensor within = official.mul(official).mul(QUOTIENT).clampMin(tolerance);
    long beyond = number(difference.gt(within));
    assertTrue(
        beyond <= (turns ? 2 : 0),
        () -> "%s: %d losses differ, by %s".formatted(run, beyond, difference.max().item()));
    long outcomes = number(expected("robust_" + run).eq(made.broken().to(DType.INT64)));
    assertTrue(outcomes <= (turns ? 1 : 0), () -> run + ": outcomes differ: " + outcomes);

    double share =
        Math.max(0.05, GROWTH * measured.get("fraction_x_best_elements_differing").getAsDouble());
    assertSame(run + " best", "x_best_" + run, made.best(), share);
    assertSame(run + " adversarial", "x_best_adv_" + run, made.adversarial(), share);
  }

  /** Only the long runs of the full set have their images. */
  private void assertSame(String what, String name, Tensor made, double allowed) {
    if (tensors.containsKey(name)) {
      Tensor difference = expected(name).sub(made).abs();
      double share = (double) number(difference.gt(1e-5)) / difference.numel();
      assertTrue(share <= allowed, () -> what + ": share of pixels that differ: " + share);
    }
  }

  void apgdFromRandomStarts() {
    assertConstant(0.75, "rho");
    int steps = constants.get("n_iter").getAsInt();
    int restarts = constants.get("n_restarts").getAsInt();
    boolean widened = constants.has("use_largereps"); // only in L1
    Apgd attack =
        new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, steps, restarts, 1, 1, widened);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(1)).images();
    assertAllowed(made);
    assertNear("right under APGD", expected("robust"), right(made), random());
    Tensor best = attack.highestLoss(network, images, labels, Samples.noise(2));
    assertAllowed(best);
    double official = expected("best_loss").mean().item();
    double relative = card.getAsJsonObject("tolerance").get("mean_best_loss_rel").getAsDouble();
    double loss = Losses.crossEntropy(network.logits(best), labels).item();
    assertEquals(official, loss, relative * official, "mean loss");
  }

  // ---- FAB ---------------------------------------------------------------------------------

  void fab() {
    assertConstant(0.1, "alpha_max");
    assertConstant(1.05, "eta");
    assertConstant(0.9, "beta");
    assertConstant(network.classes(), "classes");
    JsonObject measured = card.getAsJsonObject("measured");
    assertFalse(measured.isEmpty());
    measured.keySet().forEach(run -> fab(run, measured.getAsJsonObject(run)));
  }

  private void fab(String run, JsonObject measured) {
    assertTrue(List.of("untargeted", "target2").contains(what(run)), () -> "no test knows " + run);
    boolean targeted = what(run).equals("target2");
    Tensor targets = targeted ? expected("y_target") : null;
    Fab.Nearest made =
        new Fab(run, ball, targeted, steps(run), 1)
            .search(network, images, labels, targets, images);
    Tensor found = made.distance().isFinite();
    Tensor official = expected("distance_" + run);
    assertEquals(0, number(official.gt(0).ne(found)), run + ": found for other images");
    assertEquals(0, number(found.logicalAnd(right(made.images()))), run + ": found, yet right");
    Tensor length = ball.lengths(made.images().sub(images)).flatten(0);
    Tensor distance = made.distance().maskedFill(found.logicalNot(), 0);
    assertTrue(length.sub(distance).abs().max().item() <= 1e-6, run + ": not its distance");
    double relative = card.getAsJsonObject("tolerance").get("distance_rel").getAsDouble();
    Tensor difference = distance.sub(official).abs();
    long beyond = number(difference.sub(official.mul(relative)).gt(0));
    String parted = "images_beyond_tolerance_f32_vs_f64";
    int apart = measured.has(parted) ? measured.get(parted).getAsInt() : 0;
    boolean turns =
        measured.get("max_abs_distance_diff_f32_vs_f64").getAsDouble()
            > relative * measured.get("median_distance").getAsDouble();
    assertTrue(
        beyond <= Math.max(turns ? 2 : 1, apart),
        () -> "%s: %d distances differ, by %s".formatted(run, beyond, difference.max().item()));
  }

  // ---- AutoAttack --------------------------------------------------------------------------

  private int random() {
    return (int) Math.max(1, 0.015 * count());
  }

  private void assertNear(String what, Tensor official, Tensor right, int allowed) {
    long difference = Math.abs(number(official) - number(right));
    assertTrue(
        difference <= allowed,
        () -> "%s: %d, official %d".formatted(what, number(right), number(official)));
  }

  private Tensor mask(BitSet images) {
    long[] right = new long[count()];
    images.stream().forEach(i -> right[i] = 1);
    return Tensor.of(right, count());
  }

  private Stages stages(long seed) {
    return new Stages(network, images, labels, Samples.noise(seed));
  }

  /** The settings of the version, which AutoAttack here has built in. */
  private void assertStandard() {
    boolean sparse = ball.norm() == Norm.L1;
    int others = network.classes() - 1;
    String targets = "n_target_classes: " + Math.min(9, others);
    String fewer =
        sparse ? "use_largereps: true, n_target_classes: " + Math.min(5, others) : targets;
    String once = "n_restarts: 1, n_iter: 100, ";
    String first = sparse ? "use_largereps: true, n_restarts: 5, n_iter: 100, " : once;
    Map.of(
            "apgd-ce", first + "rho: 0.75, eot_iter: 1",
            "apgd-t", once + fewer + ", loss: dlr-targeted",
            "fab-t", once + targets + ", alpha_max: 0.1, eta: 1.05, beta: 0.9",
            "square", "n_restarts: 1, n_queries: 5000, p_init: 0.8, resc_schedule: false")
        .forEach(this::assertSettings);
  }

  private void assertSettings(String attack, String ours) {
    assertEquals(JsonParser.parseString("{" + ours + "}"), constants.get(attack), attack);
  }

  void standard() {
    assertStandard();
    Tensor clean = expected("clean_correct");
    Tensor logits = network.logits(images);
    assertTrue(logits.sub(expected("clean_logits")).abs().max().item() <= 1e-4, "logits");
    AutoAttack attack = new AutoAttack(AutoAttack.Version.STANDARD, ball);

    Stages all = stages(3);
    assertEquals(0, number(clean.ne(mask(all.rightNow()))), "right at the clean images");
    List<String> warnings = new ArrayList<>();
    attack.run(all, warnings::add);
    all.right()
        .forEach(
            (component, right) ->
                assertNear(
                    "right after " + component,
                    expected("cumulative_robust_after_" + component),
                    mask(right),
                    (int) Math.max(1, 0.01 * count())));
    assertAllowed(all.images());
    Tensor robust = mask(all.rightNow());
    assertEquals(0, number(robust.ne(right(all.images()).to(DType.INT64))), "images and right");
    assertFalse(warnings.stream().anyMatch(w -> w.contains("gradient of 0")), warnings::toString);

    for (Attack component : attack.components()) {
      Stages alone = stages(4);
      alone.attack(component);
      assertNear(
          "right under " + component.name(),
          expected("individual_robust_" + component.name()),
          mask(alone.rightNow()),
          component.name().equals("fab-t") ? 1 : random());
      assertAllowed(alone.images());
    }
  }
}
