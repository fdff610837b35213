package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Who owns a tensor, and what is refused before libtorch could see freed memory. */
class ScopeTest {

  private static Tensor one() {
    return Tensor.of(new float[] {1, 2}, 2);
  }

  private static void assertRefused(String message, Executable what) {
    assertEquals(message, assertThrows(IllegalStateException.class, what).getMessage());
  }

  /** Runs it on another thread and hands on what it throws. */
  private static void elsewhere(Executable what) throws Throwable {
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread thread =
        Thread.ofPlatform()
            .name("other")
            .start(
                () -> {
                  try {
                    what.execute();
                  } catch (Throwable e) {
                    thrown.set(e);
                  }
                });
    thread.join();
    if (thrown.get() != null) {
      throw thrown.get();
    }
  }

  @Test
  void whatIsMadeInItIsFreedWithIt() {
    long before = Scope.alive();
    try (Scope _ = Scope.open("outer")) {
      one().add(one());
      long outer = Scope.alive();
      assertTrue(outer >= before + 3);
      try (Scope _ = Scope.open("inner")) {
        one().mul(one());
        assertTrue(Scope.alive() >= outer + 3);
      }
      assertEquals(outer, Scope.alive());
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void keepMovesToTheScopeAround() {
    long before = Scope.alive();
    try (Scope _ = Scope.open("outer")) {
      Tensor kept;
      try (Scope inner = Scope.open("inner")) {
        Tensor made = one().add(1);
        kept = inner.keep(made);
        assertSame(made, kept);
      }
      assertEquals(before + 1, Scope.alive());
      assertArrayEquals(new float[] {2, 3}, kept.toFloats());
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void keepingTwiceIsKeepingOnce() {
    long before = Scope.alive();
    try (Scope _ = Scope.open("outer")) {
      try (Scope inner = Scope.open("inner")) {
        inner.keep(inner.keep(one()));
      }
      assertEquals(before + 1, Scope.alive());
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void adoptHandsOverManyLevels() {
    long before = Scope.alive();
    try (Scope run = Scope.open("run")) {
      Tensor adopted;
      try (Scope _ = Scope.open("step");
          Scope _ = Scope.open("attack-step")) {
        adopted = run.adopt(one());
      }
      assertArrayEquals(new float[] {1, 2}, adopted.toFloats());
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void inPlaceResultsAreNotOwnedTwice() {
    long before = Scope.alive();
    try (Scope _ = Scope.open("test")) {
      Tensor t = one();
      assertSame(t, t.add_(1).mul_(t).clamp_(0, 5).zero_());
      assertTrue(Scope.alive() > before);
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void theOutermostHasNowhereToKeep() {
    try (Scope run = Scope.open("run")) {
      Tensor t = one();
      assertRefused("scope run has no outer scope to keep a tensor in", () -> run.keep(t));
    }
  }

  @Test
  void scopesCloseInReverseOrder() {
    long before = Scope.alive();
    Scope outer = Scope.open("outer");
    Scope inner = Scope.open("inner");
    one();
    assertRefused("scope outer closes before inner, which was opened inside it", outer::close);
    inner.close();
    outer.close();
    assertEquals(before, Scope.alive());
  }

  @Test
  void closingTwiceDoesNothing() {
    try (Scope _ = Scope.open("outer")) {
      Scope inner = Scope.open("inner");
      inner.close();
      Tensor later = one();
      inner.close();
      assertArrayEquals(new float[] {1, 2}, later.toFloats());
    }
  }

  @Test
  void aClosedScopeKeepsAndAdoptsNothing() {
    try (Scope _ = Scope.open("outer")) {
      Scope inner = Scope.open("inner");
      Tensor freed = one();
      inner.close();
      assertRefused("scope inner is already closed", () -> inner.keep(freed));
      assertRefused("scope inner is already closed", () -> inner.adopt(freed));
    }
  }

  @Test
  void aFreedTensorIsRefusedByEveryOperation() {
    try (Scope _ = Scope.open("outer")) {
      Tensor freed;
      try (Scope _ = Scope.open("inner")) {
        freed = one();
      }
      Tensor alive = one();
      assertThrows(NativeException.class, () -> freed.add(1));
      assertThrows(NativeException.class, () -> alive.add(freed));
      assertThrows(NativeException.class, freed::item);
      assertThrows(RuntimeException.class, freed::sizes);
      assertThrows(RuntimeException.class, freed::toFloats);
    }
  }

  @Test
  void aScopeBelongsToItsThread() throws Throwable {
    try (Scope run = Scope.open("run")) {
      String here = Thread.currentThread().getName();
      String message = "scope run belongs to thread %s, used on other".formatted(here);
      Tensor t = one();
      elsewhere(() -> assertRefused(message, () -> run.adopt(t)));
      elsewhere(() -> assertRefused(message, run::close));
      assertArrayEquals(new float[] {1, 2}, t.toFloats());
    }
  }

  @Test
  void everyThreadHasItsOwnInnermost() throws Throwable {
    try (Scope _ = Scope.open("here")) {
      elsewhere(
          () -> {
            assertRefused("no Scope is open on thread other", ScopeTest::one);
            try (Scope there = Scope.open("there")) {
              assertEquals("there", there.toString());
              one();
            }
          });
    }
  }

  @Test
  void withoutAScopeNothingIsMade() throws Throwable {
    elsewhere(
        () -> {
          assertRefused("no Scope is open on thread other", ScopeTest::one);
          assertRefused("no Scope is open on thread other", () -> Generator.on(Device.CPU, 1));
        });
  }

  @Test
  void namesTellThePath() {
    try (Scope _ = Scope.open("run");
        Scope _ = Scope.open("step");
        Scope attack = Scope.open("attack-step")) {
      assertEquals("run/step/attack-step", attack.toString());
    }
  }
}
