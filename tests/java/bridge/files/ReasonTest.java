package bridge.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.MalformedInputException;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the system says becomes words, whatever class Java puts it into. */
class ReasonTest {
  private static final Path FILE = Path.of("/nowhere/at/all.json");

  private static void assertWords(String expected, IOException e) {
    for (Reason reason : List.of(Reason.writing(FILE, e), Reason.reading(e))) {
      assertEquals(expected, reason.what());
      assertFalse(reason.remedy().isBlank());
      String all = reason.toString();
      assertFalse(all.contains("Exception") || all.contains("java.") || all.contains("null"), all);
      assertEquals(1, all.lines().count());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          No space left on device           | the disk is full
          Disk quota exceeded               | the disk quota is used up
          Permission denied                 | no permission
          Operation not permitted           | no permission
          Read-only file system             | the file system is read-only
          Is a directory                    | it is a folder
          Not a directory                   | a part of its path is a file, not a folder
          Too many open files               | too many files are open
          Too many open files in system     | too many files are open
          File name too long                | its name is too long
          File too large                    | it grows larger than is allowed
          Too many levels of symbolic links | its links lead in a circle
          Input/output error                | the disk fails
          Stale file handle                 | the network file system lost it
          No locks available                | the file system grants no locks
          Sunspots                          | Sunspots
          """)
  void theSystemsWords(String system, String words) {
    assertWords(words, new FileSystemException("/a", "/b", system));
    assertWords(words, new FileSystemException("/a", null, system));
    assertWords(words, new IOException(system)); // as a channel's write throws it
  }

  static List<Arguments> classes() {
    String said = "the system does not say why";
    return List.of(
        Arguments.of("no permission", new AccessDeniedException("/a")),
        Arguments.of("it is a folder", new DirectoryNotEmptyException("/a")),
        Arguments.of("it exists already", new FileAlreadyExistsException("/a")),
        Arguments.of("/a is a file, not a folder", new NotDirectoryException("/a")),
        Arguments.of("its links lead in a circle", new FileSystemLoopException("/a")),
        Arguments.of(
            "the file system cannot rename in one step",
            new AtomicMoveNotSupportedException("/a", "/b", null)),
        Arguments.of("it ends too early", new EOFException()),
        Arguments.of("it ends too early", new EOFException("Unexpected end of ZLIB input stream")),
        Arguments.of("it is no text in UTF-8", new MalformedInputException(1)),
        Arguments.of("the program was interrupted", new ClosedByInterruptException()),
        Arguments.of(said, new ClosedChannelException()),
        Arguments.of(said, new NotLinkException("/a")),
        Arguments.of(said, new FileSystemException("/a")),
        Arguments.of(said, new IOException()),
        Arguments.of(said, new IOException("")),
        Arguments.of("bad", new IOException("java.util.zip.ZipException: bad\nand worse")),
        Arguments.of("Not in GZIP format", new ZipException("Not in GZIP format")));
  }

  @ParameterizedTest
  @MethodSource("classes")
  void everyClass(String words, IOException e) {
    assertWords(words, e);
  }

  @Test
  void whatIsMissingIsTheFolderWhenWritingAndTheFileWhenReading() {
    for (IOException e :
        List.of(
            new NoSuchFileException("/x"),
            new FileSystemException("/x", null, "No such file or directory"))) {
      assertEquals("there is no folder /nowhere/at", Reason.writing(FILE, e).what());
      assertEquals("no such file", Reason.reading(e).what());
      String odd = Reason.writing(Path.of("/proc/x"), e).what();
      assertEquals("the system lets no such file be created", odd);
    }
  }

  @Test
  void messagesNameTheFileTheReasonAndTheRemedy() {
    IOException full = new IOException("No space left on device");
    assertEquals(
        "/nowhere/at/all.json cannot be written: the disk is full; free space, or name a place on"
            + " another disk",
        FileException.unwritable(FILE, full).getMessage());
    assertEquals(
        "/nowhere/at/all.json cannot be read: no such file; check the path",
        FileException.unreadable(FILE, new NoSuchFileException("/x")).getMessage());
    assertEquals(1, FileException.unwritable(FILE, full).exitCode());
  }
}
