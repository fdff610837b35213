package bridge.pickle;

import java.util.Set;

/**
 * Which pickles stand in one kind of file.
 *
 * @param owner how messages call such a file, for instance {@code checkpoint}
 * @param highestProtocol of pickle
 * @param opcodes all that may occur
 * @param encoding what becomes of Python 2's strings
 */
public record PickleFormat(
    String owner, int highestProtocol, Set<Opcode> opcodes, Encoding encoding) {

  /**
   * What becomes of Python 2's {@code str}, which holds text or bytes, as by {@code encoding} of
   * Python's {@code pickle.load}.
   */
  public enum Encoding {
    /** {@link String}. */
    UTF8,
    /** {@link Pickled.ByteString}, left where it is in the file. */
    BYTES
  }

  public PickleFormat {
    opcodes = Set.copyOf(opcodes);
  }
}
