package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Recording stops inside, on this thread only, and goes on as it was before. */
class NoGradTest {
  private Scope scope;
  private Tensor x;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    x = Tensor.of(new float[] {3}).requiresGrad_(true);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private boolean recording() {
    return x.mul(2).requiresGrad();
  }

  @Test
  void nothingIsRecordedInside() {
    assertTrue(recording());
    try (NoGrad _ = NoGrad.enter()) {
      assertFalse(recording());
    }
    assertTrue(recording());
  }

  @Test
  void anInnerOneDoesNotEndTheOuterOne() {
    try (NoGrad _ = NoGrad.enter()) {
      try (NoGrad _ = NoGrad.enter()) {
        assertFalse(recording());
      }
      assertFalse(recording());
    }
    assertTrue(recording());
  }

  @Test
  void anExceptionRestoresRecording() {
    assertThrows(
        IllegalStateException.class,
        () -> {
          try (NoGrad _ = NoGrad.enter()) {
            throw new IllegalStateException("inside");
          }
        });
    assertTrue(recording());
  }

  @Test
  void otherThreadsGoOnRecording() throws InterruptedException {
    AtomicBoolean recorded = new AtomicBoolean();
    try (NoGrad _ = NoGrad.enter()) {
      Thread.ofPlatform()
          .start(
              () -> {
                try (Scope _ = Scope.open("other")) {
                  recorded.set(recording());
                }
              })
          .join();
    }
    assertTrue(recorded.get());
  }

  @Test
  void valuesAreTheSameAndParametersMayBeChanged() {
    try (NoGrad _ = NoGrad.enter()) {
      x.add_(1);
    }
    assertEquals(4, x.item());
    assertThrows(NativeException.class, () -> x.add_(1));
  }
}
