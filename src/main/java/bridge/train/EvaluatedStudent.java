package bridge.train;

import bridge.evaluate.Evaluation;
import java.util.List;

/**
 * A student that a run leaves, and its accuracies on the test images.
 *
 * @param file its name in the run's folder
 */
public record EvaluatedStudent(String file, List<Evaluation.Result> results) {}
