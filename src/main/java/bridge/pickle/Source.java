package bridge.pickle;

import java.nio.ByteBuffer;

/** The bytes that pickles are read from, for instance a mapped file's. */
@FunctionalInterface
public interface Source {
  /** These bytes, not copied where that can be avoided. */
  ByteBuffer buffer(long at, int bytes);
}
