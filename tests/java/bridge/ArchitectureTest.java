package bridge;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Constant;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.CompositeArchRule;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

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
          "attack",
          "loss",
          "gradient",
          "model",
          "architecture",
          "checkpoint",
          "data",
          "torch");

  private static final JavaClasses PROGRAM =
      new ClassFileImporter()
          .importUrl(BridgeException.class.getProtectionDomain().getCodeSource().getLocation())
          .that(resideInAPackage("bridge.."));

  private static String in(String name) {
    return "bridge." + name + "..";
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
    unknownTo("method", in("attack"), in("data"), in("checkpoint"), "java.nio.file..", "java.io..")
        .check(PROGRAM);
    fails(unknownTo("train", in("data")));
  }

  @Test
  void attacksKnowNoDistillation() {
    unknownTo("attack", in("method"), in("data"), in("checkpoint")).check(PROGRAM);
  }

  @Test
  void reportsKnowNoTraining() {
    unknownTo(
            "report",
            ORDER.subList(2, ORDER.size()).stream().map(n -> in(n)).toArray(String[]::new))
        .check(PROGRAM);
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
