package bridge.method.parts;

import bridge.UsageException;
import bridge.method.parts.Teacher.Role;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Which teachers a method learns from. Checked by their roles, before any is loaded. */
public enum Teachers {
  NONE("no teachers", "remove them from the recipe", List::isEmpty),

  ONE(
      "one finished teacher",
      "name one in the recipe's teachers, without role PEER",
      roles -> roles.size() == 1 && finished(roles)),

  /** Any number of them but none. */
  SOME(
      "one or more finished teachers",
      "name them in the recipe's teachers, without role PEER",
      roles -> !roles.isEmpty() && finished(roles)),

  CLEAN_AND_ADVERSARIAL(
      "two teachers, one of role ADVERSARIAL and one of role CLEAN",
      "set the role of each in the recipe's teachers",
      roles -> roles.size() == 2 && roles.contains(Role.ADVERSARIAL) && roles.contains(Role.CLEAN)),

  PEER(
      "one teacher of role PEER",
      "write teachers as [{\"model\": \"resnet18\", \"role\": \"PEER\"}]",
      roles -> roles.equals(List.of(Role.PEER)));

  private final String words;
  private final String remedy;
  private final Predicate<List<Role>> fits;

  Teachers(String words, String remedy, Predicate<List<Role>> fits) {
    this.words = words;
    this.remedy = remedy;
    this.fits = fits;
  }

  private static boolean finished(List<Role> roles) {
    return Collections.frequency(roles, Role.PEER) == 0;
  }

  /**
   * @param roles of the teachers that there are, in their order
   * @throws UsageException unless they are what the method needs
   */
  public void check(String method, List<Role> roles) {
    if (!fits.test(roles)) {
      String found = roles.stream().map(Role::name).collect(Collectors.joining(", "));
      throw new UsageException(
          "method %s takes %s, found %s; %s"
              .formatted(
                  method,
                  words,
                  roles.isEmpty() ? "none" : "%d (%s)".formatted(roles.size(), found),
                  remedy));
    }
  }
}
