package bridge.gradient;

import bridge.torch.NativeException;
import bridge.torch.Tensor;

/**
 * Runs work again where a CUDA graph would be replayed, after the runs that precede a capture; it
 * refuses on demand, in libtorch's way.
 */
final class FakeRecorder implements Recorder {
  private static final int RUNS_BEFORE = 4;

  int recordings;
  int replays;
  int open;

  /** Which recording or which replay, from 1 on, is refused; 0 for none. */
  int refusedRecording;

  int refusedReplay;

  @Override
  public Recording record(Runnable work) {
    recordings++;
    for (int i = 0; i < RUNS_BEFORE; i++) {
      work.run();
    }
    if (recordings == refusedRecording) {
      throw refusal();
    }
    open++;
    return new Recording() {
      @Override
      public void replay() {
        replays++;
        work.run();
        if (replays == refusedReplay) {
          throw refusal();
        }
      }

      @Override
      public void close() {
        open--;
      }
    };
  }

  /** What libtorch says to a view of a wrong size. */
  private static NativeException refusal() {
    try {
      Tensor.of(new float[] {1, 2, 3}, 3).view(2);
    } catch (NativeException e) {
      return e;
    }
    throw new AssertionError("libtorch makes 2 elements of 3");
  }
}
