package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.torch.Scope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Tests that each run in a scope of their own, which must leave nothing alive. */
public abstract class ScopedTest {
  private Scope scope;
  private long aliveBefore;

  /** Before whatever a subclass prepares. */
  @BeforeEach
  public final void openScope() {
    aliveBefore = Scope.alive();
    scope = Scope.open("test");
  }

  /** After whatever a subclass frees. */
  @AfterEach
  public final void closeScope() {
    scope.close();
    assertEquals(aliveBefore, Scope.alive(), "native objects alive after the test");
  }
}
