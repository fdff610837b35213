package bridge.train;

import bridge.data.Batches;
import bridge.evaluate.Evaluation;
import bridge.torch.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Attacks the test images with the students that a finished run leaves.
 *
 * @param stop whether the user asked to stop
 * @param messages gets what the user should read
 */
record FinalEvaluation(Session session, BooleanSupplier stop, Consumer<String> messages) {

  /** The user stops an evaluation, which can take longer than a process may take to end. */
  private static final class StoppedException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** The best student's accuracies, then the last one's; empty if the user stops it. */
  Optional<List<EvaluatedStudent>> run() {
    try (Scope _ = Scope.open("evaluation");
        Batches images = session.data.test()) {
      List<EvaluatedStudent> students = new ArrayList<>();
      students.add(evaluate("best.pth", images));
      boolean lastIsBest = session.position().bestEpoch() == session.recipe.epochs;
      students.add(
          lastIsBest
              ? new EvaluatedStudent("last.pth", students.getFirst().results())
              : evaluate("last.pth", images));
      return Optional.of(students);
    } catch (StoppedException e) {
      return Optional.empty();
    }
  }

  private EvaluatedStudent evaluate(String file, Batches images) {
    Recipe recipe = session.recipe;
    session.loadStudent(file);
    messages.accept("evaluating " + file + " on the test images");
    return new EvaluatedStudent(
        file,
        new Evaluation(session.student, recipe.attack.ball(), session.seeds)
            .warnings(messages)
            .run(recipe.evaluate.attacks(), images, (attack, done) -> checkStop()));
  }

  private void checkStop() {
    if (stop.getAsBoolean()) {
      throw new StoppedException();
    }
  }
}
