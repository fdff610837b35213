package bridge.checkpoint;

import bridge.pickle.Opcode;
import bridge.pickle.PickleException;
import bridge.pickle.PickleFormat;
import bridge.pickle.Unpickler;
import bridge.torch.Memory;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;

/** The pickles of PyTorch's checkpoints: protocols 2 to 5, with tensors as {@link View}. */
final class TorchPickle {
  private static final PickleFormat FORMAT =
      new PickleFormat("checkpoint", 5, EnumSet.allOf(Opcode.class), PickleFormat.Encoding.UTF8);

  private TorchPickle() {}

  /**
   * A pickle's value.
   *
   * @param value as {@link bridge.pickle.Pickled} says, and {@link View}, {@link Storage}
   * @param storages all that the pickle refers to, by key
   * @param end the byte behind the pickle
   */
  record Result(Object value, Map<String, Storage> storages, long end) {}

  /**
   * Reads the pickle that begins at {@code start}; it must stop before {@code end}.
   *
   * @throws CheckpointException if it is broken, too large, or names a function that acts
   */
  static Result read(Path file, Memory memory, long start, long end) {
    return read(file, memory, start, end, Map.of());
  }

  /** As above, in a layout whose objects refer to tensors by key. */
  static Result read(Path file, Memory memory, long start, long end, Map<String, View> tensors) {
    TorchGlobals globals = new TorchGlobals(tensors);
    try {
      var read = Unpickler.read(memory::buffer, start, end, FORMAT, globals);
      return new Result(read.value(), globals.storages(), read.end());
    } catch (PickleException e) {
      throw new CheckpointException(file, e.getMessage(), e);
    }
  }
}
