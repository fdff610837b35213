package bridge;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaAccess.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.cli.Main;
import bridge.launch.Launcher;
import bridge.torch.Constant;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.CompositeArchRule;
import java.io.FileOutputStream;
import java.io.FileWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

/** The house: which package may know which. */
class ArchitectureTest {
  /** From the top; an arrow may only point down this list. */
  private static final List<String> ORDER =
      List.of(
          "cli",
          "report",
          "train",
          "evaluate",
          "method",
          "method.parts",
          "attack",
          "loss",
          "gradient",
          "model",
          "graph",
          "architecture",
          "checkpoint",
          "data",
          "pickle",
          "files",
          "torch");

  private static final JavaClasses PROGRAM =
      new ClassFileImporter()
          .importUrl(BridgeException.class.getProtectionDomain().getCodeSource().getLocation())
          .that(resideInAPackage("bridge.."));

  /** The package itself: each inner one is in the order on its own. */
  private static String in(String name) {
    return "bridge." + name;
  }

  /** These packages, seen from {@code bridge.NAME}, are forbidden. */
  private static ArchRule unknownTo(String name, String... packages) {
    return noClasses()
        .that()
        .resideInAPackage(in(name))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(packages);
  }

  private static ArchRule onlyDown(List<String> order) {
    ArchRule rule = null;
    for (String name : order) {
      List<String> above = new ArrayList<>();
      order.subList(0, order.indexOf(name)).forEach(a -> above.add(in(a)));
      if (!above.isEmpty()) {
        ArchRule one = unknownTo(name, above.toArray(String[]::new));
        rule = rule == null ? one : CompositeArchRule.of(rule).and(one);
      }
    }
    return rule;
  }

  private static ArchRule nativesOnlyIn(String name) {
    return noClasses()
        .that()
        .resideOutsideOfPackage(in(name))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.bytedeco..", "java.lang.foreign..");
  }

  private static void fails(ArchRule rule) {
    assertThrows(AssertionError.class, () -> rule.check(PROGRAM), rule.getDescription());
  }

  @Test
  void everyPackageIsInTheOrder() {
    List<String> known = new ArrayList<>(List.of("bridge", "bridge.launch"));
    ORDER.forEach(name -> known.add("bridge." + name));
    List<String> found =
        PROGRAM.stream()
            .filter(c -> !c.getName().endsWith("package-info"))
            .map(c -> c.getPackageName())
            .distinct()
            .sorted()
            .toList();
    assertEquals(known.stream().sorted().toList(), found);
  }

  @Test
  void arrowsPointDown() {
    onlyDown(ORDER).check(PROGRAM);
    fails(onlyDown(ORDER.reversed()));
    fails(unknownTo("train", in("method")));
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching("bridge.(*)..").should().beFreeOfCycles().check(PROGRAM);
    // the classes of one package do know each other both ways
    fails(slices().matching("bridge.model.(*)").should().beFreeOfCycles());
  }

  @Test
  void onlyTorchTouchesNatives() {
    nativesOnlyIn("torch").check(PROGRAM);
    fails(nativesOnlyIn("model"));
  }

  @Test
  void modelsKnowNeitherAttacksNorMethods() {
    unknownTo("model", in("attack"), in("loss"), in("method"), in("train")).check(PROGRAM);
    fails(unknownTo("method", in("loss")));
  }

  @Test
  void methodsKnowNeitherAttacksNorDataNorFiles() {
    for (String name : List.of("method", "method.parts")) {
      unknownTo(name, in("attack"), in("data"), in("checkpoint"), "java.nio.file..", "java.io..")
          .check(PROGRAM);
    }
    fails(unknownTo("train", in("data")));
  }

  @Test
  void attacksKnowNoDistillation() {
    unknownTo("attack", in("method"), in("method.parts"), in("data"), in("checkpoint"))
        .check(PROGRAM);
  }

  @Test
  void reportsKnowNoTraining() {
    unknownTo(
            "report",
            ORDER.subList(2, ORDER.size()).stream()
                .filter(n -> !n.equals("files"))
                .map(n -> in(n))
                .toArray(String[]::new))
        .check(PROGRAM);
  }

  private static ArchRule filesWrittenOnlyIn(String name) {
    return noClasses()
        .that()
        .resideOutsideOfPackages(in(name), in("launch"))
        .should()
        .callMethodWhere(
            target(owner(equivalentTo(Files.class)))
                .and(target(nameMatching("(?s)move|copy|write.*|new(Out|Buf|Byte).*|create.*"))))
        .orShould()
        .callMethodWhere(
            target(owner(assignableTo(FileChannel.class)))
                .and(target(nameMatching("write|force|truncate|(tryL|l)ock"))))
        .orShould()
        .dependOnClassesThat()
        .belongToAnyOf(
            StandardCopyOption.class,
            FileOutputStream.class,
            RandomAccessFile.class,
            FileWriter.class,
            FileSystemException.class);
  }

  /** Whole files, locks, and the system's refusals in words are the business of one package. */
  @Test
  void onlyFilesWritesFiles() {
    filesWrittenOnlyIn("files").check(PROGRAM);
    fails(filesWrittenOnlyIn("data"));
    unknownTo("files", in("torch"), "com.google.gson..").check(PROGRAM);
  }

  @Test
  void picklesKnowNeitherTensorsNorFiles() {
    unknownTo("pickle", in("torch"), in("files"), "java.nio.file..", "java.lang.reflect..")
        .check(PROGRAM);
    fails(unknownTo("checkpoint", in("pickle")));
  }

  private static ArchRule noTensorsIn(String name) {
    return noClasses()
        .that()
        .resideInAPackage(in(name))
        .should()
        .dependOnClassesThat()
        .belongToAnyOf(Tensor.class, Scope.class, Generator.class, NoGrad.class, Constant.class);
  }

  @Test
  void theCommandLineKnowsNoTensors() {
    noTensorsIn("cli").check(PROGRAM);
    noTensorsIn("report").check(PROGRAM);
    fails(noTensorsIn("evaluate"));
  }

  /** An attack says itself what it notices and needs: adding one touches no other room. */
  @Test
  void evaluationsKnowNoSingleAttack() {
    String shared = "Attack|Attacks|Attacks\\$Entry|AutoAttack(\\$.*)?|Ball|Checks|Norm|Perturbed";
    String others = "Restarts|Smoothing(\\$.*)?|Transfer";
    noClasses()
        .that()
        .resideInAPackage(in("evaluate"))
        .should()
        .dependOnClassesThat(
            resideInAPackage(in("attack"))
                .and(not(nameMatching("bridge\\.attack\\.(%s|%s)".formatted(shared, others)))))
        .check(PROGRAM);
  }

  @Test
  void whatAllMayUseUsesNobody() {
    classes()
        .that()
        .resideInAPackage("bridge")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("bridge", "java..", "com.google.gson..")
        .check(PROGRAM);
  }

  @Test
  void launcherStandsAlone() {
    classes()
        .that()
        .resideInAPackage(in("launch"))
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("bridge.launch", "java..")
        .check(PROGRAM);
    noClasses()
        .that()
        .resideOutsideOfPackages("bridge.launch", "bridge.cli")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("bridge.launch")
        .check(PROGRAM);
  }

  /** Among them the doctor, which says what to do, and data, whose images are not yet tensors. */
  @Test
  void commandsWithoutTorchExistAndThoseThatReachNoTensorAreAmongThem() {
    Set<String> all = new TreeSet<>();
    Set<String> withoutTensors = new TreeSet<>();
    for (Class<?> command : Main.class.getAnnotation(Command.class).subcommands()) {
      String name = command.getAnnotation(Command.class).name();
      all.add(name);
      if (!reachable(PROGRAM.get(command)).contains("bridge.torch.Tensor")) {
        withoutTensors.add(name);
      }
    }
    assertEquals(Set.of("leaderboard", "recipes"), withoutTensors);
    assertTrue(Launcher.WITHOUT_TORCH.containsAll(withoutTensors));
    assertTrue(all.containsAll(Launcher.WITHOUT_TORCH), Launcher.WITHOUT_TORCH::toString);
    assertFalse(Launcher.WITHOUT_TORCH.containsAll(all));
  }

  /** The program's classes that one knows, directly or through others. */
  private static Set<String> reachable(JavaClass from) {
    Set<String> known = new TreeSet<>();
    Deque<JavaClass> open = new ArrayDeque<>(List.of(from));
    while (!open.isEmpty()) {
      for (Dependency arrow : open.pop().getDirectDependenciesFromSelf()) {
        JavaClass to = arrow.getTargetClass();
        if (to.getName().startsWith("bridge.") && known.add(to.getName())) {
          open.push(to);
        }
      }
    }
    return known;
  }

  /** ArchUnit passes over class files of a Java that it does not know: every rule would hold. */
  @Test
  void classFilesOfJava25AreRead() throws IOException {
    try (InputStream scope = Scope.class.getResourceAsStream("Scope.class")) {
      assertEquals(69, scope.readNBytes(8)[7]);
    }
    assertTrue(
        PROGRAM.get("bridge.train.Trainer").getDirectDependenciesFromSelf().stream()
            .anyMatch(arrow -> arrow.getTargetClass().isEquivalentTo(Scope.class)));
  }
}
