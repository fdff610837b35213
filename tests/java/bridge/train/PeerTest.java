package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.checkpoint.TensorFile;
import bridge.method.parts.Teacher;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A peer in a run: it begins as no twin of the student, trains beside it, and is saved. */
final class PeerTest {
  private static final String PEER =
      "teachers=[{\"model\": \"resnet8:width=4,stride=2\", \"role\": \"PEER\"}]";

  @TempDir Path folder;
  private JsonObject recipe;

  @BeforeEach
  void makeRecipe() {
    Path images = TinyRuns.images(folder.resolve("images"));
    recipe = TinyRuns.recipe(images, "method.name=peer-aid", PEER);
  }

  @Test
  void studentAndPeerBeginApart() {
    try (RunFolder out = RunFolder.open(folder.resolve("run"), false);
        Scope run = Scope.open("run");
        Session session = new Session(Recipe.from(recipe), out, Device.CPU, run)) {
      Map<String, Tensor> peer = session.method.parameters();
      assertEquals(session.student.parameters().size(), peer.size());
      session
          .student
          .parameters()
          .forEach(
              (name, own) -> {
                Tensor theirs = peer.get("peer." + name);
                assertTrue(theirs.requiresGrad(), name);
                boolean drawn = own.dim() > 1 || name.equals("fc.bias");
                boolean same = Arrays.equals(own.toFloats(), theirs.toFloats());
                assertEquals(!drawn, same, name);
              });
    }
  }

  @Test
  void thePeerTrainsAndIsSaved() {
    Path out = folder.resolve("run");
    TinyRuns.run(recipe, out, 1, new RecordingListener());
    Map<String, float[]> first = saved(out);
    TinyRuns.run(recipe, out, 2, new RecordingListener());
    Map<String, float[]> second = saved(out);
    first.forEach(
        (name, values) -> {
          assertTrue(second.containsKey(name), name);
          assertFalse(Arrays.equals(values, second.get(name)), name);
        });
    assertTrue(first.containsKey("method/peer.conv1.weight"));
    assertTrue(first.containsKey("method/peer.bn1.running_mean"));
    assertTrue(first.containsKey("optimizer/method/peer.fc.weight"), "its own momentum");
  }

  private static Map<String, float[]> saved(Path out) {
    Map<String, float[]> peer = new java.util.TreeMap<>();
    try (Scope _ = Scope.open("test");
        TensorFile file = TensorFile.read(out.resolve("last/state.safetensors"))) {
      file.tensors()
          .forEach(
              (name, tensor) -> {
                if (name.contains("method/peer.") && tensor.dtype().isFloatingPoint()) {
                  peer.put(name, tensor.toFloats());
                }
              });
    }
    return peer;
  }

  /** The released code's settings; see the recipes' descriptions. */
  @ParameterizedTest
  @ValueSource(strings = {"cifar10", "cifar100", "tiny-imagenet"})
  void papersSettingsAreTheirs(String data) {
    Recipe recipe = Recipe.from(Recipes.load("peer-aid-%s-resnet18".formatted(data)));
    boolean tiny = data.startsWith("tiny");
    assertEquals(tiny ? 200 : 300, recipe.epochs);
    // the rate falls, and the average begins, at epoch 214 or 99 counted from 0
    int drop = tiny ? 99 : 214;
    assertEquals(1, recipe.schedule.factor(drop - 1, 1, recipe.epochs));
    assertEquals(0.1, recipe.schedule.factor(drop, 1, recipe.epochs), 1e-15);
    assertEquals(drop + 1, recipe.average.startEpoch());
    assertEquals(Average.Kind.SWA, recipe.average.kind());
    assertEquals(bridge.attack.Start.GAUSSIAN, recipe.attack().start());
    assertEquals(1, recipe.teachers.size());
    assertEquals(Teacher.Role.PEER, recipe.teachers.get(0).role());
  }
}
