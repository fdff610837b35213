package bridge.files;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Why the system refuses a file, in words. Java's own messages are often the name of a class or of
 * the file alone.
 *
 * @param what went wrong, for instance {@code the disk is full}
 * @param remedy what to do about it
 */
public record Reason(String what, String remedy) {
  private static final Reason PERMISSION =
      new Reason("no permission", "change its rights, or name another place");
  private static final Reason FOLDER = new Reason("it is a folder", "name a file");
  private static final Reason LOOP = new Reason("its links lead in a circle", "mend the links");
  private static final Reason NO_FILE = new Reason("no such file", "check the path");

  /** By what Linux's error numbers are called in English; the C library's texts. */
  private static final Map<String, Reason> SYSTEM = new LinkedHashMap<>();

  static {
    SYSTEM.put(
        "No space left on device",
        new Reason("the disk is full", "free space, or name a place on another disk"));
    SYSTEM.put(
        "Disk quota exceeded",
        new Reason("the disk quota is used up", "free space, or name a place on another disk"));
    SYSTEM.put("Permission denied", PERMISSION);
    SYSTEM.put("Operation not permitted", PERMISSION);
    SYSTEM.put(
        "Read-only file system",
        new Reason("the file system is read-only", "name a place on another one"));
    SYSTEM.put("Is a directory", FOLDER);
    SYSTEM.put(
        "Not a directory",
        new Reason("a part of its path is a file, not a folder", "check the path"));
    SYSTEM.put(
        "Too many open files",
        new Reason("too many files are open", "raise the limit, for instance by ulimit -n 4096"));
    SYSTEM.put("File name too long", new Reason("its name is too long", "name a shorter one"));
    SYSTEM.put(
        "File too large",
        new Reason("it grows larger than is allowed", "see ulimit -f and the file system's limit"));
    SYSTEM.put("Too many levels of symbolic links", LOOP);
    SYSTEM.put(
        "Input/output error", new Reason("the disk fails", "look for its errors with dmesg"));
    SYSTEM.put(
        "Stale file handle",
        new Reason("the network file system lost it", "mount it again, or name another place"));
    SYSTEM.put(
        "No locks available",
        new Reason("the file system grants no locks", "name a place on another one"));
  }

  /**
   * Why a file or folder cannot be written or created.
   *
   * @param file what was to be written
   */
  public static Reason writing(Path file, IOException e) {
    if (e instanceof NoSuchFileException || text(e).contains("No such file or directory")) {
      Path parent = file.toAbsolutePath().getParent();
      return parent == null || Files.isDirectory(parent)
          ? new Reason("the system lets no such file be created", "name another place")
          : new Reason("there is no folder " + parent, "create it, or name another");
    }
    return of(e, "see to the folder and its free space");
  }

  /** Why a file or folder cannot be read. */
  public static Reason reading(IOException e) {
    if (e instanceof NoSuchFileException || text(e).contains("No such file or directory")) {
      return NO_FILE;
    }
    return of(e, "see whether it is whole and may be read");
  }

  private static Reason of(IOException e, String remedy) {
    return switch (e) {
      case AccessDeniedException _ -> PERMISSION;
      case DirectoryNotEmptyException _ -> FOLDER;
      case FileSystemLoopException _ -> LOOP;
      case NotDirectoryException n ->
          new Reason(n.getFile() + " is a file, not a folder", "name another place");
      case FileAlreadyExistsException _ ->
          new Reason("it exists already", "remove it, or name another");
      case AtomicMoveNotSupportedException _ ->
          new Reason("the file system cannot rename in one step", "name a place on another one");
      case EOFException _ -> new Reason("it ends too early", "fetch it again");
      case CharacterCodingException _ -> new Reason("it is no text in UTF-8", "check the path");
      case ClosedByInterruptException _ -> new Reason("the program was interrupted", "try again");
      default -> byText(text(e), remedy);
    };
  }

  private static Reason byText(String text, String remedy) {
    return SYSTEM.entrySet().stream()
        .filter(known -> text.contains(known.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElseGet(() -> new Reason(text.isEmpty() ? "the system does not say why" : text, remedy));
  }

  /** The system's own words in one line, without names of Java's classes; or empty. */
  private static String text(IOException e) {
    String text = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
    if (text == null) {
      return "";
    }
    return text.lines()
        .findFirst()
        .orElse("")
        .replaceAll("([a-z]\\w*\\.)*\\w*(Exception|Error)\\b:?", "")
        .strip();
  }

  @Override
  public String toString() {
    return what + "; " + remedy;
  }
}
