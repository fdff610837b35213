/**
 * What a run tells: the progress line, {@code metrics.jsonl}, TensorBoard events, pictures and the
 * HTML report. Everything here takes plain Java values and files; nothing knows how training works.
 */
package bridge.report;
