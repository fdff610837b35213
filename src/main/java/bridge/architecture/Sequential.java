package bridge.architecture;

import bridge.torch.Tensor;
import java.util.List;

/** Modules one after the other, named 0, 1, 2, … */
public final class Sequential extends Module {
  private final List<Module> steps;

  public Sequential(List<? extends Module> steps) {
    this.steps = List.copyOf(steps);
    for (int i = 0; i < steps.size(); i++) {
      child(Integer.toString(i), steps.get(i));
    }
  }

  @Override
  protected Tensor forward(Tensor x) {
    for (Module step : steps) {
      x = step.apply(x);
    }
    return x;
  }
}
