package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.method.parts.Inputs;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of the published methods on toy networks in float64, against finite differences. */
class DistillationGradientsTest extends ToyTest {
  private static final double TOLERANCE = 1e-8;

  static Stream<Variant> variants() {
    List<Variant> all = new ArrayList<>();
    all.add(new Variant("{'name':'pgd-at'}", 0));
    all.add(new Variant("{'name':'pgd-at','cleanPass':true}", 0));
    all.add(new Variant("{'name':'kd'}", 1));
    all.add(new Variant("{'name':'kd','temperature':2,'alpha':3,'reduction':'MEAN'}", 1));
    all.add(new Variant("{'name':'drkd'}", 1));
    all.add(new Variant("{'name':'drkd','temperature':2,'multiplier':3,'alpha':0.4}", 1));
    for (Reference reference : Reference.values()) {
      all.add(new Variant("{'name':'trades','reference':'%s'}".formatted(reference), 0));
      all.add(new Variant("{'name':'mart','reference':'%s'}".formatted(reference), 0));
      for (String method : List.of("ard", "ada-ad", "rslad")) {
        all.add(new Variant("{'name':'%s','reference':'%s'}".formatted(method, reference), 1));
        all.add(
            new Variant(
                "{'name':'%s','reference':'%s','alpha':0.7}".formatted(method, reference), 1));
      }
      for (String method : List.of("iad", "ada-iad")) {
        for (String more : List.of("1,'begin':0", "0.6,'begin':0,'temperature':3", "0.6")) {
          all.add(
              new Variant(
                  "{'name':'%s','reference':'%s','alpha':%s}".formatted(method, reference, more),
                  1));
        }
      }
      String still = "'reference':'%s','weightLearnRate':0,'weightNat':0.3".formatted(reference);
      all.add(new Variant("{'name':'mtard','multiplier':10,%s}".formatted(still), 2));
      all.add(
          new Variant(
              "{'name':'b-mtard','temperatureNat':3,'temperatureLearnRate':0,%s}".formatted(still),
              2));
      for (CaMkd.Ensemble ensemble : CaMkd.Ensemble.values()) {
        for (String more : List.of("0", "2,'begin':0", "2,'begin':0,'featLayer':'map'")) {
          all.add(
              new Variant(
                  "{'name':'ca-mkd','reference':'%s','ensemble':'%s','beta':%s}"
                      .formatted(reference, ensemble, more),
                  3));
        }
      }
    }
    all.add(new Variant("{'name':'iad','version':'II'}", 2));
    all.add(new Variant("{'name':'iad','version':'II','begin':0,'temperature':2}", 2));
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheOuterLossAreThoseOfFiniteDifferences(Variant variant) {
    Method method = method(variant);
    Inputs inputs = inputs(2);
    Tensor adversarial = moved(inputs.images());
    teachersWouldTakeGradients();
    method.begin(inputs).descend(adversarial).total().backward();
    Map<String, Tensor> all = new LinkedHashMap<>(student.parameters());
    all.putAll(method.parameters());
    all.forEach(
        (name, p) ->
            FiniteDifferences.compare(
                name,
                p,
                p.grad(),
                TOLERANCE,
                () -> method.begin(inputs).descend(adversarial).total().item()));
    for (Teacher teacher : teachers) {
      teacher.network().parameters().forEach((name, p) -> assertNull(p.grad(), name));
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheInnerObjectiveAreThoseOfFiniteDifferences(Variant variant) {
    Inputs inputs = inputs(2);
    Method method = method(variant);
    boolean attacked = !variant.json().matches(".*'(kd|drkd|ca-mkd)'.*");
    assertEquals(attacked, method.begin(inputs).objective().isPresent());
    if (!attacked) {
      return;
    }
    Tensor x = moved(inputs.images()).requiresGrad_(true);
    Objective objective = method.begin(inputs).objective().orElseThrow();
    FiniteDifferences.compare(objective, x, TOLERANCE);
  }

  /** What the gradient of the divergence is when one of its sides is held constant. */
  @Test
  void tradesAndAdaAdDifferentiateBothSides() {
    Inputs inputs = inputs(1);
    Tensor moved = inputs.images().neg().add(1);
    Method trades = method(new Variant("{'name':'trades','beta':1}", 0));
    Tensor own = Constant.of(() -> student.logits(inputs.images()));
    trades.begin(inputs).descend(moved).total().backward();
    Tensor full = student.parameters().get("fc.weight").grad().copy();
    student.parameters().values().forEach(Tensor::clearGrad);
    Tensor ce = Losses.crossEntropy(student.logits(inputs.images()), inputs.labels());
    ce.add(Divergence.softened(own, student.logits(moved), 1).mean()).backward();
    Tensor held = student.parameters().get("fc.weight").grad();
    assertTrue(full.sub(held).abs().max().item() > 1e-4);

    Method adaAd = method(new Variant("{'name':'ada-ad'}", 1));
    Tensor x = moved.detach().requiresGrad_(true);
    Tensor through = adaAd.begin(inputs).objective().orElseThrow().at(x).gradient(x);
    Tensor said = Constant.of(() -> teachers.get(0).network().logits(x));
    Tensor heldAt = Divergence.softened(said, student.logits(x), 1).mean().gradient(x);
    assertTrue(through.sub(heldAt).abs().max().item() > 1e-5);
  }

  private void teachersWouldTakeGradients() {
    for (Teacher teacher : teachers) {
      teacher.network().parameters().values().forEach(p -> p.requiresGrad_(true));
    }
  }
}
