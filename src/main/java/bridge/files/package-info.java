/**
 * Files and what can go wrong with them, for every package above: whole-file writes ({@link
 * bridge.files.WholeFile}), files that only grow ({@link bridge.files.AppendedFile}), the lock of a
 * folder ({@link bridge.files.FolderLock}), checksums ({@link bridge.files.Digest}), and the
 * system's refusals in words ({@link bridge.files.Reason}).
 *
 * <p>Nothing here may know what a file holds, or tensors. Nobody else moves files, takes locks or
 * puts an {@link java.io.IOException} into words.
 */
package bridge.files;
