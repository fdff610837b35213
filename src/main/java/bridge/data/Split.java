package bridge.data;

/** The part of a data set; where the test images have no public labels, TEST is the public part. */
public enum Split {
  TRAIN,
  TEST;

  /** {@code train} or {@code test}, as in a message. */
  @Override
  public String toString() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
