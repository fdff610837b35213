package bridge.method.parts;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.UsageException;
import bridge.method.parts.Teacher.Role;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TeachersTest {

  /** Roles with spaces between; those that are refused, with what is said of them. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          NONE | '' |
          NONE | STANDARD | no teachers, found 1 (STANDARD); remove them from the recipe
          ONE | CLEAN |
          ONE | '' | one finished teacher, found none; name one in the recipe's teachers, without role PEER
          ONE | PEER | one finished teacher, found 1 (PEER); name one in the recipe's teachers, without role PEER
          ONE | CLEAN CLEAN | one finished teacher, found 2 (CLEAN, CLEAN); name one in the recipe's teachers, without role PEER
          SOME | STANDARD |
          SOME | STANDARD CLEAN STANDARD |
          SOME | '' | one or more finished teachers, found none; name them in the recipe's teachers, without role PEER
          SOME | PEER STANDARD | one or more finished teachers, found 2 (PEER, STANDARD); name them in the recipe's teachers, without role PEER
          CLEAN_AND_ADVERSARIAL | CLEAN ADVERSARIAL |
          CLEAN_AND_ADVERSARIAL | ADVERSARIAL CLEAN |
          CLEAN_AND_ADVERSARIAL | CLEAN CLEAN | two teachers, one of role ADVERSARIAL and one of role CLEAN, found 2 (CLEAN, CLEAN); set the role of each in the recipe's teachers
          CLEAN_AND_ADVERSARIAL | CLEAN ADVERSARIAL PEER | two teachers, one of role ADVERSARIAL and one of role CLEAN, found 3 (CLEAN, ADVERSARIAL, PEER); set the role of each in the recipe's teachers
          PEER | PEER |
          PEER | STANDARD | one teacher of role PEER, found 1 (STANDARD); write teachers as [{"model": "resnet18", "role": "PEER"}]
          PEER | PEER PEER | one teacher of role PEER, found 2 (PEER, PEER); write teachers as [{"model": "resnet18", "role": "PEER"}]
          """)
  void rolesFitOrAreRefusedInOneWording(Teachers teachers, String roles, String refusal) {
    List<Role> found =
        Arrays.stream(roles.split(" ")).filter(r -> !r.isEmpty()).map(Role::valueOf).toList();
    if (refusal == null) {
      assertDoesNotThrow(() -> teachers.check("m", found));
      return;
    }
    var e = assertThrows(UsageException.class, () -> teachers.check("m", found));
    assertEquals("method m takes " + refusal, e.getMessage());
  }
}
