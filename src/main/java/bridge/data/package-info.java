/**
 * Labelled images and the batches that are made of them: readers for the public formats ({@link
 * bridge.data.DataSpec}), eight-bit pixels outside the Java heap ({@link bridge.data.ImageSet}),
 * and float batches prepared one ahead ({@link bridge.data.Batches}).
 *
 * <p>Files are not trusted: whatever they hold, a reader gives images or a {@link
 * bridge.data.DataException} that names the file. Nothing here may know networks, attacks or
 * training, or write files but the cache of decoded images.
 */
package bridge.data;
