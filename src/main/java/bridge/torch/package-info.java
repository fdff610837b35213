/**
 * The only way to libtorch: tensors and their scopes, devices, random numbers, TorchScript modules,
 * memory outside the Java heap, and the loading of the native libraries.
 *
 * <p>{@code org.bytedeco} and {@code java.lang.foreign} are imported here and nowhere else. What is
 * here knows nothing of the rest of the program and nothing of machine learning beyond libtorch's
 * own operations. Every {@link bridge.torch.Tensor} belongs to a {@link bridge.torch.Scope}, which
 * frees it.
 */
package bridge.torch;
