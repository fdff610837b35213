package bridge.train;

import bridge.Options;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * AdamW (Loshchilov and Hutter 2019) in PyTorch's form: θ ← θ − lr wd θ, then Adam's step with
 * bias-corrected moments and ε added after the root.
 */
final class AdamW implements Optimizer {
  record Settings(
      double learningRate, double beta1, double beta2, double epsilon, double weightDecay)
      implements Optimizer.Settings {

    static Settings from(Options options) {
      return new Settings(
          options.number("learningRate", 1e-3, 0, 1e3),
          options.number("beta1", 0.9, 0, 0.999999),
          options.number("beta2", 0.999, 0, 0.999999),
          options.number("epsilon", 1e-8, 0, 1),
          options.number("weightDecay", 1e-2, 0, 1));
    }

    @Override
    public Optimizer over(Map<String, Tensor> parameters) {
      return new AdamW(this, parameters);
    }
  }

  private final Settings settings;
  private final Map<String, Tensor> parameters;
  private final Map<String, Tensor> state = new LinkedHashMap<>();

  /** On the processor, so that reading it waits for no device. */
  private final Tensor steps = Tensor.zeros(DType.INT64, Device.CPU);

  private final FusedKernel fused =
      new FusedKernel(
          5,
          """
          def step(p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor],
                   t: List[Tensor], rate: float, beta1: float, beta2: float, decay: float,
                   epsilon: float):
            torch._fused_adamw_(p, g, m, v, [], t, lr=rate, beta1=beta1, beta2=beta2,
                                weight_decay=decay, eps=epsilon, amsgrad=False, maximize=False)
          """);

  private AdamW(Settings settings, Map<String, Tensor> parameters) {
    this.settings = settings;
    this.parameters = parameters;
    state.put("steps", steps);
    parameters.forEach(
        (name, p) -> {
          state.put(name + ".mean", p.detach().zerosLike());
          state.put(name + ".square", p.detach().zerosLike());
        });
  }

  @Override
  public void step(double learningRate) {
    steps.increment_();
    long t = steps.itemLong();
    Map<Device, Tensor> told = new HashMap<>();
    parameters.forEach(
        (name, parameter) -> {
          Tensor g = parameter.grad();
          if (g == null) {
            return;
          }
          Tensor mean = state.get(name + ".mean");
          Tensor square = state.get(name + ".square");
          Tensor count =
              told.computeIfAbsent(parameter.device(), d -> Tensor.full(t, DType.FLOAT32, d));
          if (!fused.takes(parameter, g, mean, square, count)) {
            step(parameter, g, mean, square, t, learningRate);
          }
        });
    fused.run(learningRate, settings.beta1, settings.beta2, settings.weightDecay, settings.epsilon);
  }

  private void step(
      Tensor parameter, Tensor g, Tensor mean, Tensor square, long t, double learningRate) {
    double scale = learningRate / (1 - Math.pow(settings.beta1, t));
    double root = Math.sqrt(1 - Math.pow(settings.beta2, t));
    parameter.mul_(1 - learningRate * settings.weightDecay);
    mean.lerp_(g, 1 - settings.beta1);
    square.mul_(settings.beta2).addcmul_(g, g, 1 - settings.beta2);
    Tensor denominator = square.sqrt().div(root).add_(settings.epsilon);
    parameter.addcdiv_(mean, denominator, -scale);
    parameter.clearGrad();
  }

  @Override
  public Map<String, Tensor> state() {
    return state;
  }

  @Override
  public double baseLearningRate() {
    return settings.learningRate;
  }
}
