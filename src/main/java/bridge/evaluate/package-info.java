/**
 * Attacks over a data set, and what they come to: accuracies, warnings, certificates, examples.
 * {@link bridge.evaluate.ModelEvaluation} answers a checked {@link
 * bridge.evaluate.EvaluationRequest} in plain values; {@link bridge.evaluate.Evaluation} does it
 * for a network and batches that are loaded. An evaluation is a walk over the batches that can be
 * stopped and gone on with ({@link bridge.evaluate.DataPass}), and the work on one batch ({@link
 * bridge.evaluate.BatchWork}). No attack is written here, and nothing here knows training, or how
 * results are shown.
 */
package bridge.evaluate;
