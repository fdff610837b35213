package bridge.method;

import bridge.UsageException;
import bridge.model.Network;
import java.util.List;
import java.util.stream.Collectors;

/** The two teachers of MTARD, told apart by their roles. */
record TeacherPair(Network adversarial, Network clean) {

  /**
   * @throws UsageException unless there is one teacher of role ADVERSARIAL, one of role CLEAN and
   *     no other
   */
  static TeacherPair of(String method, Setting setting) {
    List<Setting.Teacher> teachers = setting.teachers();
    Network adversarial = null;
    Network clean = null;
    for (Setting.Teacher teacher : teachers) {
      if (teacher.role() == Setting.Role.ADVERSARIAL) {
        adversarial = teacher.network();
      } else if (teacher.role() == Setting.Role.CLEAN) {
        clean = teacher.network();
      }
    }
    if (teachers.size() != 2 || adversarial == null || clean == null) {
      String found =
          teachers.stream().map(t -> t.name() + " " + t.role()).collect(Collectors.joining(", "));
      throw new UsageException(
          "method %s needs two teachers, one with role ADVERSARIAL and one with role CLEAN, found %s; set the role of each in the recipe's teachers"
              .formatted(method, found.isEmpty() ? "none" : found));
    }
    return new TeacherPair(adversarial, clean);
  }
}
