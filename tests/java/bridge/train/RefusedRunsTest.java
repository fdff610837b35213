package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a trainer refuses before the first step, and what that leaves behind. */
final class RefusedRunsTest extends TinyRunTest {
  private String refused(String... sets) {
    var e =
        assertThrows(
            UsageException.class,
            () -> TinyRuns.run(TinyRuns.recipe(images, sets), out, 1, new RecordingListener()));
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertFalse(Files.exists(out), "nothing is left of a run that never began");
    return e.getMessage();
  }

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
    assertTrue(
        refused("method.name=sa-mdrad")
            .contains("takes one or more finished teachers, found none"));
    assertTrue(refused("method.name=pgd-at", TEACHERS).contains("takes no teachers, found 2"));
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
    TinyRuns.run(TinyRuns.recipe(images, "method.name=standard"), out, 1, new RecordingListener());
    Set<String> before = files(out);
    var e = assertThrows(UsageException.class, () -> RunFolder.open(out, false));
    assertTrue(e.getMessage().contains("already holds a run; continue it with --resume"));
    assertEquals(before, files(out));
  }

  @Test
  void aSecondTrainerInTheFolderIsRefused() {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    RecordingListener recorded =
        new RecordingListener() {
          @Override
          public void step(Step step) {
            super.step(step);
            var e = assertThrows(UsageException.class, () -> RunFolder.open(out, true));
            assertTrue(e.getMessage().startsWith("run folder " + out + " is in use"));
          }
        };
    TinyRuns.run(recipe, out, 2, recorded);
    assertEquals(2, recorded.steps.size());
    RunFolder again = RunFolder.open(out, true); // free again
    again.close();
    again.close();
  }

  @Test
  void aFolderThatWasThereStaysThere() throws IOException {
    Files.createDirectories(out);
    assertThrows(
        UsageException.class,
        () ->
            TinyRuns.run(
                TinyRuns.recipe(images, "method.name=sa-mdrad"), out, 1, new RecordingListener()));
    assertTrue(Files.isDirectory(out));
    assertEquals(Set.of(".lock"), files(out));
  }
}
