package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.checkpoint.TensorFile;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The loop, and what it leaves behind. */
final class TrainerTest extends TinyRunTest {
  /** The other files of a run folder are the command's: log, metrics, events, report. */
  @Test
  void aRunLeavesItsFilesAndNoOthers() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=pgd-at");
    var ran = TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    assertEquals(Trainer.Outcome.FINISHED, ran.outcome());
    assertEquals(
        Set.of(
            ".lock",
            "recipe.json",
            "last/state.safetensors",
            "best.pth",
            "best.json",
            "last.pth",
            "last.json"),
        files(out));
    try (Scope _ = Scope.open("card")) {
      Network named =
          Models.build(
              ModelSpec.parse(out.resolve("best.pth").toString()),
              1,
              10,
              28,
              Normalisation.NONE,
              new Seeds(1),
              Device.CPU);
      assertEquals(out.resolve("best.pth").toString(), named.name());
    }
    assertEquals(
        List.of("best.pth", "last.pth"),
        ran.students().stream().map(EvaluatedStudent::file).toList());
    ran.students()
        .forEach(
            e -> {
              assertEquals(
                  List.of("clean", "fgsm"), e.results().stream().map(r -> r.attack()).toList());
              e.results().forEach(r -> assertEquals(12, r.images()));
            });
  }

  @Test
  void lastStudentIsTheStatesStudent() {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    try (Scope _ = Scope.open("test");
        TensorFile state = TensorFile.read(out.resolve("last/state.safetensors"));
        StateDict last = Checkpoints.read(out.resolve("last.pth"))) {
      assertTrue(last.tensors().containsKey("layer3.0.downsample.1.running_var"));
      last.tensors()
          .forEach(
              (name, t) ->
                  assertEquals(
                      0, t.ne(state.tensors().get("student/" + name)).sum().itemLong(), name));
    }
  }

  @Test
  void averagedStudentsAreWrittenAndTheTrainedOneGoesOn() {
    JsonObject recipe =
        TinyRuns.recipe(images, "method.name=standard", "average={\"name\": \"EMA\"}");
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    try (Scope _ = Scope.open("test");
        TensorFile state = TensorFile.read(out.resolve("last/state.safetensors"));
        StateDict last = Checkpoints.read(out.resolve("last.pth"))) {
      Map<String, Tensor> saved = state.tensors();
      Tensor stem = last.tensors().get("conv1.weight");
      assertEquals(0, stem.ne(saved.get("average/conv1.weight")).sum().itemLong());
      assertTrue(stem.ne(saved.get("student/conv1.weight")).sum().itemLong() > 0);
    }
  }

  @Test
  void lossTermsAddUpAndTheEpochsAreTheStepsMean() {
    RecordingListener recorded = new RecordingListener();
    TinyRuns.run(
        TinyRuns.recipe(images, "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 2}", TEACHERS),
        out,
        Long.MAX_VALUE,
        recorded);
    assertEquals(Set.of("total", "adv", "nat", "ce"), recorded.losses.get(0).keySet());
    assertEquals(
        Set.of("total", "adv", "nat", "ce", "featAdv", "featNat"),
        recorded.losses.get(TinyRuns.STEPS_PER_EPOCH).keySet());
    for (Map<String, Double> loss : recorded.losses) {
      double sum = loss.values().stream().mapToDouble(v -> v).sum() - loss.get("total");
      assertEquals(loss.get("total"), sum, 1e-5 * sum);
    }
    double mean = 0; // 54 images: six batches of 8, one of 6
    for (int i = 0; i < TinyRuns.STEPS_PER_EPOCH; i++) {
      mean += recorded.losses.get(i).get("total") * (i < 6 ? 8 : 6) / 54;
    }
    assertEquals(mean, recorded.epochLosses.get(0).get("total"), 1e-9);
    assertTrue(recorded.epochs.get(0).contains("fmnist-vgg.weight"), recorded.epochs.get(0));
  }

  @Test
  void withoutHeldOutImagesTheLastStudentIsTheBest() throws IOException {
    JsonObject recipe =
        TinyRuns.recipe(images, "method.name=standard", "select.validation=0", "epochs=1");
    var ran = TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    assertEquals(-1, Files.mismatch(out.resolve("best.pth"), out.resolve("last.pth")));
    assertEquals(ran.students().get(0).results(), ran.students().get(1).results());
  }

  @Test
  void aTorchScriptStudentTrains() {
    RecordingListener recorded = new RecordingListener();
    TinyRuns.run(
        TinyRuns.recipe(
            images,
            "student.model=models/fmnist-resnet.pt",
            "method.name=pgd-at",
            "epochs=3",
            "augment={}",
            "optimizer.learningRate=0.02"),
        out,
        Long.MAX_VALUE,
        recorded);
    double first = recorded.epochLosses.get(0).get("total");
    double last = recorded.epochLosses.get(2).get("total");
    assertTrue(last < 0.9 * first, "loss from %f to %f".formatted(first, last));
    try (Scope _ = Scope.open("test");
        StateDict best = Checkpoints.read(out.resolve("best.pth"));
        StateDict teacher = Checkpoints.read(Path.of("models/fmnist-resnet.pt"))) {
      assertEquals(teacher.tensors().keySet(), best.tensors().keySet());
    }
  }
}
