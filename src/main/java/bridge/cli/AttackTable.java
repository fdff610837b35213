package bridge.cli;

import bridge.attack.Attacks;
import bridge.attack.Norm;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** The attacks that there are, for the help. */
final class AttackTable {
  private static final String ROW = "  %-16s  %-10s  %-8s  %s";

  private AttackTable() {}

  static String[] lines() {
    List<String> lines = new ArrayList<>();
    lines.add(ROW.formatted("Attack", "norms", "restarts", ""));
    Attacks.all().forEach(entry -> lines.add(line(entry)));
    lines.add("  N is a number of one's own: pgd20, square300.");
    return lines.toArray(String[]::new);
  }

  private static String line(Attacks.Entry entry) {
    String norms = entry.norms().stream().map(Norm::text).collect(Collectors.joining(" "));
    return ROW.formatted(names(entry), norms, entry.takesRestarts() ? "yes" : "-", entry.summary());
  }

  /** The form with N, and the name where that has no number. */
  private static String names(Attacks.Entry entry) {
    return entry
        .form()
        .map(
            form ->
                entry.name().equals(form.replace("N", "" + entry.number()))
                    ? form
                    : entry.name() + ", " + form)
        .orElse(entry.name());
  }
}
