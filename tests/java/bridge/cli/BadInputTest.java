package bridge.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import bridge.torch.Natives;
import bridge.train.RunFolder;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a user gets wrong: one line on stderr, the right status, nothing left behind. */
class BadInputTest {
  private static final int RUNNING = 1;
  private static final int WRONG = 2;
  private static final String TEACHER = "models/fmnist-vgg.pt";

  @TempDir Path folder;
  private Path run;

  @BeforeEach
  void names() {
    run = folder.resolve("run");
    System.setProperty("bridge.cache", folder.resolve("cache").toString());
  }

  @AfterEach
  void forgetCache() {
    System.clearProperty("bridge.cache");
  }

  private static void refused(int status, String message, String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals("", ran.out(), "stdout");
    assertTrue(ran.err().startsWith("bridge: "), ran.err());
    assertEquals(1, ran.err().lines().count(), ran.err());
    assertTrue(ran.err().contains(message), () -> "expected " + message + "\nfound " + ran.err());
    assertFalse(ran.err().contains("internal error"), ran.err());
    assertEquals(status, ran.status(), ran.err());
  }

  /** A run of the smallest kind, but for what the test sets. */
  private String[] train(String recipe, String... more) {
    List<String> args =
        new ArrayList<>(List.of("train", recipe, "--out", run.toString(), "--threads", "1"));
    for (String set :
        List.of(
            "student.model=resnet8:width=4,stride=2",
            "teachers=[{\"model\":\"" + TEACHER + "\"}]",
            "batch=250")) {
      args.addAll(List.of("--set", set));
    }
    args.addAll(Arrays.asList(more));
    return args.toArray(String[]::new);
  }

  private void refusedRun(int status, String message, String... more) {
    refused(status, message, train("quickstart", more));
    assertFalse(Files.exists(run), "the run folder remains");
  }

  private static String[] evaluate(String model, String data, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("evaluate", "--model", model, "--data", data, "--threads=1", "--limit=10"));
    args.addAll(Arrays.asList(more));
    return args.toArray(String[]::new);
  }

  private Path file(String name, String text) {
    try {
      return Files.writeString(folder.resolve(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void commandLine() {
    refused(WRONG, "'trian'; did you mean train?", "trian");
    refused(WRONG, "'--ouut=x'; did you mean --out?", "train", "quickstart", "--ouut=x");
    refused(WRONG, "Missing required parameter: 'RECIPE'; see bridge train --help", "train");
    refused(WRONG, "Missing required option", "evaluate", "--model", TEACHER);
    refused(WRONG, "'two' is not a", "train", "quickstart", "--max-steps", "two");
    refused(WRONG, "Missing required subcommand; see bridge data --help", "data");
    refused(WRONG, "did you mean quickstart?", "recipes", "quickstrat");
    refused(WRONG, "no built-in recipe has rslad and cifar7", "recipes", "rslad", "cifar7");
    String[] none = {"train", "quickstart", "--threads=0", "--out", run.toString()};
    refused(WRONG, "--threads must be 1 or more, found 0", none);
    refusedRun(WRONG, "--max-steps must be 1 or more, found -3", "--max-steps=-3");
    refusedRun(WRONG, "--set takes PATH=VALUE, found epochs", "--set", "epochs");
    refusedRun(WRONG, "device must be auto, cpu, cuda or cuda:INDEX", "--device", "gpu");
  }

  @Test
  void cudaInTheProcessorsBuild() {
    assumeFalse(Natives.isCudaBuild(), "this is the CUDA build");
    refusedRun(WRONG, "device cuda is not there: this is the CPU build", "--device", "cuda");
    refused(
        WRONG,
        "device cuda:1 is not there",
        evaluate(TEACHER, "fashion-mnist-mini", "--device", "cuda:1"));
  }

  @Test
  void recipes() {
    refused(WRONG, "recipe none.json is neither a file nor built in", train("none.json"));
    refused(WRONG, "did you mean quickstart?", train("quickstrat"));
    refused(WRONG, "is not a JSON object", train(file("a.json", "{\"name\": \"a\",").toString()));
    refused(WRONG, "is not a JSON object", train(file("b.json", "[1]").toString()));
    refused(WRONG, "is not a JSON object", train(file("c.json", "{} {}").toString()));
    refused(WRONG, "name is missing", train(file("d.json", "{}").toString()));
    refused(WRONG, "neither a file nor built in", train(folder.toString()));
    assertFalse(Files.exists(run), "the run folder remains");
    refusedRun(
        WRONG, "unknown key attack.epsilonn; did you mean epsilon?", set("attack.epsilonn=1"));
    refusedRun(WRONG, "unknown key colour", set("colour=red"));
    refusedRun(WRONG, "unknown key method.ruin", set("method.ruin=1"));
    refusedRun(
        WRONG, "unknown method sa-mdrat; did you mean sa-mdrad?", set("method.name=sa-mdrat"));
    refusedRun(WRONG, "unknown attack pdg20; did you mean pgd20?", set("evaluate.attacks=pdg20"));
    refusedRun(WRONG, "epochs must be", set("epochs=0"));
    refusedRun(WRONG, "precision must be one of FLOAT32", set("precision=float16"));
    refusedRun(
        WRONG, "select.validation must be less than the 5000", set("select.validation=5000"));
  }

  private static String[] set(String assignment) {
    return new String[] {"--set", assignment};
  }

  @Test
  void epsilonOfEight() {
    refusedRun(
        WRONG, "attack.epsilon must be a number from 0 to 1, found 8", set("attack.epsilon=8"));
    refused(
        WRONG,
        "epsilon must be from 0 to 1 for LINF, found 8.0; write 8/255",
        evaluate(TEACHER, "fashion-mnist-mini", "--eps", "8"));
    refused(
        WRONG,
        "--eps must be a number such as 8/255, found x",
        evaluate(TEACHER, "fashion-mnist-mini", "--eps", "x"));
  }

  @Test
  void models() throws IOException {
    refusedRun(WRONG, "file none.pth does not exist", set("teachers[0].model=resnet8@none.pth"));
    refusedRun(
        WRONG,
        "model ./none.pt: file ./none.pt does not exist",
        set("teachers[0].model=./none.pt"));
    refusedRun(WRONG, "did you mean resnet8?", set("student.model=resent8"));
    refusedRun(WRONG, "is a folder", set("teachers[0].model=./models"));
    refusedRun(WRONG, "unknown key model resnet8.depth", set("student.model=resnet8:depth=3"));
    byte[] whole = Files.readAllBytes(Path.of(TEACHER));
    Path half = Files.write(folder.resolve("half.pt"), Arrays.copyOf(whole, whole.length / 2));
    Path noise = file("noise.pt", "x".repeat(1000));
    for (Path damaged : List.of(half, noise)) {
      refusedRun(RUNNING, damaged.toString(), set("teachers[0].model=" + damaged));
      refused(RUNNING, damaged.toString(), evaluate(damaged.toString(), "fashion-mnist-mini"));
    }
    Path pth = Path.of("models/fmnist-vgg.pth");
    byte[] weights = Files.readAllBytes(pth);
    Path cut = Files.write(folder.resolve("cut.pth"), Arrays.copyOf(weights, weights.length / 2));
    refused(RUNNING, cut.toString(), evaluate("resnet8@" + cut, "fashion-mnist-mini"));
    refused(RUNNING, pth.toString(), evaluate("resnet8@" + pth, "fashion-mnist-mini"));
    refused(WRONG, "", evaluate(TEACHER, "fashion-mnist-mini", "--mean", "0.1,0.2"));
  }

  @Test
  void teacherOfOtherClasses() throws IOException {
    Path data = images(28, 28, "cat", "dog", "emu");
    String set = "data=image-folder:" + data;
    refusedRun(
        WRONG, "says 1 channels, but the data has 3", "--set", set, "--set", "select.validation=1");
    Path bare = Files.copy(Path.of(TEACHER), folder.resolve("bare.pt"));
    refusedRun(
        WRONG,
        "the data's images [2, 3, 28, 28]",
        "--set",
        set,
        "--set",
        "select.validation=1",
        "--set",
        "teachers=[{\"model\":\"" + bare + "\"}]");
    refusedRun(
        WRONG, "resnet8.classes is 5, but the data has 10", set("student.model=resnet8:classes=5"));
  }

  /** Three training and two test images of each class. */
  private Path images(int width, int height, String... classes) throws IOException {
    Path data = folder.resolve("images");
    for (String name : classes) {
      for (String place : List.of("train/1", "train/2", "train/3", "test/1", "test/2")) {
        String[] parts = place.split("/");
        Path file = data.resolve(parts[0]).resolve(name).resolve(parts[1] + ".png");
        Files.createDirectories(file.getParent());
        ImageIO.write(
            new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB), "png", file.toFile());
      }
    }
    return data;
  }

  @Test
  void images() throws IOException {
    String set = "data=image-folder:" + images(20, 24, "cat", "dog");
    refusedRun(
        WRONG, "images must be square, found 24×20", "--set", set, "--set", "select.validation=1");
    refused(
        WRONG,
        "images must be square",
        evaluate(TEACHER, "image-folder:" + folder.resolve("images")));
    Path other = folder.resolve("images/train/dog/2.png");
    ImageIO.write(new BufferedImage(9, 9, BufferedImage.TYPE_INT_RGB), "png", other.toFile());
    refusedRun(RUNNING, other.toString(), "--set", set, "--set", "select.validation=1");
    refused(RUNNING, other.toString(), "data", "check", "image-folder:" + folder.resolve("images"));
    Files.write(other, "no image".getBytes(UTF_8));
    refused(RUNNING, other.toString(), "data", "check", "image-folder:" + folder.resolve("images"));
  }

  @Test
  void aModelWithoutWeightsIsNotEvaluated() {
    refused(WRONG, "write resnet8@CHECKPOINT", evaluate("resnet8", "fashion-mnist-mini"));
  }

  @Test
  void dataThatIsNotThere() {
    String missing = folder.resolve("missing").toString();
    refusedRun(WRONG, "no such file or folder", set("data=cifar10:" + missing));
    refusedRun(WRONG, missing, set("data=mnist:" + missing));
    refusedRun(WRONG, "unknown data set cifar11; did you mean cifar10?", set("data=cifar11:/x"));
    refusedRun(WRONG, "cifar10 needs a path", set("data=cifar10"));
    refused(WRONG, "no such file or folder", "data", "check", "tiny-imagenet:" + missing);
    refused(WRONG, "no such file or folder", evaluate(TEACHER, "image-folder:" + missing));
  }

  @Test
  void testImagesOfAnotherSizeAreFoundBeforeTraining() throws IOException {
    Path data = images(28, 28, "cat", "dog");
    try (Stream<Path> files = Files.walk(data.resolve("test"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        ImageIO.write(new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB), "png", file.toFile());
      }
    }
    refusedRun(
        WRONG,
        "the test images are 20×20, the training images 28×28",
        "--set",
        "data=image-folder:" + data,
        "--set",
        "select.validation=1",
        "--set",
        "teachers=[]",
        "--set",
        "method={\"name\":\"pgd-at\"}");
  }

  @Test
  void foldersThatCannotBe() throws IOException {
    Path file = file("file", "");
    for (Path out : List.of(file, file.resolve("below/it"), Path.of("/proc/bridge-run"))) {
      run = out;
      refused(WRONG, "run folder " + out + " cannot be written", train("quickstart"));
    }
    refused(
        WRONG,
        "there is no folder " + folder.resolve("missing"),
        evaluate(TEACHER, "fashion-mnist-mini", "--json", folder + "/missing/x.json"));
    refused(
        WRONG, "is a folder", evaluate(TEACHER, "fashion-mnist-mini", "--json", folder.toString()));
    assertEquals("", Files.readString(file));
  }

  @Test
  void folderThatMayNotBeWritten() throws IOException {
    Path closed = Files.createDirectory(folder.resolve("closed"));
    assertTrue(closed.toFile().setWritable(false));
    try {
      assumeFalse(Files.isWritable(closed), "this user may write everywhere");
      run = closed.resolve("run");
      refusedRun(WRONG, "cannot be written");
      run = closed;
      refused(WRONG, "cannot be written", train("quickstart"));
      refused(
          WRONG,
          "cannot be written",
          evaluate(TEACHER, "fashion-mnist-mini", "--json", closed + "/x.json"));
    } finally {
      assertTrue(closed.toFile().setWritable(true));
    }
  }

  @Test
  void runFolderInUse() {
    try (RunFolder _ = RunFolder.open(run, false)) {
      refused(WRONG, "is in use by another process", train("quickstart", "--resume"));
    }
  }

  @Test
  void resumingAnotherRecipe() throws IOException {
    String[] begin = train("quickstart", "--max-steps", "1", "--set", "attack.steps=1");
    assertEquals(0, Console.run(begin).status());
    byte[] recipe = Files.readAllBytes(run.resolve("recipe.json"));
    refused(WRONG, "already holds a run; continue it with --resume", begin);
    refused(
        WRONG,
        "made with another recipe: attack.steps was 1, now 2",
        train("quickstart", "--resume", "--max-steps", "2", "--set", "attack.steps=2"));
    assertEquals(new String(recipe, UTF_8), Files.readString(run.resolve("recipe.json")));
    Files.writeString(run.resolve("last/state.safetensors"), "x");
    refused(
        RUNNING,
        run.resolve("last/state.safetensors").toString(),
        train("quickstart", "--resume", "--max-steps", "2", "--set", "attack.steps=1"));
  }
}
