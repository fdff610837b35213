package bridge.report;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Says how far a run is: a line that redraws itself on a terminal, or a plain line every ten
 * seconds and at the end of each epoch where the output is a file or a pipe. Never both.
 *
 * <p>A terminal's width comes from {@code COLUMNS} (80 without it); {@code NO_COLOR} is respected,
 * and {@code TERM=dumb} gets the plain lines. May be called from several threads.
 */
public final class Progress implements AutoCloseable {
  private static final long REDRAW_NANOS = 250_000_000L;
  private static final long PLAIN_NANOS = 10_000_000_000L;
  private static final String ERASE = "\r\u001b[K";

  private final PrintStream out;
  private final boolean bar;
  private final ProgressLine.Style style;
  private final LongSupplier clock;
  private final int epochs;
  private final long stepsPerEpoch;
  private final int batch;

  /** When training began, and how many steps were already done by then. */
  private long startNanos;

  private long startStep;

  /** Where the images per second are counted from. */
  private long markNanos;

  private long markStep;
  private double imagesPerSecond = Double.NaN;
  private volatile long dueNanos;
  private String drawn = "";

  Progress(
      PrintStream out,
      boolean terminal,
      int epochs,
      long stepsPerEpoch,
      int batch,
      Map<String, String> environment,
      LongSupplier clock) {
    this.out = out;
    this.bar = terminal && !"dumb".equals(environment.get("TERM"));
    this.style = ProgressLine.Style.of(environment, out.charset());
    this.epochs = epochs;
    this.stepsPerEpoch = stepsPerEpoch;
    this.batch = batch;
    this.clock = clock;
    resumed(0);
    this.dueNanos = startNanos;
  }

  /**
   * Starts the clock.
   *
   * @param terminal whether {@code out} is one, see {@link #onTerminal()}
   * @param batch images in a step
   */
  public static Progress start(
      PrintStream out, boolean terminal, int epochs, long stepsPerEpoch, int batch) {
    return new Progress(
        out, terminal, epochs, stepsPerEpoch, batch, System.getenv(), System::nanoTime);
  }

  /** Whether standard output is a terminal. */
  public static boolean onTerminal() {
    return System.console() != null && System.console().isTerminal();
  }

  /** Starts the clock again, with {@code step} steps already done by an earlier process. */
  public synchronized void resumed(long step) {
    startStep = step;
    markStep = step;
    startNanos = clock.getAsLong();
    markNanos = startNanos;
  }

  /** Whether it is time for a {@link #step}: only a look at the clock, to be asked every step. */
  public boolean due() {
    return clock.getAsLong() - dueNanos >= 0;
  }

  /** Whether it is time for a {@link #step}, or this one ends its epoch and is always shown. */
  public boolean due(long step) {
    return step % stepsPerEpoch == 0 || due();
  }

  /**
   * Shows a step.
   *
   * @param epoch from 1 on
   * @param step from 1 on, counted over all epochs as in {@code metrics.jsonl}
   * @param terms the loss by name, in the order of their importance
   */
  public synchronized void step(
      int epoch, long step, Map<String, Double> terms, double learningRate) {
    long now = clock.getAsLong();
    if (step > markStep && now > markNanos) {
      double current = (step - markStep) * batch * 1e9 / (now - markNanos);
      boolean smooth = bar && !Double.isNaN(imagesPerSecond);
      imagesPerSecond = smooth ? 0.8 * imagesPerSecond + 0.2 * current : current;
    }
    markStep = step;
    markNanos = now;
    double left =
        step > startStep && now > startNanos
            ? (now - startNanos) / 1e9 / (step - startStep) * (epochs * stepsPerEpoch - step)
            : Double.NaN;
    ProgressLine line =
        new ProgressLine(
            epoch,
            epochs,
            step - (epoch - 1) * stepsPerEpoch,
            stepsPerEpoch,
            terms,
            learningRate,
            imagesPerSecond,
            left);
    dueNanos = now + (bar ? REDRAW_NANOS : PLAIN_NANOS);
    if (bar) {
      drawn = line.bar(style);
      out.print(ERASE + drawn);
      out.flush();
    } else {
      println(line.plain());
    }
  }

  /**
   * Prints an epoch's outcome on a line of its own; the time since its last step does not count
   * into the images per second.
   *
   * @param summary what to say, for instance {@code clean} → {@code 81.2 %}
   */
  public synchronized void epochDone(int epoch, Map<String, String> summary) {
    List<String> parts = new ArrayList<>(List.of("epoch %d/%d done".formatted(epoch, epochs)));
    summary.forEach((name, value) -> parts.add(name + " " + value));
    erase();
    println(String.join("  ", parts));
    markStep = epoch * stepsPerEpoch;
    markNanos = clock.getAsLong();
  }

  /** Prints a line above the bar. */
  public synchronized void message(String text) {
    String bar = drawn;
    erase();
    println(text);
    if (!bar.isEmpty()) {
      drawn = bar;
      out.print(bar);
      out.flush();
    }
  }

  /** Takes the bar away, so that what follows begins on a line of its own. */
  @Override
  public synchronized void close() {
    erase();
  }

  private void erase() {
    if (!drawn.isEmpty()) {
      drawn = "";
      out.print(ERASE);
      out.flush();
    }
  }

  private void println(String line) {
    out.println(line);
    out.flush();
  }
}
