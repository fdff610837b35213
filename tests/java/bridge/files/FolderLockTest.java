package bridge.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
  @TempDir Path folder;

  /** For another process: exit status 0 if it gets the lock. */
  static final class Other {
    public static void main(String[] args) throws IOException {
      System.exit(FolderLock.tryLock(Path.of(args[0])).isPresent() ? 0 : 1);
    }
  }

  private static boolean otherProcessGets(Path folder) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Other.class.getName(),
                folder.toString())
            .inheritIO()
            .start();
    return process.waitFor() == 0;
  }

  private static FolderLock lock(Path folder) throws IOException {
    return FolderLock.tryLock(folder).orElseThrow();
  }

  /** A second try, by any of the folder's names, must not free what is held. */
  @Test
  void aFolderIsHeldByOne() throws Exception {
    Path run = folder.resolve("run");
    Path link = Files.createSymbolicLink(folder.resolve("link"), run);
    try (FolderLock _ = lock(run)) {
      assertTrue(FolderLock.tryLock(run).isEmpty());
      assertTrue(FolderLock.tryLock(link).isEmpty());
      assertTrue(FolderLock.tryLock(folder.resolve("run/../run")).isEmpty());
      Files.writeString(run.resolve("file"), "");
      Files.readString(run.resolve("file"));
      assertFalse(otherProcessGets(run));
    }
    assertTrue(otherProcessGets(run));
    lock(link).close();
  }

  @Test
  void onlyWhatWasCreatedInVainGoes() throws IOException {
    Path fresh = folder.resolve("a/b");
    FolderLock lock = lock(fresh);
    assertTrue(Files.exists(fresh.resolve(".lock")));
    lock.close();
    lock.close();
    assertFalse(Files.exists(fresh));
    assertTrue(Files.exists(fresh.getParent()));

    lock(Files.createDirectories(fresh)).close();
    assertTrue(Files.exists(fresh.resolve(".lock")));

    Path used = folder.resolve("used");
    try (FolderLock _ = lock(used)) {
      Files.writeString(used.resolve("file"), "x");
    }
    assertEquals("x", Files.readString(used.resolve("file")));
  }

  @Test
  void placesThatCannotBe() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "x");
    assertThrows(NotDirectoryException.class, () -> FolderLock.tryLock(file));
    assertThrows(IOException.class, () -> FolderLock.tryLock(file.resolve("below/it")));
    assertEquals("x", Files.readString(file));
  }
}
