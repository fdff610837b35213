/**
 * The only place for native code: tensors and the scopes that own them, loading of libtorch,
 * devices, seeds, mapped and off-heap memory, TorchScript. Operations are named as in PyTorch and
 * take plain Java arguments. {@code org.bytedeco} and {@code java.lang.foreign} appear here and
 * nowhere else; nothing here knows a network, a data set or a file format.
 */
package bridge.torch;
