package bridge.pickle;

import bridge.pickle.Pickled.Global;
import java.util.List;

/**
 * What the classes and functions that a kind of file names mean here. None is ever loaded or run.
 * All methods may throw a {@link PickleException}.
 */
public interface Globals {
  /**
   * Sees every name of a class or function before it becomes a value.
   *
   * @throws PickleException if no file of this kind needs it
   */
  void check(Global global);

  /** The value of {@code callee(*arguments)}; opcodes REDUCE and NEWOBJ. */
  Object call(Object callee, List<Object> arguments);

  /** Gives an object its state; opcode BUILD. */
  void build(Object object, Object state);

  /** What lies outside the pickle under this name; opcode BINPERSID. */
  default Object persistent(Object id) {
    throw new PickleException("refers to what is not in it");
  }
}
