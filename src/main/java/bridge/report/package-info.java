/**
 * What people read of a run: the progress line, {@code metrics.jsonl}, TensorBoard events,
 * pictures, the HTML report and the leaderboard.
 *
 * <p>Everything here takes plain Java values and files. Tensors, networks and the training loop are
 * unknown here, so that a report can be had of any run's folder, also one that broke off.
 */
package bridge.report;
