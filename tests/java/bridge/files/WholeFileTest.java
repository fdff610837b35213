package bridge.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
  private static final Path FULL = Path.of("/dev/full");

  @TempDir Path folder;

  private List<String> names() throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static String refused(Runnable write) {
    String message = assertThrows(FileException.class, write::run).getMessage();
    assertFalse(message.contains("Exception"), message);
    return message;
  }

  @Test
  void theNewTakesTheOldOnesPlace() throws IOException {
    Path file = folder.resolve("a.txt");
    WholeFile.write(file, "ä");
    assertEquals("ä", Files.readString(file));
    WholeFile.write(
        file,
        out -> {
          out.put(new byte[] {'a', 'b'});
          assertEquals("ä", Files.readString(file), "the old stands until the end");
          out.put(ByteBuffer.wrap(new byte[] {'a', 'c', 'd'}, 1, 2));
          assertEquals(4, out.position());
        });
    assertEquals("abcd", Files.readString(file));
    assertEquals(List.of("a.txt"), names());
  }

  @Test
  void whatFailsLeavesTheOldAndNothingBeside() throws IOException {
    Path file = folder.resolve("a.txt");
    WholeFile.write(file, "old");
    String message =
        refused(
            () ->
                WholeFile.write(
                    file,
                    out -> {
                      out.put(new byte[10]);
                      throw new IOException("No space left on device");
                    }));
    assertTrue(message.startsWith(file + " cannot be written: the disk is full; "), message);
    assertThrows(
        IllegalStateException.class,
        () ->
            WholeFile.write(
                file,
                _ -> {
                  throw new IllegalStateException("a bug");
                }));
    assertEquals("old", Files.readString(file));
    assertEquals(List.of("a.txt"), names());
  }

  @Test
  void placesThatCannotBe() throws IOException {
    Path inside = Files.createDirectories(folder.resolve("folder/inside"));
    Path file = Files.writeString(folder.resolve("file"), "");
    assertTrue(refused(() -> WholeFile.write(inside, "")).contains("it is a folder"));
    assertTrue(refused(() -> WholeFile.write(inside.getParent(), "")).contains("it is a folder"));
    Path below = file.resolve("below");
    assertTrue(refused(() -> WholeFile.write(below, "")).contains("is a file, not a folder"));
    Path missing = folder.resolve("missing/x");
    assertTrue(
        refused(() -> WholeFile.write(missing, "")).contains("there is no folder " + folder));
    Path longName = folder.resolve("x".repeat(300));
    assertTrue(refused(() -> WholeFile.write(longName, "")).contains("its name is too long"));
    assertTrue(refused(() -> Folders.create(file)).contains(file + " is a file, not a folder"));
    assertTrue(refused(() -> Folders.create(below)).contains("is a file, not a folder"));
    assertEquals(List.of("file", "folder"), names());
  }

  @Test
  void folderWithoutPermission() {
    Path sealed = folder.resolve("sealed");
    Folders.create(sealed);
    assertTrue(sealed.toFile().setWritable(false));
    try {
      assumeTrue(!Files.isWritable(sealed), "this user may write everywhere");
      assertTrue(refused(() -> WholeFile.write(sealed.resolve("x"), "")).contains("no permission"));
    } finally {
      sealed.toFile().setWritable(true);
    }
  }

  @Test
  void recordsAreAppendedAndCutOff() throws IOException {
    Path file = folder.resolve("log");
    try (AppendedFile log = AppendedFile.open(file)) {
      log.write("one\n");
      log.write("two\n");
      assertEquals("one\ntwo\n", Files.readString(file));
      log.truncate(4);
      log.write("three\n");
      log.force();
    }
    AppendedFile.append(file, "four\n");
    assertEquals("one\nthree\nfour\n", Files.readString(file));
    assertTrue(refused(() -> AppendedFile.create(file)).contains("it exists already"));
    assertTrue(refused(() -> AppendedFile.open(folder)).contains("it is a folder"));
    Path missing = folder.resolve("missing/log");
    assertTrue(refused(() -> AppendedFile.append(missing, "")).contains("there is no folder"));
  }

  @Test
  void fullDiskIsSaidWithTheRecord() {
    assumeTrue(Files.exists(FULL), "no " + FULL);
    String message = refused(() -> AppendedFile.append(FULL, "x"));
    assertEquals(
        "/dev/full cannot be written: the disk is full; free space, or name a place on another"
            + " disk",
        message);
  }

  @Test
  void digestsAreThoseOfEverybody() throws IOException {
    assertEquals(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        Digest.sha256().add("abc").hex());
    Path file = Files.write(folder.resolve("f"), new byte[200_000]);
    Digest digest = Digest.md5();
    try (var in = Files.newInputStream(file)) {
      digest.add(in);
    }
    assertEquals(Digest.md5().add(ByteBuffer.allocate(200_000)).hex(), digest.hex());
  }
}
