package bridge.data;

import bridge.torch.Memory;
import java.io.IOException;
import java.io.InputStream;

/** From streams to memory outside the heap. */
final class Streams {
  private static final int CHUNK = 1 << 16;

  private Streams() {}

  /**
   * Reads up to {@code bytes} to {@code at}.
   *
   * @return how many there were before the stream ended
   */
  static long fill(InputStream in, Memory memory, long at, long bytes) throws IOException {
    byte[] chunk = new byte[(int) Math.min(CHUNK, Math.max(bytes, 1))];
    long done = 0;
    while (done < bytes) {
      int got = in.read(chunk, 0, (int) Math.min(chunk.length, bytes - done));
      if (got < 0) {
        return done;
      }
      memory.copyFrom(chunk, 0, at + done, got);
      done += got;
    }
    return done;
  }
}
