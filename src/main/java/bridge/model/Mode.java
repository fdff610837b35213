package bridge.model;

/**
 * Holds a network in training or evaluation mode until closed, then restores what was before,
 * whatever happened in between.
 *
 * <pre>{@code
 * try (Mode _ = Mode.eval(student)) { ... }
 * }</pre>
 */
public final class Mode implements AutoCloseable {
  private final Network network;
  private final boolean before;

  private Mode(Network network, boolean training) {
    this.network = network;
    this.before = network.training();
    set(training);
  }

  public static Mode eval(Network network) {
    return new Mode(network, false);
  }

  public static Mode train(Network network) {
    return new Mode(network, true);
  }

  private void set(boolean training) {
    if (network.training() != training) {
      network.train(training);
    }
  }

  @Override
  public void close() {
    set(before);
  }
}
