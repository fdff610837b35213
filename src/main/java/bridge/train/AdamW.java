package bridge.train;

import bridge.Options;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
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
  private final Tensor steps = Tensor.zeros(DType.INT64, Device.CPU);

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
    double scale = learningRate / (1 - Math.pow(settings.beta1, t));
    double root = Math.sqrt(1 - Math.pow(settings.beta2, t));
    parameters.forEach(
        (name, parameter) -> {
          Tensor g = parameter.grad();
          if (g == null) {
            return;
          }
          Tensor mean = state.get(name + ".mean");
          Tensor square = state.get(name + ".square");
          parameter.mul_(1 - learningRate * settings.weightDecay);
          mean.lerp_(g, 1 - settings.beta1);
          square.mul_(settings.beta2).addcmul_(g, g, 1 - settings.beta2);
          Tensor denominator = square.sqrt().div(root).add_(settings.epsilon);
          parameter.addcdiv_(mean, denominator, -scale);
          parameter.clearGrad();
        });
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
