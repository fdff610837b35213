package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.checkpoint.TensorFile;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Losses that are no finite numbers: the run ends, and no file holds any. */
final class DivergenceTest extends TinyRunTest {
  private static final String[] RUNAWAY = {
    "method.name=standard",
    "optimizer={\"learningRate\": 20, \"weightDecay\": 1}",
    "schedule.name=CONSTANT"
  };

  @Test
  void aLossThatIsNoNumberEndsTheRunAndTheLastGoodStateStays() {
    JsonObject recipe = TinyRuns.recipe(images, RUNAWAY);
    Recipes.set(recipe, "epochs=9");
    var e =
        assertThrows(
            TrainingException.class,
            () -> TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener()));
    assertTrue(e.getMessage().contains("is no finite number at epoch "), e.getMessage());
    assertTrue(e.getMessage().contains("optimizer.learningRate"), e.getMessage());
    assertTrue(
        e.getMessage()
            .endsWith("the last good state is in " + out.resolve("last/state.safetensors")),
        e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
    assertAllFinite();
  }

  /** Wherever it stops: neither the state nor a student ever holds a NaN. */
  @Test
  void whatIsSavedIsAlwaysFinite() {
    JsonObject recipe = TinyRuns.recipe(images, RUNAWAY);
    Recipes.set(recipe, "epochs=9");
    boolean ended = false;
    for (int at = 1; at <= 9 * TinyRuns.STEPS_PER_EPOCH && !ended; at++) {
      try {
        TinyRuns.run(recipe, out, at, new RecordingListener());
      } catch (TrainingException e) {
        ended = true;
      }
      assertAllFinite();
    }
    assertTrue(ended);
  }

  private void assertAllFinite() {
    try (Scope _ = Scope.open("test")) {
      try (TensorFile state = TensorFile.read(out.resolve("last/state.safetensors"))) {
        state.tensors().forEach(DivergenceTest::assertFinite);
      }
      for (String file : List.of("best.pth", "last.pth")) {
        if (Files.exists(out.resolve(file))) {
          try (StateDict student = Checkpoints.read(out.resolve(file))) {
            student.tensors().forEach(DivergenceTest::assertFinite);
          }
        }
      }
    }
  }

  private static void assertFinite(String name, Tensor t) {
    if (t.dtype().isFloatingPoint()) {
      assertEquals(0, t.isFinite().logicalNot().sum().itemLong(), name);
    }
  }
}
