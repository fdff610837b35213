package bridge.train;

import bridge.UsageException;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.data.Splits;
import bridge.method.Method;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.model.Precision;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a recipe names, made: data, networks, method, optimiser. Tensors belong to the scope it was
 * made in; closing frees the data.
 */
final class Assembly implements AutoCloseable {
  private static final int PREFLIGHT_IMAGES = 256;

  private final Recipe recipe;
  private final Device device;
  private final ImageSet train;
  private final ImageSet test;
  private final Splits split;
  private final List<Teacher> teachers = new ArrayList<>();

  final Seeds seeds;
  final Network student;

  /** The student's card, so that its checkpoint is a model by its name alone. */
  final Optional<JsonObject> card;

  final Method method;
  final Optimizer optimizer;
  final Average average;
  final Batches batches;

  Assembly(Recipe recipe, Device device) {
    this.recipe = recipe;
    this.device = device;
    this.seeds = new Seeds(recipe.seed);
    DataSpec spec = DataSpec.parse(recipe.data);
    train = spec.load(Split.TRAIN);
    ImageSet loaded = null;
    try {
      check();
      test = loaded = spec.load(Split.TEST); // now: a missing file would end a run of days
      checkAlike();
      student = build(recipe.student, seeds);
      card =
          Models.card(
              ModelSpec.parse(recipe.student.model()),
              train.channels(),
              train.classes(),
              new Normalisation(recipe.student.mean(), recipe.student.std()),
              recipe.data,
              "bridge train " + recipe.name);
      for (Recipe.Model teacher : recipe.teachers) {
        teachers.add(teacher(teacher, teachers));
      }
      split = Splits.of(train, recipe.select.validation(), seeds);
      long[] shape = {train.channels(), train.height(), train.width()};
      method =
          recipe.method.over(
              new MethodContext(
                  student, teachers, train.classes(), shape, trainingLabels(), seeds, device));
      optimizer = recipe.optimizer.over(trained());
      average = new Average(recipe.average, student);
      batches =
          Batches.over(train, split.training())
              .batchSize(recipe.batch)
              .augment(recipe.augment)
              .shuffle(true)
              .seeds(seeds)
              .device(device)
              .build();
    } catch (RuntimeException e) {
      train.close();
      if (loaded != null) {
        loaded.close();
      }
      throw e;
    }
  }

  private void check() {
    if (recipe.select.validation() >= train.size()) {
      throw new UsageException(
          "select.validation must be less than the %d training images, found %d"
              .formatted(train.size(), recipe.select.validation()));
    }
    if (train.height() != train.width()) {
      throw new UsageException(
          "images must be square, found %d×%d in %s"
              .formatted(train.height(), train.width(), recipe.data));
    }
  }

  private int[] trainingLabels() {
    int[] labels = new int[train.size()];
    Arrays.fill(labels, -1);
    for (int image : split.training()) {
      labels[image] = train.label(image);
    }
    return labels;
  }

  private void checkAlike() {
    if (test.height() != train.height() || test.width() != train.width()) {
      throw new UsageException(
          "the test images are %d×%d, the training images %d×%d; make them one size"
              .formatted(test.height(), test.width(), train.height(), train.width()));
    }
  }

  private Network build(Recipe.Model model, Seeds weights) {
    return Models.build(
        ModelSpec.parse(model.model()),
        train.channels(),
        train.classes(),
        train.height(),
        new Normalisation(model.mean(), model.std()),
        weights,
        device);
  }

  /** A teacher's network, in float32. */
  private Network network(int teacher) {
    Recipe.Model model = recipe.teachers.get(teacher);
    // a stream of its own, so that a peer of the student's architecture does not begin as its twin
    Network network = build(model, new Seeds(seeds.derive("teacher", teacher)));
    if (model.role() != Teacher.Role.PEER) {
      network.freeze();
      network.channelsLast();
    }
    return network;
  }

  private Teacher teacher(Recipe.Model model, List<Teacher> before) {
    Network network =
        Models.held(network(before.size()), model.precision(), train.channels(), train.height());
    String file = model.model().replaceFirst(".*[/@]", "").replaceFirst("\\.\\w+$", "");
    Set<String> taken = before.stream().map(Teacher::name).collect(Collectors.toSet());
    String name = file;
    for (int i = 2; taken.contains(name); i++) {
      name = file + "-" + i;
    }
    String feature =
        model.features().equals("penultimate") ? network.penultimate() : model.features();
    return new Teacher(name, model.role(), network, feature);
  }

  /** The student's and the method's parameters by name. */
  private Map<String, Tensor> trained() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    student.parameters().forEach((name, p) -> all.put("student/" + name, p));
    method.parameters().forEach((name, p) -> all.put("method/" + name, p));
    return all;
  }

  /** The live tensors that a resumed run needs. */
  TrainingState state() {
    return new TrainingState()
        .with("student", student.stateDict())
        .with("optimizer", optimizer.state())
        .with("average", average.state())
        .with("method", method.state());
  }

  /** What the teachers say of some of the training images; see {@link Preflight}. */
  List<String> preflight() {
    int n = Math.min(PREFLIGHT_IMAGES, train.size());
    // spread over the set, which may be sorted by class
    int[] some = IntStream.range(0, n).map(i -> (int) ((long) i * train.size() / n)).toArray();
    List<String> lines = new ArrayList<>();
    try (Batches images = plain(train, some)) {
      for (int i = 0; i < teachers.size(); i++) {
        try (Scope _ = Scope.open("preflight")) {
          lines.addAll(Preflight.check(teachers.get(i), comparison(i), train.classes(), images));
        }
      }
    }
    return lines;
  }

  private Optional<Preflight.Comparison> comparison(int teacher) {
    Precision precision = recipe.teachers.get(teacher).precision();
    return precision == Precision.FLOAT32
        ? Optional.empty()
        : Optional.of(new Preflight.Comparison(precision, network(teacher)));
  }

  int validationImages() {
    return split.validation().length;
  }

  /** The held-out images, unaugmented, in order. */
  Batches validation() {
    return plain(train, split.validation());
  }

  /** The first test images, unaugmented, in order. */
  Batches test() {
    int limit = recipe.evaluate.limit() == 0 ? test.size() : recipe.evaluate.limit();
    int[] first = IntStream.range(0, Math.min(limit, test.size())).toArray();
    return plain(test, first);
  }

  private Batches plain(ImageSet set, int[] indices) {
    return Batches.over(set, indices)
        .batchSize(recipe.evaluate.batch())
        .seeds(seeds)
        .device(device)
        .build();
  }

  @Override
  public void close() {
    batches.close();
    train.close();
    test.close();
  }
}
