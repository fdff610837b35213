package bridge.cli;

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.launch.CudaLibraries;
import bridge.train.Recipes;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The commands, their options and their output, which others' scripts rely on. */
class CommandLineTest {
  /** A name may be added here; one that is taken away breaks somebody's script. */
  private static final Map<String, Set<String>> NAMES =
      Map.ofEntries(
          entry("", Set.of("--cuda-libs", "--debug", "--help", "-h", "--version", "-V")),
          entry(
              "train",
              Set.of(
                  "RECIPE",
                  "--out",
                  "--set",
                  "--resume",
                  "--device",
                  "--threads",
                  "--seed",
                  "--max-steps")),
          entry(
              "evaluate",
              Set.of(
                  "--model",
                  "--data",
                  "--attacks",
                  "--eps",
                  "--norm",
                  "--restarts",
                  "--surrogate",
                  "--limit",
                  "--batch",
                  "--seed",
                  "--mean",
                  "--std",
                  "--device",
                  "--gradients",
                  "--threads",
                  "--certify",
                  "--certify-draws",
                  "--certify-every",
                  "--state",
                  "--per-class",
                  "--json",
                  "--outcomes",
                  "--save-images",
                  "--picture",
                  "--beside")),
          entry(
              "bench",
              Set.of("RECIPE", "--set", "--steps", "--attack", "--device", "--threads", "--json")),
          entry("leaderboard", Set.of("RUN", "--sort", "--markdown", "--json", "--html")),
          entry("inspect", Set.of("FILE", "--under", "--write-card", "--json")),
          entry("convert", Set.of("IN", "OUT", "--arch", "--under")),
          entry("recipes", Set.of("NAME")),
          entry("data", Set.of()),
          entry("data check", Set.of("DATA", "--json")),
          entry("doctor", Set.of("--json")));

  @TempDir Path folder;

  private static void collect(String name, CommandLine command, Map<String, Set<String>> all) {
    var spec = command.getCommandSpec();
    Set<String> names = new TreeSet<>();
    spec.options().stream()
        .filter(o -> !o.inherited())
        .forEach(o -> names.addAll(List.of(o.names())));
    spec.positionalParameters().forEach(p -> names.add(p.paramLabel()));
    all.put(name, names);
    command
        .getSubcommands()
        .forEach((child, line) -> collect((name + " " + child).strip(), line, all));
  }

  private static String output(String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals("", ran.err());
    assertEquals(0, ran.status());
    return ran.out();
  }

  @Test
  void commandsAndOptionsAreFixed() {
    Map<String, Set<String>> found = new TreeMap<>();
    collect("", Main.commandLine(new Main()), found);
    Map<String, Set<String>> fixed = new TreeMap<>();
    NAMES.forEach((command, names) -> fixed.put(command, new TreeSet<>(names)));
    assertEquals(fixed, found);
  }

  @Test
  void helpSaysWhatThereIs() {
    String help =
        """
        Usage: bridge [-hV] [--debug] [--cuda-libs=DIRS] [COMMAND]
        Trains small image classifiers that hold against adversarial examples.
              --cuda-libs=DIRS   CUDA build: folders of CUDA, cuDNN, NCCL, ':' between
                                   (searched for).
              --debug            Shows stack traces and what the native libraries say.
          -h, --help             Shows this text.
          -V, --version          Shows the version.
        Commands:
          train        Trains a student by a recipe; Ctrl-C saves, --resume goes on.
          evaluate     Attacks a model over a data set's test images; prints a table of
                         accuracies.
          bench        Measures a recipe's training step by its stages, against what
                         the machine can do; needs no data set.
          leaderboard  Puts the evaluations of runs and models side by side.
          inspect      Says what is in a checkpoint and which architecture it fits;
                         nothing in it is run.
          convert      Writes a checkpoint of any layout as a plain state_dict, its
                         wrapper and prefixes undone.
          recipes      Lists the built-in recipes, or prints one.
          data         Looks at data sets: data check DATA.
          doctor       Checks JDK, natives, CUDA, memory and data, each with its remedy.
        Exit status: 0 done, 1 failed, 2 wrong command line or recipe, 130 stopped.
        """;
    assertEquals(help, output());
    assertEquals(help, output("--help"));
    assertEquals(
        """
        Usage: bridge train [-h] [--debug] [--resume] [--cuda-libs=DIRS]
                            [--device=DEVICE] [--max-steps=N] [--out=DIR] [--seed=N]
                            [--threads=N] [--set=PATH=VALUE]... RECIPE
        Trains a student by a recipe; Ctrl-C saves, --resume goes on.
              RECIPE             A built-in recipe's name or a JSON file.
              --out=DIR          Run folder (runs/NAME).
              --set=PATH=VALUE   Changes a value of the recipe: epochs=2, attack.
                                   epsilon=8/255.
              --resume           Goes on with the run in the folder, if there is one.
              --device=DEVICE    auto, cpu, cuda or cuda:INDEX (auto).
              --threads=N        Threads of an operation on the processor (all cores).
              --seed=N           The recipe's seed.
              --max-steps=N      Stops after so many steps of the run, its state saved.
              --cuda-libs=DIRS   CUDA build: folders of CUDA, cuDNN, NCCL, ':' between
                                   (searched for).
              --debug            Shows stack traces and what the native libraries say.
          -h, --help             Shows this text.
        """,
        output("train", "--help"));
  }

  @Test
  void everyCommandHasHelp() {
    for (String command : NAMES.keySet()) {
      String[] words = (command + " --help").strip().split(" ");
      assertTrue(output(words).startsWith(("Usage: bridge " + command).strip()), command);
    }
    assertTrue(output("--version").startsWith("bridge "));
  }

  @Test
  void recipesAreListedAndPrinted() {
    List<String> lines = output("recipes").lines().filter(line -> !line.startsWith(" ")).toList();
    assertEquals(Recipes.names(), lines);
    for (String name : lines) {
      assertEquals(Recipes.load(name), JsonParser.parseString(output("recipes", name)));
    }
  }

  @Test
  void partsOfNamesListTheRecipesThatHaveThem() {
    List<String> some =
        output("recipes", "rslad", "cifar100").lines().filter(l -> !l.startsWith(" ")).toList();
    assertEquals(List.of("rslad-cifar100-mobilenetv2", "rslad-cifar100-resnet18"), some);
    assertTrue(output("recipes", "tiny").lines().count() > 20);
  }

  @Test
  void dataCheckReadsForPeople() {
    assertEquals(
        """
        fashion-mnist-mini
                   train                        test
          images   5000                         1000
          shape    [1, 28, 28]                  [1, 28, 28]
          classes  10                           10
          of each  500                          100
          mean     0.2832                       0.2898
          std      0.3511                       0.3542
          sha256 of the decoded images and labels
            train    24d033f4ed2dcf69c929ce052b5e377a4ee5fac909c63da59b243718f8a7fc4b
            test     dd3e6d93e6acb2b55c0fe4e64480c3ce8e09a5d40e82cdc39954927a48781898
          files and their MD5 (unknown: none is published to compare with)
            unknown   7645bda7618735d5e8e6031ed2e74bce  train-images-idx3-ubyte.gz
            unknown   cb4ce552f32c753cf81b08a1b3440351  train-labels-idx1-ubyte.gz
            unknown   6a52555d4c0ffefcf636ca3321e2db9d  t10k-images-idx3-ubyte.gz
            unknown   a0982697e72dd6849eda31b694f9a229  t10k-labels-idx1-ubyte.gz
        """,
        output("data", "check", "fashion-mnist-mini"));
  }

  @Test
  void dataCheckReadsForPrograms() {
    JsonObject json =
        JsonParser.parseString(output("data", "check", "fashion-mnist-mini", "--json"))
            .getAsJsonObject();
    assertFalse(json.get("differs_from_published").getAsBoolean());
    JsonObject test = json.getAsJsonArray("splits").get(1).getAsJsonObject();
    assertEquals("test", test.get("split").getAsString());
    assertEquals(1000, test.get("images").getAsInt());
    assertEquals(100, test.get("fewest").getAsInt());
    assertEquals(4, json.getAsJsonArray("files").size());
  }

  @Test
  void dataThatIsNotThePublishedOneGivesStatusOne() throws IOException {
    for (String split : List.of("train", "t10k")) {
      idx(split + "-images-idx3-ubyte", 0x803, 2, 2, 2, 8);
      idx(split + "-labels-idx1-ubyte", 0x801, 2, -1, -1, 2);
    }
    Console.Ran ran = Console.run("data", "check", "fashion-mnist:" + folder);
    assertEquals("", ran.err());
    assertEquals(1, ran.status());
    assertTrue(ran.out().contains("of each  0 (Trouser) to 2 (T-shirt/top)"), ran.out());
    assertEquals(4, ran.out().lines().filter(line -> line.contains("DIFFERENT")).count());
    assertEquals(
        4, ran.out().lines().filter(line -> line.endsWith("is the published one")).count());
  }

  /** A file of zeros in MNIST's format. */
  private void idx(String name, int magic, int count, int rows, int columns, int bytes)
      throws IOException {
    try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(folder.resolve(name)))) {
      out.writeInt(magic);
      out.writeInt(count);
      if (rows > 0) {
        out.writeInt(rows);
        out.writeInt(columns);
      }
      out.write(new byte[bytes]);
    }
  }

  @Test
  void doctorFindsThisMachineFit() {
    JsonArray findings = JsonParser.parseString(output("doctor", "--json")).getAsJsonArray();
    Map<String, String> states = new TreeMap<>();
    for (JsonElement finding : findings) {
      JsonObject one = finding.getAsJsonObject();
      states.put(one.get("subject").getAsString(), one.get("state").getAsString());
      boolean ok = one.get("state").getAsString().equals("ok");
      assertEquals(ok, one.get("remedy").getAsString().isEmpty(), one.toString());
    }
    for (String needed : List.of("java", "libtorch", "memory", "folder", "fashion-mnist-mini")) {
      assertEquals("ok", states.get(needed), states.toString());
    }
    assertTrue(output("doctor").endsWith("all that a run needs is here\n"));
  }

  @Test
  void doctorNamesEachCudaLibraryThatIsMissing() {
    DoctorCommand doctor = new DoctorCommand();
    Console.Ran ran =
        Console.run(
            () -> {
              doctor.natives(
                  doctor.cuda(
                      true,
                      List.of(
                          new CudaLibraries.Found("libcudart.so.13", Path.of("/opt/cuda")),
                          new CudaLibraries.Found("libcudnn.so.9", null),
                          new CudaLibraries.Found("libnccl.so.2", null))));
              doctor.print();
              return 0;
            });
    assertEquals(
        """
        ok  libcudart.so.13     /opt/cuda
        NO  libcudnn.so.9       not found
                                → name its folder with --cuda-libs DIR, or: pip install nvidia-cudnn-cu13
        NO  libnccl.so.2        not found
                                → name its folder with --cuda-libs DIR, or: pip install nvidia-nccl-cu13
        NO  libtorch            not tried
                                → first see to the libraries above
        to be mended: 3, see NO above
        """,
        ran.out());
  }

  @Test
  void evaluateTellsAndWritesTheSame() throws IOException {
    Path file = folder.resolve("result.json");
    String printed =
        output(
            "evaluate",
            "--model=models/fmnist-vgg.pt",
            "--data=fashion-mnist-mini",
            "--attacks=clean, fgsm",
            "--eps=0.1",
            "--limit=50",
            "--threads=1",
            "--json=" + file);
    JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    JsonObject fgsm = json.getAsJsonArray("results").get(1).getAsJsonObject();
    assertEquals(50, json.get("images").getAsInt());
    String accuracy = "%.2f%%".formatted(100 * fgsm.get("accuracy").getAsDouble());
    assertTrue(printed.lines().anyMatch(l -> l.contains("fgsm") && l.contains(accuracy)), printed);
    assertEquals(List.of(file), files());
  }

  private List<Path> files() throws IOException {
    try (var all = Files.list(folder)) {
      return all.toList();
    }
  }

  /** An error that is ours is said in one line as well, and --debug says where it came from. */
  @Test
  void debugShowsTheStack() {
    Console.Ran ran = Console.run("--debug", "recipes", "none");
    assertEquals(2, ran.status());
    assertTrue(ran.err().contains("\tat bridge.train.Recipes"), ran.err());
    assertTrue(ran.err().lines().toList().getLast().startsWith("bridge: recipe none"), ran.err());
  }
}
