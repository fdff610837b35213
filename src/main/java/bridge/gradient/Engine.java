package bridge.gradient;

import bridge.Options;
import bridge.model.Network;
import bridge.torch.CudaGraph;
import bridge.torch.Device;
import com.google.gson.JsonObject;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * By what a run computes: the key {@code gradients} of a recipe. Results of different engines
 * differ by rounding, so a run stays with the one it began with.
 *
 * @param shard the most images of a part of a batch, of which as many are worked on at a time as
 *     there are threads; 0 for no division. It is the recipe's and not the machine's, so that the
 *     bits are the same on any number of cores.
 */
public record Engine(Kind kind, int shard) {
  /** What stands behind the seam. */
  public enum Kind {
    /** The fastest there is for the device. */
    AUTO,
    /** Autograd on the networks as they are: the reference. */
    PLAIN,
    /** {@link FoldedNetwork}. */
    FOLDED,
    /** FOLDED, and on CUDA the steps of attacks recorded and replayed: {@link GraphedClimb}. */
    GRAPH
  }

  /** PLAIN, as a recipe has it. */
  public static final JsonObject PLAIN_JSON = new JsonObject();

  static {
    PLAIN_JSON.addProperty("engine", Kind.PLAIN.name());
  }

  /** Reads {@code gradients} of a recipe. */
  public static Engine from(Options options) {
    Engine engine =
        new Engine(options.choice("engine", Kind.AUTO), options.integer("shard", 32, 0, 65_536));
    options.done();
    return engine;
  }

  /** What it comes to on a device, in words. */
  public String on(Device device) {
    boolean cuda = device.isCuda();
    Kind runs = kind != Kind.AUTO ? kind : cuda ? Kind.GRAPH : Kind.FOLDED;
    return runs == Kind.PLAIN || cuda || shard == 0
        ? "gradients " + runs
        : "gradients %s, batches in parts of at most %d images".formatted(runs, shard);
  }

  /** Whether all is as autograd would have it, bit for bit. */
  public boolean isPlain() {
    return kind == Kind.PLAIN;
  }

  /** For evaluation, where whole batches are worked on side by side. */
  public static Engine ofWholeBatches(Kind kind) {
    return new Engine(kind == Kind.PLAIN ? Kind.PLAIN : Kind.FOLDED, 0);
  }

  /**
   * The network as this engine runs it, for the innermost scope's life.
   *
   * @param imageShape C, H, W
   * @param log told, in a line each, what is not as the engine would have it
   */
  public Network over(Network network, long[] imageShape, Consumer<String> log) {
    if (kind == Kind.PLAIN) {
      return network;
    }
    boolean cuda = network.device().isCuda();
    FoldedNetwork folded = FoldedNetwork.of(network, imageShape, cuda ? 0 : shard, log);
    if (kind == Kind.GRAPH || kind == Kind.AUTO && cuda) {
      Optional<String> why =
          cuda ? CudaGraph.unavailable() : Optional.of("the device is the processor");
      why.ifPresentOrElse(
          reason -> log.accept("%s runs without CUDA graphs: %s".formatted(network.name(), reason)),
          () -> folded.withGraphs(Recorder.cudaGraphs(network.device())));
    }
    return folded;
  }
}
