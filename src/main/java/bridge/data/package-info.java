/**
 * Labelled images and the batches that are made of them: readers for the public formats ({@link
 * bridge.data.DataSpec}), eight-bit pixels outside the Java heap ({@link bridge.data.ImageSet}),
 * and float batches prepared one ahead ({@link bridge.data.Batches}).
 */
package bridge.data;
