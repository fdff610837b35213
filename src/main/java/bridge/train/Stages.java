package bridge.train;

/** Is told which part of a training step begins and ends; one may lie within another. */
@FunctionalInterface
interface Stages {
  /** For a run that nobody measures: costs a call and no more. */
  Stages NONE = _ -> () -> {};

  /** From now on until what is returned is closed, the step is in this stage. */
  Visit enter(Stage stage);

  /** Being in a stage. */
  @FunctionalInterface
  interface Visit extends AutoCloseable {
    @Override
    void close();
  }
}
