package bridge.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JavaHomesTest {
  @TempDir Path root;

  @Test
  void lowestNewEnoughVersionAndItsLatestUpdateWin() throws IOException {
    java("usr/lib/jvm/java-17", "17.0.15");
    java("usr/lib/jvm/jdk 25 old", "25");
    Path expected = java("opt/jdk 25 ü", "25.0.3");
    java("usr/lib/jvm/jdk-27", "27.0.1");
    assertEquals(Optional.of(expected), find(Map.of()));
  }

  @Test
  void onlyANewerOneIsGoodEnough() throws IOException {
    Path expected = java("opt/java/openjdk", "26.0.1");
    assertEquals(Optional.of(expected), find(Map.of()));
  }

  @Test
  void versionManagersOfTheUserAreSearched() throws IOException {
    Path expected = java("home/me/.sdkman/candidates/java/25.0.1-tem", "25.0.1");
    assertEquals(Optional.of(expected), find(Map.of("HOME", "/home/me")));
  }

  @Test
  void namedFolderWinsIfNewEnough() throws IOException {
    java("usr/lib/jvm/jdk-25", "25.0.3");
    Path mine = java("elsewhere/my jdk", "26");
    Path old = java("elsewhere/jdk-17", "17.0.15");
    assertEquals(Optional.of(mine), find(Map.of("BRIDGE_JAVA_HOME", mine.toString())));
    assertEquals(
        Optional.of(mine),
        find(Map.of("BRIDGE_JAVA_HOME", old.toString(), "JAVA_HOME", mine.toString())));
    assertEquals(
        Optional.of(root.resolve("usr/lib/jvm/jdk-25")),
        find(Map.of("BRIDGE_JAVA_HOME", "/nowhere", "JAVA_HOME", old.toString())));
  }

  @Test
  void whatCannotRunHereIsPassedOver() throws IOException {
    Path arm = java("usr/lib/jvm/arm", "25.0.1");
    Files.writeString(arm.resolve("release"), "JAVA_VERSION=\"25.0.1\"\nOS_ARCH=\"aarch64\"\n");
    Path empty = java("usr/lib/jvm/no-java", "25.0.1");
    Files.delete(empty.resolve("bin/java"));
    java("usr/lib/jvm/java-8", "1.8.0_292");
    java("usr/lib/jvm/odd", "?");
    assertEquals(Optional.empty(), find(Map.of()));
  }

  @Test
  void refusalIsOneLineThatNamesTheRemedy() {
    String refusal = Launcher.noJava(Map.of("JAVA_HOME", "/opt/jdk-21"));
    assertFalse(refusal.contains("\n"));
    assertTrue(refusal.startsWith("needs Java 25 or newer, but java is "), refusal);
    assertTrue(refusal.contains("JAVA_HOME is /opt/jdk-21"), refusal);
    assertTrue(refusal.contains("set BRIDGE_JAVA_HOME"), refusal);
  }

  private Optional<Path> find(Map<String, String> environment) {
    return JavaHomes.find(25, environment, root).map(JavaHomes.Home::folder);
  }

  private Path java(String folder, String version) throws IOException {
    Path home = root.resolve(folder);
    Path java = home.resolve("bin/java");
    Files.createDirectories(java.getParent());
    Files.writeString(java, "");
    assertTrue(java.toFile().setExecutable(true));
    Files.writeString(
        home.resolve("release"),
        "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\nOS_ARCH=\"x86_64\"\n");
    return home;
  }
}
