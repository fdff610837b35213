package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What the doctor finds out about CUDA graphs; the rest is in {@link CommandLineTest}. */
class DoctorTest {
  @Test
  void saysWhatKeepsFromCudaGraphs() {
    DoctorCommand doctor = new DoctorCommand();
    Console.Ran ran =
        Console.run(
            () -> {
              doctor.graphs(true, Optional.empty());
              doctor.graphs(false, Optional.of("none"));
              doctor.print();
              return 0;
            });
    assertEquals(
        """
        ok  cuda graphs         can be captured
        --  cuda graphs         the program was built without, for want of g++
                                → install g++ and build it anew
        all that a run needs is here
        """,
        ran.out());
  }
}
