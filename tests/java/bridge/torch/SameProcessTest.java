package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;

import java.util.List;
import org.junit.jupiter.api.Test;

/** What LauncherTest cannot show, since there the process is another one afterwards. */
class SameProcessTest {
  @Test
  void aProgramThatIsNotThereLeavesThisOneRunning() {
    assertDoesNotThrow(() -> SameProcess.become(List.of("/no/such/program", "an argument")));
  }
}
