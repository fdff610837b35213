package bridge.train;

import bridge.Options;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Stochastic gradient descent in PyTorch's form: g ← g + wd θ; v ← μ v + g; θ ← θ − lr v, or with
 * Nesterov's momentum θ ← θ − lr (g + μ v). Weight decay covers every parameter, batch
 * normalisation's too.
 */
final class Sgd implements Optimizer {
  record Settings(double learningRate, double momentum, double weightDecay, boolean nesterov)
      implements Optimizer.Settings {

    static Settings from(Options options) {
      return new Settings(
          options.number("learningRate", 0.1, 0, 1e3),
          options.number("momentum", 0.9, 0, 1),
          options.number("weightDecay", 5e-4, 0, 1),
          options.flag("nesterov", false));
    }

    @Override
    public Optimizer over(Map<String, Tensor> parameters) {
      return new Sgd(this, parameters);
    }
  }

  private final Settings settings;
  private final Map<String, Tensor> parameters;
  private final Map<String, Tensor> velocity = new LinkedHashMap<>();
  private final FusedKernel fused =
      new FusedKernel(
          3,
          """
          def step(p: List[Tensor], g: List[Tensor], v: List[Tensor],
                   rate: float, momentum: float, decay: float, nesterov: int):
            torch._fused_sgd_(p, g, v, weight_decay=decay, momentum=momentum, lr=rate,
                              dampening=0.0, nesterov=nesterov != 0, maximize=False,
                              is_first_step=False)
          """);

  private Sgd(Settings settings, Map<String, Tensor> parameters) {
    this.settings = settings;
    this.parameters = parameters;
    parameters.forEach((name, p) -> velocity.put(name, p.detach().zerosLike()));
  }

  @Override
  public void step(double learningRate) {
    parameters.forEach(
        (name, parameter) -> {
          Tensor g = parameter.grad();
          // without momentum the fused kernel takes no velocity, which is then the gradient
          if (g != null
              && (settings.momentum == 0 || !fused.takes(parameter, g, velocity.get(name)))) {
            step(parameter, g, velocity.get(name), learningRate);
          }
        });
    fused.run(learningRate, settings.momentum, settings.weightDecay, settings.nesterov ? 1L : 0L);
  }

  private void step(Tensor parameter, Tensor g, Tensor v, double learningRate) {
    g.add_(parameter.detach(), settings.weightDecay);
    v.mul_(settings.momentum).add_(g);
    if (settings.nesterov) {
      g.add_(v, settings.momentum);
    }
    parameter.add_(settings.nesterov ? g : v, -learningRate);
    parameter.clearGrad();
  }

  @Override
  public Map<String, Tensor> state() {
    return velocity;
  }

  @Override
  public double baseLearningRate() {
    return settings.learningRate;
  }
}
