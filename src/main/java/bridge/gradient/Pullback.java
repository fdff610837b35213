package bridge.gradient;

import bridge.graph.Program;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * A network's logits at some images, and the way back from what is made of them to the images: for
 * attacks whose objective is not the same for all images, or that need several gradients at once.
 */
public final class Pullback {
  private final Tensor images;
  private final Tensor logits;
  private final Optional<Program> program;
  private final Program.Pass pass;

  private Pullback(Tensor images, Tensor logits, Optional<Program> program, Program.Pass pass) {
    this.images = images;
    this.logits = logits;
    this.program = program;
    this.pass = pass;
  }

  /** A forward pass, by what is fastest for the network; in the innermost scope. */
  public static Pullback at(Network network, Tensor images) {
    return compiled(network, images)
        .orElseGet(
            () -> {
              Tensor x = images.detach().requiresGrad_(true);
              return new Pullback(x, network.logits(x), Optional.empty(), null);
            });
  }

  /** A forward pass that autograd takes no part in; empty where the network has no program. */
  public static Optional<Pullback> compiled(Network network, Tensor images) {
    if (!(network instanceof FoldedNetwork folded) || !folded.isCompiled()) {
      return Optional.empty();
    }
    Program program = folded.program();
    Program.Pass pass = program.forward(images.detach());
    Tensor logits = pass.logits().detach().requiresGrad_(true);
    return Optional.of(new Pullback(images, logits, Optional.of(program), pass));
  }

  /** [N, K]; autograd records what is made of them. */
  public Tensor logits() {
    return logits;
  }

  /**
   * d value / d images, [N, C, H, W]; the last one asked for.
   *
   * @param value a scalar made of {@link #logits} alone
   */
  public Tensor gradient(Tensor value) {
    return program.isEmpty()
        ? value.gradient(images)
        : program.get().backward(pass, value.gradient(logits));
  }

  /** As {@link #gradient}; more may be asked for. */
  public Tensor gradientKeepingGraph(Tensor value) {
    return program.isEmpty()
        ? value.gradientKeepingGraph(images)
        : program.get().backward(pass, value.gradientKeepingGraph(logits));
  }
}
