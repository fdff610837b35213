package bridge.train;

import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.data.Batches;
import bridge.gradient.FoldedNetwork;
import bridge.method.Method;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.model.AutocastNetwork;
import bridge.model.ModelCard;
import bridge.model.Network;
import bridge.model.Precision;
import bridge.model.StateDicts;
import bridge.torch.ComputePrecision;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a run owns: data, networks, method, optimiser, average, and where it stands; and how all of
 * it is saved and restored.
 *
 * <p>Tensors belong to the run's scope; closing frees the data.
 */
final class Session implements AutoCloseable {
  private static final int PREFLIGHT_IMAGES = 256;

  final Recipe recipe;
  final RunFolder folder;
  final Seeds seeds;
  final RunData data;
  final Network student;
  final Method method;
  final Optimizer optimizer;
  final Average average;

  /** The training images, epoch after epoch. */
  final Batches batches;

  /** Each loss term, summed over this epoch's images. */
  final LossSums sums;

  /** Where the attacks' random starts come from; seeded anew for each step. */
  final Generator noise;

  /** What the user is to be told before the run begins. */
  final List<String> notes = new ArrayList<>();

  private final Networks networks;
  private final List<Teacher> teachers;
  private final Optional<JsonObject> card;
  private final TrainingState state;
  private Position position = Position.BEGINNING;

  /**
   * Loads the data and builds all else in the current scope.
   *
   * @param run the current scope, which the run's tensors belong to
   * @throws bridge.UsageException if the recipe names what is not there or does not fit together
   */
  Session(Recipe recipe, RunFolder folder, Device device, Scope run) {
    this(recipe, folder, Fittings.of(recipe), device, run);
  }

  /**
   * As the other, with what a benchmark changes.
   *
   * @param folder null where nothing is saved or restored
   */
  Session(Recipe recipe, RunFolder folder, Fittings fittings, Device device, Scope run) {
    this.recipe = recipe;
    this.folder = folder;
    this.seeds = new Seeds(recipe.seed);
    data = new RunData(recipe, fittings.images(), seeds, device);
    try {
      networks = new Networks(recipe, data, seeds, device, notes::add);
      student = fittings.student().apply(networks.student());
      card = networks.card();
      teachers = fittings.teachers(networks.teachers());
      method = createMethod(device);
      optimizer = recipe.optimizer.over(trained());
      average = new Average(recipe.average, student);
      batches = data.training();
      sums = new LossSums(run);
      noise = Generator.on(device, recipe.seed);
      state =
          new TrainingState()
              .with("student", student.stateDict())
              .with("optimizer", optimizer.state())
              .with("average", average.state())
              .with("method", method.state());
    } catch (RuntimeException e) {
      data.close();
      throw e;
    }
  }

  private Method createMethod(Device device) {
    return recipe.method.over(
        new MethodContext(
            computing(student),
            teachers,
            data.classes(),
            data.shape(),
            data.trainingLabels(),
            seeds,
            device));
  }

  /** The student as it is trained; it is validated and evaluated in float32. */
  private Network computing(Network network) {
    return recipe.backend.precision() == ComputePrecision.BFLOAT16
        ? recipe.engine.over(new AutocastNetwork(network), data.shape(), notes::add)
        : network;
  }

  /** The student's and the method's parameters by name. */
  private Map<String, Tensor> trained() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    student.parameters().forEach((name, p) -> all.put("student/" + name, p));
    method.parameters().forEach((name, p) -> all.put("method/" + name, p));
    return all;
  }

  Position position() {
    return position;
  }

  void moveTo(Position next) {
    position = next;
  }

  /** What the schedule multiplies the learning rate of the next step by. */
  double scheduleFactor() {
    return recipe.schedule.factor(position.step(), batches.stepsPerEpoch(), recipe.epochs);
  }

  /** Goes on from the folder's saved state, where there is one. */
  void restore() {
    if (Files.exists(folder.state())) {
      position = state.restore(folder.state(), sums::restore);
      average.restoreCount(position.averaged());
    }
  }

  /** Saves all that a resumed run needs. */
  void save() {
    state.save(folder.state(), position, sums.state());
  }

  /** The name of a tensor of the state that holds a number that is not finite, if one does. */
  Optional<String> notFinite() {
    return state.notFinite();
  }

  /** Writes the student and its card. */
  void writeStudent(String file) {
    Checkpoints.write(folder.file(file), student.stateDict());
    String beside = ModelCard.path(Path.of(file)).toString();
    card.ifPresent(json -> folder.writeJson(beside, json));
  }

  /** Takes the student's weights from a file that {@link #writeStudent} wrote. */
  void loadStudent(String file) {
    try (Scope _ = Scope.open("load");
        StateDict saved = Checkpoints.read(folder.file(file))) {
      StateDicts.load(student, saved.tensors());
    }
  }

  /** The averaged student in place of the trained one until closed, where there is an average. */
  Average.Swap swapInAverage() {
    return average.swapIn(position.epoch(), this::forwardFirstBatches);
  }

  /**
   * Runs the student, in training mode, on the epoch's first batches: clean, augmented as there.
   */
  private void forwardFirstBatches(int count, Runnable afterEach) {
    Natives.seedDefaults(seeds.derive("statistics", position.epoch()));
    try (Batches.Epoch epoch = batches.epoch(position.epoch(), 0)) {
      for (int i = 0; i < count && epoch.hasNext(); i++) {
        try (Scope _ = Scope.open("statistics")) {
          student.logits(epoch.next().images());
          afterEach.run();
        }
      }
    }
  }

  /** How the teachers do on some of the training images; see {@link Preflight}. */
  List<String> preflight() {
    List<String> lines = new ArrayList<>();
    try (Batches images = data.sample(PREFLIGHT_IMAGES)) {
      for (int i = 0; i < teachers.size(); i++) {
        try (Scope _ = Scope.open("preflight")) {
          lines.addAll(Preflight.check(teachers.get(i), comparison(i), data.classes(), images));
        }
      }
    }
    return lines;
  }

  private Optional<Preflight.Comparison> comparison(int teacher) {
    Precision precision = recipe.teachers.get(teacher).precision();
    return precision == Precision.FLOAT32
        ? Optional.empty()
        : Optional.of(new Preflight.Comparison(precision, networks.exact(teacher)));
  }

  @Override
  public void close() {
    if (student instanceof FoldedNetwork folded) {
      folded.close();
    }
    batches.close();
    data.close();
  }
}
