package bridge.method.parts;

import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What several teachers give for the same images, in their order, without recording gradients. They
 * may work while the caller goes on: whoever asks for logits or features waits for them.
 */
public final class TeacherOutputs {
  private final List<Network.Later> later = new ArrayList<>();
  private final List<String> features;

  private TeacherOutputs(List<String> features) {
    this.features = features;
  }

  /** Asks them; features are what each one's tapped submodule gives. */
  public static TeacherOutputs of(List<Teacher> teachers, Tensor images, boolean withFeatures) {
    TeacherOutputs outputs =
        new TeacherOutputs(
            withFeatures ? teachers.stream().map(Teacher::feature).toList() : List.of());
    for (Teacher teacher : teachers) {
      List<String> taps = withFeatures ? List.of(teacher.feature()) : List.of();
      outputs.later.add(teacher.network().later(images, taps));
    }
    return outputs;
  }

  /** [N, K] of each. */
  public List<Tensor> logits() {
    return later.stream().map(l -> l.await().logits()).toList();
  }

  /** Of each; empty where they were not asked for. */
  public List<Tensor> features() {
    List<Tensor> all = new ArrayList<>();
    for (int k = 0; k < features.size(); k++) {
      all.add(later.get(k).await().features().get(features.get(k)));
    }
    return all;
  }
}
