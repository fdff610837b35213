package bridge.method;

import bridge.method.parts.MethodContext;
import java.util.Optional;

/**
 * What a recipe says of a method: read and checked before anything is loaded; makes the method once
 * networks and data are there.
 */
public interface MethodSettings {

  /**
   * @throws bridge.UsageException for what only the networks show: a layer that is not there, a
   *     feature of another form
   */
  Method over(MethodContext context);

  /**
   * What leads gradients through the teachers, in words; empty where they are only asked, so that
   * they may be held in half precision, which gives none.
   */
  default Optional<String> gradientsThroughTeachers() {
    return Optional.empty();
  }
}
