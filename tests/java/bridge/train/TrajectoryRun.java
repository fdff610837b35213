package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.GoldenDevice;
import bridge.attack.Pgd;
import bridge.gradient.Objective;
import bridge.method.Method;
import bridge.method.TestMethods;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** A recorded case, run again in one precision and compared after every step. */
final class TrajectoryRun {
  /** Relative tolerance of float32 up to step 10, 20 and later once an attack's image differs. */
  private static final double[] FALLBACK = {1e-3, 5e-3, 1e-2};

  /** Images further apart than this differ by a step of the attack, not by rounding. */
  private static final double FLIPPED = 1e-5;

  private final Trajectory golden;
  private final DType type;
  private final TrajectoryRun wide;
  private final ForwardPasses passes = new ForwardPasses();
  private final Network student;
  private final Method method;
  private final Optimizer optimizer;
  private final Pgd pgd;

  /** The attack's images of each step. */
  private final List<Tensor> adversarial = new ArrayList<>();

  private boolean flipped;

  /**
   * @param wide the same in float64, already followed, for a run in float32; else null
   */
  TrajectoryRun(Trajectory golden, DType type, TrajectoryRun wide) {
    this.golden = golden;
    this.type = type;
    this.wide = wide;
    student = passes.record("student", golden.network("student_initial", type));
    method =
        TestMethods.of(
            golden.method(),
            new MethodContext(
                student,
                golden.teachers().stream().map(this::teacher).toList(),
                golden.classes(),
                golden.imageShape(),
                golden.labels(),
                new Seeds(1),
                GoldenDevice.DEVICE));
    begin();
    Map<String, Tensor> trained = new LinkedHashMap<>(student.parameters());
    method.parameters().forEach((key, p) -> trained.put("method/" + key, p));
    optimizer = golden.optimizer(trained);
    pgd = golden.pgd();
  }

  private Teacher teacher(Trajectory.TeacherFile teacher) {
    boolean peer = teacher.role() == Teacher.Role.PEER;
    String file = teacher.file();
    Network network = passes.record(peer ? "peer" : file, golden.network(file, type));
    if (!peer) {
      network.freeze();
    }
    String feature = teacher.feature() == null ? network.penultimate() : teacher.feature();
    return new Teacher(file, teacher.role(), network, feature);
  }

  private void begin() {
    try (NoGrad _ = NoGrad.enter()) {
      Map<String, Tensor> state = method.state();
      golden.initial().forEach((key, tensor) -> state.get(key).copy_(tensor));
    }
  }

  void follow() {
    student.train(true);
    TrainingStep step = new TrainingStep(student, method, optimizer);
    for (int i = 0; i < golden.steps(); i++) {
      try (Scope scope = Scope.open("step")) {
        adversarial.add(scope.keep(follow(step, i)));
      }
    }
    if (type == DType.FLOAT64 && golden.steps() == golden.recordedSteps()) {
      checkTheEnd();
    }
  }

  private Tensor follow(TrainingStep step, int i) {
    Tensor x = golden.images(i, type);
    Inputs inputs =
        new Inputs(x, golden.labels(i), golden.numbers(i), golden.epoch(i), i + 1L, golden.rate(i));
    passes.beginStep(x);
    Tensor[] made = {x};
    Loss loss = step.take(inputs, climbed -> made[0] = attack(climbed, i, x));
    flipped |= wide != null && largest(made[0].sub(wide.adversarial.get(i))) > FLIPPED;
    double rate = optimizer.baseLearningRate() * inputs.scheduleFactor();
    assertEquals(golden.learningRate(i), rate, 1e-15, at(i, "learning rate"));
    check(i, "loss", loss.total().item());
    checkTerms(i, loss);
    checkTold(i);
    checkImages(i, x, made[0]);
    checkStudent(i);
    passes.check(golden.forwardOrder(), i + 1);
    return made[0];
  }

  private Tensor attack(Objective climbed, int i, Tensor x) {
    Tensor begin = golden.start(i, x);
    passes.beginAttack();
    Tensor made = pgd.ascend(student, climbed, x, begin);
    passes.endAttack(made);
    return made;
  }

  // ---- comparing -----------------------------------------------------------------------------

  private String at(int i, String what) {
    return "%s of step %d in %s".formatted(what, i + 1, type);
  }

  private static double largest(Tensor t) {
    return t.abs().max().item();
  }

  private double fallback(int i) {
    return flipped ? FALLBACK[Math.min(i / 10, 2)] : 0;
  }

  private void check(int i, String figure, double ours) {
    double theirs = golden.figure(i, figure).orElseThrow();
    double within = golden.within(i, figure, type);
    near(i, figure, theirs, Math.max(within, fallback(i) * Math.abs(theirs)), ours);
  }

  private void near(int i, String figure, double theirs, double within, double ours) {
    assertEquals(theirs, ours, within, at(i, figure));
  }

  /** Every term of ours is one of theirs, or some of ours together are. */
  private void checkTerms(int i, Loss loss) {
    Map<String, Double> ours = new LinkedHashMap<>();
    loss.terms().forEach((term, value) -> ours.put(term, value.item()));
    golden.terms().forEach((terms, theirs) -> checkTerm(i, terms, theirs, ours));
    assertEquals(Map.of(), ours, at(i, "terms without a counterpart"));
  }

  private void checkTerm(
      int i, String terms, ToDoubleFunction<OfficialMethods.Row> theirs, Map<String, Double> ours) {
    List<String> names = List.of(terms.split(" \\+ "));
    boolean there = ours.keySet().containsAll(names);
    double value = theirs.applyAsDouble(figure -> row(i, figure, false));
    assertEquals(!Double.isNaN(value), there, at(i, terms + " being there"));
    if (there) {
      double upper = theirs.applyAsDouble(figure -> row(i, figure, true));
      double wider = fallback(i) * Math.abs(golden.figure(i, "loss").orElseThrow());
      double within = Math.max(Math.abs(upper - value) + 1e-14, wider);
      near(i, terms, value, within, names.stream().mapToDouble(ours::remove).sum());
    }
  }

  /** A constant, or a figure, at its tolerance's upper end or not; NaN where there is none. */
  private double row(int i, String figure, boolean upper) {
    Double constant = golden.constant(figure);
    if (constant != null) {
      return constant;
    }
    return golden.figure(i, figure).isEmpty()
        ? Double.NaN
        : golden.figure(i, figure).getAsDouble() + (upper ? golden.within(i, figure, type) : 0);
  }

  private void checkTold(int i) {
    Map<String, Double> told = method.epochSummary();
    OfficialMethods.TOLD.forEach(
        (ours, theirs) -> {
          if (golden.figure(i, theirs).isPresent()) {
            check(i, theirs, told.get(ours));
          }
        });
  }

  private void checkImages(int i, Tensor x, Tensor made) {
    if (pgd == null) {
      return;
    }
    Tensor moved = made.sub(x).abs();
    check(i, "x_adv_mean_abs_delta", moved.mean().item());
    double theirs = golden.figure(i, "x_adv_max_abs_delta").orElseThrow();
    near(i, "largest perturbation", theirs, 1e-6, largest(moved));
    Tensor recorded = golden.adversarial(i);
    if (recorded != null) {
      Tensor apart =
          GoldenDevice.there(recorded.to(type))
              .sub(made)
              .abs()
              .gt(golden.tolerance().pixelsDiffer());
      double share = (double) apart.sum().itemLong() / apart.numel();
      double allowed = Math.max(golden.tolerance().shareOfPixels(i + 1), fallback(i));
      assertTrue(share <= allowed, () -> at(i, "share of other pixels") + " is " + share);
    }
  }

  /** The student after the step, against the float32 recording. */
  private void checkStudent(int i) {
    JsonObject within = golden.snapshot(i);
    if (within == null) {
      return;
    }
    Map<String, Tensor> theirs = golden.beginning(Trajectory.at(i, ""));
    for (Map.Entry<String, Tensor> e : student.buffers().entrySet()) {
      if (counts(e.getKey())) {
        long count = theirs.get(e.getKey()).itemLong();
        assertEquals(count, e.getValue().itemLong(), at(i, e.getKey()));
      }
    }
    compare(i, "parameters", within, student.parameters(), theirs);
    compare(i, "batchnorm", within, statistics(), theirs);
    if (within.has("momentum_rel_l2")) {
      Map<String, Tensor> momentum = golden.beginning(Trajectory.at(i, "momentum."));
      compare(i, "momentum", within, optimizer.state(), momentum);
    }
  }

  private static boolean counts(String buffer) {
    return buffer.endsWith("num_batches_tracked");
  }

  private Map<String, Tensor> statistics() {
    Map<String, Tensor> statistics = new LinkedHashMap<>(student.buffers());
    statistics.keySet().removeIf(TrajectoryRun::counts);
    return statistics;
  }

  private void compare(
      int i, String what, JsonObject within, Map<String, Tensor> ours, Map<String, Tensor> theirs) {
    Apart apart = Apart.between(ours, theirs);
    double relative = within.get(what + "_rel_l2").getAsDouble();
    near(i, what + ", relative", 0, Math.max(relative, fallback(i)), apart.relative);
    if (within.has(what + "_max_abs")) {
      double absolute = within.get(what + "_max_abs").getAsDouble();
      near(i, what + ", absolute", 0, Math.max(absolute, fallback(i)), apart.largest);
    }
  }

  /** Student and method after the last step, against the float64 recording. */
  private void checkTheEnd() {
    int last = golden.steps();
    Map<String, Tensor> theirs = golden.beginning("step%d_float64run.".formatted(last));
    Map<String, Tensor> ours = new LinkedHashMap<>(student.parameters());
    ours.putAll(statistics());
    method.state().forEach((key, tensor) -> ours.put("method/" + key, tensor));
    ours.keySet().retainAll(theirs.keySet());
    assertEquals(theirs.keySet(), ours.keySet());
    Apart apart = Apart.between(ours, theirs);
    near(last - 1, "state", 0, golden.tolerance().atTheEnd(), apart.relative);
  }

  /** How far tensors are from recorded ones, taken together. */
  private record Apart(double relative, double largest) {
    static Apart between(Map<String, Tensor> ours, Map<String, Tensor> theirs) {
      double squares = 0;
      double size = 0;
      double largest = 0;
      for (Map.Entry<String, Tensor> e : ours.entrySet()) {
        double[] a = e.getValue().toDoubles();
        double[] b = theirs.get(e.getKey()).toDoubles();
        assertEquals(b.length, a.length, e.getKey());
        for (int i = 0; i < a.length; i++) {
          squares += (a[i] - b[i]) * (a[i] - b[i]);
          size += b[i] * b[i];
          largest = Math.max(largest, Math.abs(a[i] - b[i]));
        }
      }
      return new Apart(Math.sqrt(squares / size), largest);
    }
  }
}
