package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Factors of the learning rate, by hand and as PyTorch's schedulers give them at epoch borders. */
final class ScheduleTest {
  private static final int STEPS = 7;

  private static Schedule schedule(String json) {
    return Schedule.from(new Options("schedule", JsonParser.parseString(json).getAsJsonObject()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          multi-step  | {name: MULTI_STEP, milestones: [3, 4, 8], gamma: 0.2}
          cosine      | {name: COSINE}
          cosine-last | {name: COSINE, last: 0.05}
          """)
  void epochBordersAreAsInPyTorch(String golden, String json) throws IOException {
    Path file = Path.of(System.getProperty("golden"), "train", "schedules.json");
    JsonObject made = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    JsonArray expected = made.getAsJsonArray(golden);
    Schedule schedule = schedule(json);
    for (int epoch = 0; epoch < expected.size(); epoch++) {
      assertEquals(
          expected.get(epoch).getAsDouble(),
          schedule.factor((long) epoch * STEPS, STEPS, made.get("epochs").getAsInt()),
          1e-12,
          golden + " after " + epoch + " epochs");
    }
  }

  @Test
  void milestonesActFromTheFirstStepOfTheNextEpoch() {
    Schedule schedule = schedule("{name: MULTI_STEP, milestones: [2, 4], gamma: 0.1}");
    assertEquals(1, schedule.factor(2 * STEPS - 1, STEPS, 6));
    assertEquals(0.1, schedule.factor(2 * STEPS, STEPS, 6));
    assertEquals(0.1, schedule.factor(4 * STEPS - 1, STEPS, 6));
    assertEquals(0.01, schedule.factor(4 * STEPS, STEPS, 6), 1e-15);
  }

  @Test
  void cosineFallsStepByStep() {
    Schedule schedule = schedule("{name: COSINE, last: 0.2}");
    assertEquals(1, schedule.factor(0, STEPS, 4));
    assertEquals(0.6, schedule.factor(2 * STEPS, STEPS, 4), 1e-12);
    double before = 1;
    for (int step = 1; step < 4 * STEPS; step++) {
      double factor = schedule.factor(step, STEPS, 4);
      assertTrue(factor < before && factor > 0.2, step + ": " + factor);
      before = factor;
    }
    assertEquals(0.2, schedule.factor(4 * STEPS, STEPS, 4), 1e-12);
  }

  @Test
  void warmUpRisesLinearlyToTheFullRate() {
    Schedule schedule = schedule("{name: CONSTANT, warmupEpochs: 2}");
    for (int step = 0; step < 2 * STEPS; step++) {
      assertEquals((step + 1) / 14.0, schedule.factor(step, STEPS, 5), 1e-12);
    }
    assertEquals(1, schedule.factor(2 * STEPS - 1, STEPS, 5));
    assertEquals(1, schedule.factor(2 * STEPS, STEPS, 5));
  }

  /** The cosine's half waits for the warm-up and still ends with the run. */
  @Test
  void cosineBeginsAfterTheWarmUp() {
    Schedule schedule = schedule("{name: COSINE, warmupEpochs: 1}");
    assertEquals(4 / 7.0, schedule.factor(3, STEPS, 5), 1e-12);
    assertEquals(1, schedule.factor(STEPS, STEPS, 5), 1e-12);
    assertEquals(0.5, schedule.factor(3 * STEPS, STEPS, 5), 1e-12);
    assertEquals(0, schedule.factor(5 * STEPS, STEPS, 5), 1e-12);
  }

  /** Half an epoch of 7 steps: the line reaches 1 in the middle of the fourth step. */
  @Test
  void warmUpMayEndInsideAnEpoch() {
    Schedule schedule = schedule("{name: CONSTANT, warmupEpochs: 0.5}");
    assertEquals(3 / 3.5, schedule.factor(2, STEPS, 5), 1e-12);
    assertEquals(4 / 3.5, schedule.factor(3, STEPS, 5), 1e-12);
    assertEquals(1, schedule.factor(4, STEPS, 5), 1e-12);
  }

  @Test
  void milestonesCountFromTheBeginningNotFromTheWarmUp() {
    Schedule schedule =
        schedule("{name: MULTI_STEP, milestones: [2], gamma: 0.1, warmupEpochs: 1}");
    assertEquals(1 / 7.0, schedule.factor(0, STEPS, 5), 1e-12);
    assertEquals(1, schedule.factor(STEPS, STEPS, 5));
    assertEquals(0.1, schedule.factor(2 * STEPS, STEPS, 5));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{name: MULTI_STEP}",
        "{name: MULTI_STEP, milestones: [3, 2]}",
        "{name: COSINE, milestones: [-1, 2]}"
      })
  void milestonesMustRise(String json) {
    var e = assertThrows(UsageException.class, () -> schedule(json));
    assertTrue(e.getMessage().startsWith("schedule.milestones must be epochs"), e.getMessage());
  }
}
