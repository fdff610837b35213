package bridge.cli;

import bridge.UsageException;

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
}
