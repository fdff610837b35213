package bridge.method;

import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Two layers in float64 with a smooth bend between, so that finite differences are exact enough.
 */
final class ToyNetwork implements Network {
  private final int classes;
  private final long[] shape;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private boolean training;

  ToyNetwork(long seed, int channels, int size, int width, int classes, double scale) {
    this.classes = classes;
    this.shape = new long[] {width, 2, 2};
    Generator g = Generator.on(Device.CPU, seed);
    long pixels = (long) channels * size * size;
    parameters.put("hidden.weight", draw(g, 1 / Math.sqrt(pixels), width * 4L, pixels));
    parameters.put("fc.weight", draw(g, scale / Math.sqrt(width), classes, width));
    parameters.values().forEach(p -> p.requiresGrad_(true));
  }

  private static Tensor draw(Generator g, double std, long... shape) {
    return Tensor.empty(DType.FLOAT64, Device.CPU, shape).normal_(0, std, g);
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Tensor bent = images.flatten(1).linear(parameters.get("hidden.weight"), null);
    Tensor map = bent.mul(bent).add(1).sqrt().view(images.size(0), shape[0], shape[1], shape[2]);
    Tensor pooled = map.mean(2, 3);
    Map<String, Tensor> taps = new LinkedHashMap<>();
    for (String feature : features) {
      taps.put(feature, feature.equals("map") ? map : pooled);
    }
    return new Outputs(pooled.linear(parameters.get("fc.weight"), null), taps);
  }

  @Override
  public String name() {
    return "toy";
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public String penultimate() {
    return "pool";
  }

  @Override
  public List<String> modules() {
    return List.of("map", "pool");
  }

  @Override
  public Map<String, Tensor> parameters() {
    return parameters;
  }

  @Override
  public Map<String, Tensor> buffers() {
    return Map.of();
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return parameters;
  }

  @Override
  public boolean training() {
    return training;
  }

  @Override
  public void train(boolean on) {
    training = on;
  }

  @Override
  public Device device() {
    return Device.CPU;
  }
}
