package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Modules one after the other, named 0, 1, 2, … if not otherwise. */
public final class Sequential extends Module {
  private final List<Module> steps = new ArrayList<>();

  Sequential() {}

  /** Steps named 0, 1, 2 …, as PyTorch names them. */
  public Sequential(List<? extends Module> steps) {
    steps.forEach(step -> add(Integer.toString(this.steps.size()), step));
  }

  /** A further step. */
  Sequential add(String name, Module step) {
    steps.add(child(name, step));
    return this;
  }

  @Override
  protected Tensor forward(Tensor x) {
    for (Module step : steps) {
      x = step.apply(x);
    }
    return x;
  }
}
