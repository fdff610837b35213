package bridge.train;

import bridge.GoldenDevice;
import bridge.Options;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.attack.Pgd;
import bridge.attack.Start;
import bridge.checkpoint.TensorFile;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.DType;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Some optimiser steps as they were recorded: a card (JSON) with settings, figures and tolerances,
 * tensors of its own, and the networks, batches and start noise that all cases of a folder share.
 *
 * <p>Cases of the papers' code are told apart by their names ({@link OfficialMethods}); others say
 * themselves which method and teachers they are of and what the method's own tensors begin with.
 */
final class Trajectory implements AutoCloseable {
  static final Path FOLDER = Path.of(System.getProperty("golden", "tests/golden"), "trajectories");

  /** Figures of a card that are no loss terms. */
  private static final List<String> NO_TERMS =
      List.of("loss", "x_adv_mean_abs_delta", "x_adv_max_abs_delta");

  private final String name;
  private final JsonObject card;
  private final TensorFile shared;
  private final TensorFile own;

  Trajectory(String name) {
    this.name = name;
    this.card = json(FOLDER.resolve(name + ".json"));
    this.shared = TensorFile.read(FOLDER.resolve("inputs.safetensors"));
    this.own = TensorFile.read(FOLDER.resolve(name + ".safetensors"));
  }

  private static JsonObject json(Path file) {
    try {
      return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    own.close();
    shared.close();
  }

  // ---- what goes in --------------------------------------------------------------------------

  /** As many as were recorded, or as there is start noise for. */
  int steps() {
    long batches = attacks() ? all(attack().get("noise").getAsString()).size(0) : all("y").size(0);
    return (int) IntStream.range(0, recordedSteps()).takeWhile(i -> batchOf(i) < batches).count();
  }

  int recordedSteps() {
    return constants().get("steps").getAsInt();
  }

  private Tensor all(String input) {
    return GoldenDevice.there(shared.tensors().get(input));
  }

  private int batchOf(int step) {
    JsonArray batches = card.getAsJsonArray("batch_of_step");
    return batches == null ? step : batches.get(step).getAsInt();
  }

  /** Images of a step [N, C, H, W]; the file has values k/255, or the k. */
  Tensor images(int step, DType type) {
    return images(shared, batchOf(step), type);
  }

  static Tensor images(TensorFile inputs, int batch, DType type) {
    Tensor x = GoldenDevice.there(inputs.tensors().get("x").select(0, batch));
    Tensor single = x.dtype() == DType.UINT8 ? x.to(DType.FLOAT32).div(255) : x;
    return single.to(type);
  }

  Tensor labels(int step) {
    return all("y").select(0, batchOf(step));
  }

  /** The images' numbers, as in a data set that is the batches one after the other. */
  int[] numbers(int step) {
    int size = (int) all("y").size(1);
    int first = batchOf(step) * size;
    return IntStream.range(first, first + size).toArray();
  }

  /** The labels of all images by number. */
  int[] labels() {
    return Arrays.stream(all("y").toLongs()).mapToInt(Math::toIntExact).toArray();
  }

  /** C, H, W. */
  long[] imageShape() {
    return Arrays.copyOfRange(all("x").sizes(), 2, 5);
  }

  int classes() {
    return constants().get("classes").getAsInt();
  }

  /** Where the attack of a step begins. */
  Tensor start(int step, Tensor images) {
    JsonObject attack = attack();
    String kind = attack.get("noise").getAsString();
    double scale = kind.equals("noise_normal") ? 0.001 : 1; // the other is drawn to scale
    double factor = attack.get("noise_factor").getAsDouble() * scale;
    Tensor noise = all(kind).select(0, batchOf(step)).to(images.dtype());
    Tensor begin = images.add(noise.mul(factor));
    boolean clamped = attack.get("start_point").getAsString().startsWith("clamp(");
    return clamped ? begin.clamp(0, 1) : begin;
  }

  private boolean attacks() {
    return !card.get("attack").isJsonNull();
  }

  private JsonObject attack() {
    return card.getAsJsonObject("attack");
  }

  /** The attack, which is given its start; null where there is none. */
  Pgd pgd() {
    if (!attacks()) {
      return null;
    }
    boolean training = forwardOrder().toString().contains("student | train | attack");
    return new Pgd(
        "pgd",
        new Ball(Norm.LINF, attack().get("epsilon").getAsDouble()),
        attack().get("step_size").getAsDouble(),
        attack().get("steps").getAsInt(),
        Start.NONE,
        training ? Pgd.NetworkMode.TRAIN : Pgd.NetworkMode.EVAL);
  }

  private JsonObject constants() {
    return card.getAsJsonObject("constants");
  }

  /** The recipe's {@code method}. */
  Options method() {
    boolean says = card.has("method");
    JsonObject options =
        says ? card.getAsJsonObject("method") : OfficialMethods.of(name).options(constants());
    return new Options("method", options);
  }

  /** A network's file and role. */
  record TeacherFile(String file, Teacher.Role role, String feature) {}

  List<TeacherFile> teachers() {
    if (card.get("teachers") instanceof JsonObject named) {
      return named.keySet().stream()
          .map(file -> new TeacherFile(file, role(file.equals("teacher_adv")), null))
          .toList();
    }
    return card.getAsJsonArray("teachers").asList().stream()
        .map(JsonElement::getAsJsonObject)
        .map(
            t ->
                new TeacherFile(
                    t.get("network").getAsString(),
                    Teacher.Role.valueOf(t.get("role").getAsString()),
                    t.has("feature") ? t.get("feature").getAsString() : null))
        .toList();
  }

  private static Teacher.Role role(boolean adversarial) {
    return adversarial ? Teacher.Role.ADVERSARIAL : Teacher.Role.CLEAN;
  }

  Network network(String file, DType type) {
    return network(file, images(0, type), classes(), type);
  }

  static Network network(String file, Tensor images, int classes, DType type) {
    Network network =
        Models.build(
            ModelSpec.parse(FOLDER.resolve(file + "_torchscript.pt").toString()),
            (int) images.size(1),
            classes,
            (int) images.size(2),
            Normalisation.NONE,
            new Seeds(1),
            GoldenDevice.DEVICE);
    network.stateDict().values().stream()
        .filter(t -> t.dtype().isFloatingPoint())
        .forEach(t -> t.setData(t.detach().to(type)));
    return network;
  }

  /** The tensors that the method's state begins with, by name; empty where they are its own. */
  Map<String, Tensor> initial() {
    return beginning("initial.");
  }

  Optimizer optimizer(Map<String, Tensor> trained) {
    JsonObject theirs = card.getAsJsonObject("optimiser");
    JsonObject ours = new JsonObject();
    ours.add("name", theirs.get("kind"));
    ours.add("learningRate", theirs.get("lr"));
    ours.add("momentum", theirs.get("momentum"));
    ours.add("weightDecay", theirs.get("weight_decay"));
    ours.add("nesterov", theirs.get("nesterov"));
    return Optimizer.from(new Options("optimizer", ours)).over(trained);
  }

  double learningRate(int step) {
    return card.getAsJsonObject("per_step").getAsJsonArray("lr").get(step).getAsDouble();
  }

  /** The factor of the learning rate; a milestone is wherever the recorded rate changes. */
  double rate(int step) {
    double[] milestones =
        IntStream.range(1, recordedSteps())
            .filter(i -> learningRate(i) != learningRate(i - 1))
            .asDoubleStream()
            .toArray();
    double gamma = milestones.length == 0 ? 1 : learningRate((int) milestones[0]) / learningRate(0);
    return new Schedule(Schedule.Kind.MULTI_STEP, milestones, gamma, 0, 0)
        .factor(step, 1, recordedSteps());
  }

  /** Counted from 1; the terms that begin late do so after the epoch {@code begin}. */
  int epoch(int step) {
    if (card.has("epochs")) {
      return card.getAsJsonArray("epochs").get(step).getAsInt();
    }
    if (!constants().has("begin")) {
      return 1;
    }
    boolean begun = figure(step, "kl_self_weighted").isPresent();
    return constants().get("begin").getAsInt() + (begun ? 1 : 0);
  }

  // ---- what comes out ------------------------------------------------------------------------

  JsonArray forwardOrder() {
    return card.getAsJsonArray("forward_order");
  }

  /** A step's figure of the float64 run. */
  OptionalDouble figure(int step, String figure) {
    return value(card.getAsJsonObject("per_step").getAsJsonObject("float64").get(figure), step);
  }

  static OptionalDouble value(JsonElement values, int step) {
    return values == null || values.getAsJsonArray().get(step).isJsonNull()
        ? OptionalDouble.empty()
        : OptionalDouble.of(values.getAsJsonArray().get(step).getAsDouble());
  }

  /** By how much a figure may differ, for an implementation in that precision. */
  double within(int step, String figure, DType type) {
    return tolerance().within(step, figure, figure(step, figure).orElseThrow(), type);
  }

  TrajectoryTolerance tolerance() {
    return new TrajectoryTolerance(card.getAsJsonObject("tolerance"));
  }

  /** By how much the student may differ after a step; null where it was not recorded. */
  JsonObject snapshot(int step) {
    boolean recorded = own.tensors().keySet().stream().anyMatch(n -> n.startsWith(at(step, "")));
    return recorded ? tolerance().snapshot(step + 1) : null;
  }

  /** How tensors after a step are called. */
  static String at(int step, String what) {
    return "step%d.%s".formatted(step + 1, what);
  }

  /** Our terms, some added up, and what they are in the recorded figures. */
  Map<String, ToDoubleFunction<OfficialMethods.Row>> terms() {
    if (!card.has("method")) {
      return OfficialMethods.of(name).terms();
    }
    Map<String, ToDoubleFunction<OfficialMethods.Row>> same = new LinkedHashMap<>();
    for (String term : card.getAsJsonObject("per_step").getAsJsonObject("float64").keySet()) {
      if (!NO_TERMS.contains(term)) {
        same.put(term, row -> row.get(term));
      }
    }
    return same;
  }

  /** A constant of the script; null where there is none of this name. */
  Double constant(String constant) {
    JsonElement value = constants().get(constant);
    return value == null ? null : value.getAsDouble();
  }

  /** The attack's images of a step; null where they were not recorded. */
  Tensor adversarial(int step) {
    return own.tensors().get("x_adv_" + (step + 1));
  }

  /** The tensors whose names begin so, by the rest of the names. */
  Map<String, Tensor> beginning(String prefix) {
    Map<String, Tensor> found = new LinkedHashMap<>();
    own.tensors()
        .forEach(
            (key, tensor) -> {
              if (key.startsWith(prefix)) {
                found.put(key.substring(prefix.length()), tensor);
              }
            });
    return found;
  }
}
