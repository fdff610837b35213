package bridge.train;

import bridge.Options;
import bridge.UsageException;
import bridge.attack.Ball;
import bridge.attack.Pgd;
import bridge.data.Augment;
import bridge.evaluate.AttackNames;
import bridge.gradient.Engine;
import bridge.method.MethodSettings;
import bridge.method.Methods;
import bridge.method.parts.Teacher;
import bridge.model.Precision;
import bridge.torch.Backend;
import bridge.torch.ComputePrecision;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One training run, read from JSON and checked before anything is loaded. {@link #resolved} holds
 * every setting with the value it has, defaults included.
 */
public final class Recipe {
  /** The longest run that is not a slip of the keyboard. */
  private static final int MOST_EPOCHS = 1_000_000;

  /**
   * A network as a recipe names it.
   *
   * @param model {@code ARCH}, {@code ARCH@FILE} or a TorchScript file
   * @param role null for the student
   * @param features the submodule whose output is its feature; {@code penultimate} for the last
   * @param precision in which a teacher's weights are held; the student's always are in float32
   */
  record Model(
      String model,
      Teacher.Role role,
      String features,
      List<Double> mean,
      List<Double> std,
      Precision precision) {
    static Model from(Options options, Teacher.Role role) {
      Options normalisation = options.object("normalisation");
      Model model =
          new Model(
              options.text("model", null),
              role == null ? null : options.choice("role", role),
              options.text("features", "penultimate"),
              list(normalisation.numbers("mean")),
              list(normalisation.numbers("std")),
              role == null ? Precision.FLOAT32 : options.choice("precision", Precision.FLOAT32));
      normalisation.done();
      options.done();
      return model;
    }

    private static List<Double> list(double[] values) {
      return java.util.Arrays.stream(values).boxed().toList();
    }
  }

  /** Which of the epochs' students is {@code best.pth}. */
  enum Metric {
    /** The highest accuracy under PGD on the held-out images. */
    ROBUST,
    /** The highest clean accuracy on them. */
    CLEAN,
    /** The mean of the two. */
    MEAN
  }

  /**
   * @param validation how many training images are held out; 0 for none, then best is last
   * @param steps of the PGD that validates
   */
  record Select(int validation, Metric metric, int steps, int every) {}

  /**
   * @param limit how many test images; 0 for all
   */
  record Evaluate(List<String> attacks, int limit, int batch) {}

  private final Options options;
  final String name;
  final String data;
  final Model student;
  final List<Model> teachers;
  final MethodSettings method;
  final Pgd attack;
  final Optimizer.Settings optimizer;
  final Schedule schedule;
  final int epochs;
  final int batch;
  final Augment augment;
  final Average.Settings average;
  final Select select;
  final Evaluate evaluate;
  final Backend backend;
  final Engine engine;
  final long seed;

  private Recipe(Options options) {
    this.options = options;
    name = options.text("name", null);
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
      throw new UsageException(
          "name must be letters, digits, '.', '_' and '-', since it names a folder; found " + name);
    }
    options.text("description", "");
    data = options.text("data", null);
    student = Model.from(options.object("student"), null);
    teachers = new ArrayList<>();
    for (Options teacher : options.objects("teachers")) {
      teachers.add(Model.from(teacher, Teacher.Role.STANDARD));
    }
    method = Methods.read(options.object("method"), teachers.stream().map(Model::role).toList());
    checkTeachersPrecision();
    attack = Pgd.from(options.object("attack"));
    optimizer = Optimizer.from(options.object("optimizer"));
    schedule = Schedule.from(options.object("schedule"));
    epochs = options.integer("epochs", 100, 1, MOST_EPOCHS);
    batch = options.integer("batch", 128, 1, 65_536);
    augment = augmentation(options.object("augment"));
    average = Average.Settings.from(options.object("average"));
    if (average.kind() != Average.Kind.NONE && average.startEpoch() > epochs) {
      throw new UsageException(
          "average.startEpoch must be from 1 to the %d epochs, found %d"
              .formatted(epochs, average.startEpoch()));
    }
    select = select(options.object("select"));
    evaluate = evaluate(options.object("evaluate"), attack.ball());
    backend = backend(options);
    engine = Engine.from(options.object("gradients"));
    seed = options.whole("seed", 1);
    options.done();
  }

  /**
   * Reads and checks all of it.
   *
   * @throws UsageException for an unknown key or a value that cannot be
   */
  public static Recipe from(JsonObject json) {
    return new Recipe(new Options("", json));
  }

  /** Half precision is for teachers that are asked and no more. */
  private void checkTeachersPrecision() {
    for (int i = 0; i < teachers.size(); i++) {
      Model teacher = teachers.get(i);
      if (teacher.precision == Precision.FLOAT32) {
        continue;
      }
      Optional<String> reason =
          teacher.role == Teacher.Role.PEER
              ? Optional.of("a teacher of role PEER trains")
              : method.gradientsThroughTeachers();
      if (reason.isPresent()) {
        throw new UsageException(
            "teachers[%d].precision must be FLOAT32, since %s, found %s; remove it"
                .formatted(i, reason.get(), teacher.precision));
      }
    }
  }

  private static Augment augmentation(Options options) {
    Augment augment = new Augment(options.integer("pad", 0, 0, 64), options.flag("flip", false));
    options.done();
    return augment;
  }

  private static Select select(Options options) {
    Select select =
        new Select(
            options.integer("validation", 1000, 0, 10_000_000),
            options.choice("metric", Metric.ROBUST),
            options.integer("steps", 10, 1, 1000),
            options.integer("every", 1, 1, MOST_EPOCHS));
    options.done();
    return select;
  }

  private static Evaluate evaluate(Options options, Ball ball) {
    Evaluate evaluate =
        new Evaluate(
            options.texts("attacks", "clean", "fgsm", "pgd20"),
            options.integer("limit", 0, 0, 10_000_000),
            options.integer("batch", 250, 1, 65_536));
    options.done();
    try {
      AttackNames.check(evaluate.attacks(), ball, 1, false);
    } catch (UsageException e) {
      throw new UsageException(options.path("attacks") + ": " + e.getMessage(), e);
    }
    return evaluate;
  }

  private static Backend backend(Options options) {
    ComputePrecision precision = options.choice("precision", ComputePrecision.FLOAT32);
    Options cuda = options.object("cuda");
    Backend backend =
        new Backend(precision, cuda.flag("benchmark", false), cuda.flag("deterministic", false));
    cuda.done();
    return backend;
  }

  public String name() {
    return name;
  }

  public String data() {
    return data;
  }

  /** The radius of the training attack, which the evaluation uses too. */
  public Pgd attack() {
    return attack;
  }

  /** What gradients of images are computed by. */
  public Engine engine() {
    return engine;
  }

  /** Every setting with its value. */
  public JsonObject resolved() {
    return options.resolved();
  }
}
