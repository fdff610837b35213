package bridge.cli;

import bridge.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks of the command line's values. */
final class OptionChecks {
  private OptionChecks() {}

  /**
   * @param value null where the option was not given
   * @throws UsageException for a number below 1
   */
  static void positive(String option, Number value) {
    if (value != null && value.longValue() < 1) {
      throw new UsageException(option + " must be 1 or more, found " + value);
    }
  }

  /**
   * Looks at a file that is written after hours of work before them.
   *
   * @param file null where the option was not given
   * @throws UsageException if it cannot be written
   */
  static void writable(String option, Path file) {
    Path folder = file == null ? null : file.toAbsolutePath().getParent();
    if (folder != null && Files.isDirectory(file)) {
      throw new UsageException("%s %s is a folder; name a file".formatted(option, file));
    }
    boolean exists = folder == null || Files.isDirectory(folder);
    if (!exists || folder != null && !Files.isWritable(folder)) {
      throw new UsageException(
          "%s %s cannot be written: there is no %s %s; name another file"
              .formatted(option, file, exists ? "permission to write in" : "folder", folder));
    }
  }
}
