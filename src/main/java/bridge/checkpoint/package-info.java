/**
 * Weights in and out of files: every layout that PyTorch users have ({@link
 * bridge.checkpoint.Checkpoints}), safetensors with text beside the tensors ({@link
 * bridge.checkpoint.TensorFile}), and the names under which weights lie and match a network's
 * ({@link bridge.checkpoint.StateDict}).
 *
 * <p>Files are not trusted: every size and offset is checked before a tensor is made over it, and
 * nothing that a file names is run. Nothing here may know what networks compute, or training.
 */
package bridge.checkpoint;
