package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.checkpoint.TensorFile;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import bridge.train.TinyRuns.Heard;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The loop: what it leaves behind, what it refuses, and that it keeps no memory. */
final class TrainerTest {
  private static final String TEACHERS =
      "teachers=[{\"model\": \"models/fmnist-resnet.pt\"}, {\"model\": \"models/fmnist-vgg.pt\"}]";

  @TempDir Path folder;
  private Path images;
  private Path out;

  @BeforeEach
  void writeImages() {
    images = TinyRuns.images(folder.resolve("images"));
    out = folder.resolve("run");
  }

  private String refused(String... sets) {
    var e =
        assertThrows(
            UsageException.class,
            () -> TinyRuns.run(TinyRuns.recipe(images, sets), out, 1, new Heard()));
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertFalse(Files.exists(out), "nothing is left of a run that never began");
    return e.getMessage();
  }

  private static Set<String> files(Path folder) throws IOException {
    Set<String> names = new TreeSet<>();
    try (var all = Files.walk(folder)) {
      all.filter(Files::isRegularFile)
          .forEach(file -> names.add(folder.relativize(file).toString()));
    }
    return names;
  }

  // ---- what a run leaves ---------------------------------------------------------------------

  /** The other files of a run folder are the command's: log, metrics, events, report. */
  @Test
  void aRunLeavesItsFilesAndNoOthers() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=pgd-at");
    var ran = TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard());
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
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard());
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
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard());
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
    Heard heard = new Heard();
    TinyRuns.run(
        TinyRuns.recipe(images, "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 2}", TEACHERS),
        out,
        Long.MAX_VALUE,
        heard);
    assertEquals(Set.of("total", "adv", "nat", "ce"), heard.losses.get(0).keySet());
    assertEquals(
        Set.of("total", "adv", "nat", "ce", "featAdv", "featNat"),
        heard.losses.get(TinyRuns.STEPS_PER_EPOCH).keySet());
    for (Map<String, Double> loss : heard.losses) {
      double sum = loss.values().stream().mapToDouble(v -> v).sum() - loss.get("total");
      assertEquals(loss.get("total"), sum, 1e-5 * sum);
    }
    double mean = 0; // 54 images: six batches of 8, one of 6
    for (int i = 0; i < TinyRuns.STEPS_PER_EPOCH; i++) {
      mean += heard.losses.get(i).get("total") * (i < 6 ? 8 : 6) / 54;
    }
    assertEquals(mean, heard.epochLosses.get(0).get("total"), 1e-9);
    assertTrue(heard.epochs.get(0).contains("fmnist-vgg.weight"), heard.epochs.get(0));
  }

  @Test
  void withoutHeldOutImagesTheLastStudentIsTheBest() throws IOException {
    JsonObject recipe =
        TinyRuns.recipe(images, "method.name=standard", "select.validation=0", "epochs=1");
    var ran = TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard());
    assertEquals(-1, Files.mismatch(out.resolve("best.pth"), out.resolve("last.pth")));
    assertEquals(ran.students().get(0).results(), ran.students().get(1).results());
  }

  @Test
  void aTorchScriptStudentTrains() {
    Heard heard = new Heard();
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
        heard);
    double first = heard.epochLosses.get(0).get("total");
    double last = heard.epochLosses.get(2).get("total");
    assertTrue(last < 0.9 * first, "loss from %f to %f".formatted(first, last));
    try (Scope _ = Scope.open("test");
        StateDict best = Checkpoints.read(out.resolve("best.pth"));
        StateDict teacher = Checkpoints.read(Path.of("models/fmnist-resnet.pt"))) {
      assertEquals(teacher.tensors().keySet(), best.tensors().keySet());
    }
  }

  // ---- what is refused -----------------------------------------------------------------------

  @Test
  void aTeacherOfOtherClassesIsRefused() {
    Path golden = Path.of(System.getProperty("golden"), "train", "teacher-100.pt");
    Path cifar = TinyRuns.cifar(folder.resolve("cifar"), 10, 4);
    String message =
        refused(
            "data=cifar10:" + cifar,
            "method.name=sa-mdrad",
            "teachers=[{\"model\": \"%s\"}]".formatted(golden));
    assertEquals(
        "TorchScript file %s gives 100 classes, the data has 10".formatted(golden), message);
  }

  @Test
  void wrongRecipesLeaveNothingBehind() {
    assertTrue(
        refused("method={\"name\": \"pgd-at\", \"beta\": 6}")
            .startsWith("unknown key method.beta"));
    assertTrue(
        refused("method.name=pgdat").startsWith("unknown method pgdat; did you mean pgd-at?"));
    assertTrue(refused("method.name=sa-mdrad").contains("needs at least one teacher"));
    assertTrue(refused("method.name=pgd-at", TEACHERS).contains("uses no teachers, found 2"));
    assertEquals(
        "select.validation must be less than the 64 training images, found 64",
        refused("method.name=standard", "select.validation=64"));
    assertTrue(refused("method.name=standard", "data=cifar11:x").startsWith("unknown data set"));
    assertTrue(refused("method.name=standard", "student.model=resnet9").contains("resnet9"));
  }

  /** Not after days of training. */
  @Test
  void missingTestImagesAreSeenAtTheBeginning() throws IOException {
    Files.delete(images.resolve("t10k-labels-idx1-ubyte"));
    assertTrue(refused("method.name=standard").contains("t10k-labels"));
  }

  @Test
  void aFolderThatCannotBeWrittenIsRefusedInOneLine() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "x");
    out = file.resolve("run");
    String message = refused("method.name=standard");
    assertTrue(message.startsWith("run folder " + out + " cannot be written"), message);
    assertEquals("x", Files.readString(file));
  }

  @Test
  void aFolderThatIsAFileIsRefused() throws IOException {
    out = Files.writeString(folder.resolve("file"), "x");
    var e = assertThrows(UsageException.class, () -> RunFolder.open(out, false));
    assertTrue(e.getMessage().startsWith("run folder " + out + " cannot be"), e.getMessage());
  }

  @Test
  void aFolderWithARunIsNotOverwritten() throws IOException {
    TinyRuns.run(TinyRuns.recipe(images, "method.name=standard"), out, 1, new Heard());
    Set<String> before = files(out);
    var e = assertThrows(UsageException.class, () -> RunFolder.open(out, false));
    assertTrue(e.getMessage().contains("already holds a run; continue it with --resume"));
    assertEquals(before, files(out));
  }

  @Test
  void aSecondTrainerInTheFolderIsRefused() {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    Heard heard =
        new Heard() {
          @Override
          public void step(Step step) {
            super.step(step);
            var e = assertThrows(UsageException.class, () -> RunFolder.open(out, true));
            assertTrue(e.getMessage().startsWith("run folder " + out + " is in use"));
          }
        };
    TinyRuns.run(recipe, out, 2, heard);
    assertEquals(2, heard.steps.size());
    RunFolder again = RunFolder.open(out, true); // free again
    again.close();
    again.close();
  }

  @Test
  void aFolderThatWasThereStaysThere() throws IOException {
    Files.createDirectories(out);
    assertThrows(
        UsageException.class,
        () -> TinyRuns.run(TinyRuns.recipe(images, "method.name=sa-mdrad"), out, 1, new Heard()));
    assertTrue(Files.isDirectory(out));
    assertEquals(Set.of(".lock"), files(out));
  }

  // ---- divergence ----------------------------------------------------------------------------

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
            TrainingException.class, () -> TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard()));
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
        TinyRuns.run(recipe, out, at, new Heard());
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
        state.tensors().forEach(TrainerTest::assertFinite);
      }
      for (String file : List.of("best.pth", "last.pth")) {
        if (Files.exists(out.resolve(file))) {
          try (StateDict student = Checkpoints.read(out.resolve(file))) {
            student.tensors().forEach(TrainerTest::assertFinite);
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

  // ---- memory --------------------------------------------------------------------------------

  @Test
  void aRunLeavesNothingAlive() {
    JsonObject recipe =
        TinyRuns.recipe(
            images,
            "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1}",
            TEACHERS,
            "average={\"name\": \"EMA\"}",
            "epochs=1");
    TinyRuns.run(recipe, folder.resolve("warm"), Long.MAX_VALUE, new Heard());
    long before = Scope.alive();
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new Heard());
    assertEquals(before, Scope.alive());
    Recipes.set(recipe, "method.name=mdrad");
    assertThrows(
        UsageException.class, () -> TinyRuns.run(recipe, folder.resolve("wrong"), 1, new Heard()));
    assertEquals(before, Scope.alive());
  }

  @Test
  void stepsAndEpochsLeaveNothingAlive() {
    List<Long> alive = new ArrayList<>();
    Heard heard =
        new Heard() {
          @Override
          public void step(Step step) {
            super.step(step);
            alive.add(Scope.alive());
          }
        };
    TinyRuns.run(
        TinyRuns.recipe(
            images,
            "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1}",
            TEACHERS,
            "average={\"name\": \"SWA\"}",
            "epochs=3"),
        out,
        Long.MAX_VALUE,
        heard);
    // from the second step on, when momentum, sums and the like are there, all steps are alike
    Set<Long> after = new TreeSet<>(alive.subList(1, alive.size()));
    assertEquals(1, after.size(), alive.toString());
  }

  /**
   * The virtual machine's own heap and compiled code grow too, now and then by 20 MB where the
   * whole suite shares one process, but not in every window; a batch of 25 kB kept at every step
   * makes 12.5 MB in each.
   */
  @Test
  @Tag("slow")
  void residentMemoryIsFlatOverFiveHundredSteps() {
    int warm = 100;
    int window = 500;
    int windows = 4;
    List<Long> resident = new ArrayList<>();
    Heard heard =
        new Heard() {
          @Override
          public void step(Step step) {
            if (step.step() >= warm && (step.step() - warm) % window == 0) {
              resident.add(Natives.residentBytes());
            }
          }
        };
    TinyRuns.run(
        TinyRuns.recipe(images, "method.name=pgd-at", "epochs=1000", "select.every=1000"),
        out,
        warm + windows * window,
        heard);
    assertEquals(windows + 1, resident.size());
    long growth =
        IntStream.range(0, windows)
            .mapToLong(w -> resident.get(w + 1) - resident.get(w))
            .min()
            .orElseThrow();
    assertTrue(growth < 8_000_000, "grew by %d bytes or more, from %s".formatted(growth, resident));
  }
}
