package bridge.train;

import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.model.Precision;
import bridge.torch.ComputePrecision;
import bridge.torch.Device;
import bridge.torch.Seeds;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** Builds the student and the teachers that a recipe names, for these images. */
record Networks(Recipe recipe, RunData data, Seeds seeds, Device device, Consumer<String> log) {

  Network student() {
    Network student = build(recipe.student, seeds);
    if (device.isCuda() || !recipe.engine.isPlain()) {
      student.channelsLastThroughout(recipe.backend.precision());
    }
    return recipe.engine.over(student, data.shape(), log);
  }

  /** The student's card, so that its checkpoint is a model by its name alone. */
  Optional<JsonObject> card() {
    return Models.card(
        ModelSpec.parse(recipe.student.model()),
        data.channels(),
        data.classes(),
        new Normalisation(recipe.student.mean(), recipe.student.std()),
        recipe.data,
        "bridge train " + recipe.name);
  }

  /** The teachers in the recipe's order, each in its own precision and with a name of its own. */
  List<Teacher> teachers() {
    List<Teacher> teachers = new ArrayList<>();
    for (Recipe.Model teacher : recipe.teachers) {
      teachers.add(teacher(teacher, teachers));
    }
    return teachers;
  }

  private Teacher teacher(Recipe.Model model, List<Teacher> before) {
    Network network =
        Models.inPrecision(
            exact(before.size()), model.precision(), data.channels(), data.imageSize());
    if (model.role() != Teacher.Role.PEER && model.precision() == Precision.FLOAT32) {
      network = recipe.engine.over(network, data.shape(), log);
    }
    String file = model.model().replaceFirst(".*[/@]", "").replaceFirst("\\.\\w+$", "");
    Set<String> names = before.stream().map(Teacher::name).collect(Collectors.toSet());
    String name = file;
    for (int i = 2; names.contains(name); i++) {
      name = file + "-" + i;
    }
    String feature =
        model.features().equals("penultimate") ? network.penultimate() : model.features();
    return new Teacher(name, model.role(), network, feature);
  }

  /** A teacher's network, built anew in float32. */
  Network exact(int teacher) {
    Recipe.Model model = recipe.teachers.get(teacher);
    // a stream of its own, so that a peer of the student's architecture does not begin as its twin
    Network network = build(model, new Seeds(seeds.derive("teacher", teacher)));
    if (model.role() != Teacher.Role.PEER) {
      network.freeze();
    }
    if (model.role() != Teacher.Role.PEER || device.isCuda()) {
      boolean half = model.precision() != Precision.FLOAT32;
      network.channelsLast(half ? ComputePrecision.BFLOAT16 : recipe.backend.precision());
    }
    return network;
  }

  private Network build(Recipe.Model model, Seeds weights) {
    return Models.build(
        ModelSpec.parse(model.model()),
        data.channels(),
        data.classes(),
        data.imageSize(),
        new Normalisation(model.mean(), model.std()),
        weights,
        device);
  }
}
