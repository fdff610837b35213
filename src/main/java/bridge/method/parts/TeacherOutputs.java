package bridge.method.parts;

import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What several teachers give for the same images, in their order, without recording gradients.
 *
 * @param logits [N, C] of each
 * @param features of each, as its tapped submodule gives it; empty where they were not asked for
 */
public record TeacherOutputs(List<Tensor> logits, List<Tensor> features) {

  public static TeacherOutputs of(List<Teacher> teachers, Tensor images, boolean withFeatures) {
    List<Tensor> logits = new ArrayList<>();
    List<Tensor> features = new ArrayList<>();
    try (NoGrad _ = NoGrad.enter()) {
      for (Teacher teacher : teachers) {
        List<String> taps = withFeatures ? List.of(teacher.feature()) : List.of();
        Network.Outputs out = teacher.network().forward(images, taps);
        logits.add(out.logits());
        taps.forEach(tap -> features.add(out.features().get(tap)));
      }
    }
    return new TeacherOutputs(logits, features);
  }
}
