package bridge.gradient;

import bridge.torch.CudaGraph;
import bridge.torch.Device;

/** Records work on a device once, to run it again without its operations being issued anew. */
@FunctionalInterface
public interface Recorder {

  /** Work that was recorded; see {@link CudaGraph} for what it may and may not do. */
  interface Recording extends AutoCloseable {
    /**
     * Does the work, on what now is where it was recorded.
     *
     * @throws bridge.torch.NativeException if the device refuses
     */
    void replay();

    @Override
    void close();
  }

  /**
   * Records work, which may be run for real some times before.
   *
   * @throws bridge.torch.NativeException if it cannot be recorded; the device works as before
   */
  Recording record(Runnable work);

  /** By CUDA graphs, on this device. */
  static Recorder cudaGraphs(Device device) {
    return work -> {
      CudaGraph graph = CudaGraph.capture(device, work);
      return new Recording() {
        @Override
        public void replay() {
          graph.replay();
        }

        @Override
        public void close() {
          graph.close();
        }
      };
    };
  }
}
