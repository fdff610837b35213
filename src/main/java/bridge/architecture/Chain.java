package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/** A network of named steps, one after the other. */
final class Chain extends Architecture {
  private static final String FLATTEN = "flatten";

  private final List<Module> steps = new ArrayList<>();
  private String penultimate = POOL;
  private String normalisation = "";

  Chain then(String name, Module step) {
    steps.add(child(name, step));
    return this;
  }

  /** Registers what is saved but takes no part in the logits. */
  Chain unused(String name, Module module) {
    child(name, module);
    return this;
  }

  Chain flatten() {
    return then(FLATTEN, new Operation(x -> x.flatten(1)));
  }

  /** Ends with the mean over all positions and this layer. */
  Chain end(String name, Module head) {
    return then(POOL, new AveragePool()).flatten().then(name, head);
  }

  /** Names the feature before the last linear layer, where it is not the pooled one. */
  Chain penultimate(String path) {
    penultimate = path;
    return this;
  }

  /** Says what the first step does to the images. */
  Chain normalisation(String description) {
    normalisation = description;
    return this;
  }

  @Override
  public String normalisation() {
    return normalisation;
  }

  @Override
  public String penultimate() {
    return penultimate;
  }

  @Override
  protected Tensor forward(Tensor x) {
    for (Module step : steps) {
      x = step.apply(x);
    }
    return x;
  }
}
