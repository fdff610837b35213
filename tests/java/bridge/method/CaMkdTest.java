package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.method.parts.Inputs;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** CA-MKD's ensembles, heads and classifiers; its gradients are with those of the others. */
class CaMkdTest extends ToyTest {
  @Test
  void headsBelongToWhatIsTrainedAndSaved() {
    Method method = method(new Variant("{'name':'ca-mkd'}", 2));
    assertEquals(6, method.parameters().size());
    assertEquals(10, method.state().size());
    assertTrue(method.state().containsKey("heads.1.bn.running_var"));
    for (String ensemble : List.of("AVERAGE", "EBKD")) {
      String json = "{'name':'ca-mkd','ensemble':'%s'}".formatted(ensemble);
      assertTrue(method(new Variant(json, 2)).parameters().isEmpty(), ensemble);
    }
  }

  @Test
  void featuresBeginAfterTheFirstEpoch() {
    Method method = method(new Variant("{'name':'ca-mkd'}", 2));
    assertFalse(method.begin(inputs(1)).descend(null).terms().containsKey("feat"));
    assertTrue(method.begin(inputs(2)).descend(null).terms().containsKey("feat"));
  }

  /** The code divides CAMKD's sum by K, whose weights sum to 1; the others are the code's alone. */
  @Test
  void thePaperHasNoDivisionByTheNumberOfTeachers() {
    String json = "{'name':'ca-mkd','begin':0,'featLayer':'map','reference':'%s'}";
    Map<Reference, Map<String, Tensor>> terms = new LinkedHashMap<>();
    for (Reference reference : Reference.values()) {
      Method method = method(new Variant(json.formatted(reference), 3));
      terms.put(reference, method.begin(inputs(1)).descend(null).terms());
    }
    double code = terms.get(Reference.CODE).get("kd").item();
    double paper = terms.get(Reference.PAPER).get("kd").item();
    assertEquals(paper, 3 * code, 1e-12 * paper);
    for (String ensemble : List.of("AVERAGE", "EBKD")) {
      double[] totals = new double[2];
      for (Reference reference : Reference.values()) {
        String other = "{'name':'ca-mkd','ensemble':'%s','reference':'%s'}";
        Method method = method(new Variant(other.formatted(ensemble, reference), 3));
        totals[reference.ordinal()] = method.begin(inputs(1)).descend(null).total().item();
      }
      assertEquals(totals[0], totals[1], 0, ensemble);
    }
  }

  /**
   * The second of three teachers has a vector for a map: from there CODE goes on to the third with
   * a map of one value per channel, PAPER with the student's own.
   */
  @ParameterizedTest
  @EnumSource(Reference.class)
  void theFeatureTermIsThatOfItsHeadsAndTheTeachersClassifiers(Reference reference) {
    String json = "{'name':'ca-mkd','begin':0,'beta':1,'featLayer':'map','reference':'%s'}";
    Method method = method(new Variant(json.formatted(reference), 3));
    Inputs inputs = inputs(1);
    Tensor map = feature(student, "map", inputs);
    Tensor one = map.mean(2, 3).unsqueeze(2).unsqueeze(3);
    Tensor third = reference == Reference.CODE ? one.expand(BATCH, 5, 2, 2) : map;
    List<Tensor> sources = List.of(map, one, third);
    List<Tensor> projected = new ArrayList<>();
    List<Tensor> answers = new ArrayList<>();
    List<Tensor> targets = new ArrayList<>();
    for (int k = 0; k < 3; k++) {
      Network teacher = teachers.get(k).network();
      Tensor target = feature(teacher, teachers.get(k).feature(), inputs);
      targets.add(target.dim() == 4 ? target : target.unsqueeze(2).unsqueeze(3));
      Tensor weight = method.parameters().get("heads.%d.weight".formatted(k));
      projected.add(standardised(sources.get(k).conv2d(weight, null, 1, 0, 1)).relu());
      Tensor last = teacher.parameters().get("fc.weight");
      answers.add(projected.get(k).mean(2, 3).linear(last, null));
    }
    double divided =
        CaMkd.featureTerm(Reference.CODE, projected, targets, answers, inputs.labels()).item();
    double expected = reference == Reference.CODE ? divided : 3 * divided;
    assertEquals(expected, method.begin(inputs).descend(null).terms().get("feat").item(), 1e-12);
  }

  private static Tensor feature(Network network, String path, Inputs inputs) {
    return network.forward(inputs.images(), List.of(path)).features().get(path);
  }

  /** Per channel over batch and positions, as batch normalisation that has just begun. */
  private static Tensor standardised(Tensor map) {
    Tensor centred = map.sub(map.meanKeep(0, 2, 3));
    return centred.div(centred.mul(centred).meanKeep(0, 2, 3).add(1e-5).sqrt());
  }

  @Test
  void ensemblesOfOneTeacherAreKd() {
    Inputs inputs = inputs(1);
    double kd =
        method(new Variant("{'name':'kd','alpha':1,'gamma':1}", 1))
            .begin(inputs)
            .descend(null)
            .total()
            .item();
    for (CaMkd.Ensemble ensemble : CaMkd.Ensemble.values()) {
      String json = "{'name':'ca-mkd','ensemble':'%s'}".formatted(ensemble);
      assertEquals(
          kd, method(new Variant(json, 1)).begin(inputs).descend(null).total().item(), 1e-12);
    }
  }

  @Test
  void ensembleWeightsSumToOneOrToOneLessThanTheTeachers() {
    Inputs inputs = inputs(1);
    networks(3);
    List<Tensor> logits = teachers.stream().map(k -> k.network().logits(inputs.images())).toList();
    for (CaMkd.Ensemble ensemble : List.of(CaMkd.Ensemble.CAMKD, CaMkd.Ensemble.EBKD)) {
      Tensor sums = CaMkd.weights(ensemble, logits, inputs.labels()).sum(1);
      double expected = ensemble == CaMkd.Ensemble.CAMKD ? 1 : 2;
      assertEquals(0, sums.sub(expected).abs().max().item(), 1e-12, ensemble.name());
    }
  }

  /** The bundled VGG: another width, the right width before its last ReLU, and the right map. */
  @ParameterizedTest
  @CsvSource({"features.2, true", "features.16, true", "features, false", "pool, false"})
  void aTeacherWhoseFeatureItsLastLayerDoesNotTakeIsRefused(String feature, boolean refused) {
    Network small = network("resnet8:width=4");
    Network vgg = network("models/fmnist-vgg.pt");
    vgg.freeze();
    Teacher teacher = new Teacher("vgg", Teacher.Role.STANDARD, vgg, feature);
    MethodContext setting =
        new MethodContext(
            small,
            List.of(teacher),
            10,
            new long[] {1, 28, 28},
            new int[] {0, 1, 2},
            new Seeds(7),
            Device.CPU);
    if (!refused) {
      create("{'name':'ca-mkd'}", setting);
      return;
    }
    UsageException e =
        assertThrows(UsageException.class, () -> create("{'name':'ca-mkd'}", setting));
    assertEquals(
        "teacher vgg does not make its logits by a linear layer from the mean of %s; name the module before its pooling as its features, or set method.beta to 0"
            .formatted(feature),
        e.getMessage());
    create("{'name':'ca-mkd','beta':0}", setting);
  }

  private static Network network(String model) {
    return Models.build(
        ModelSpec.parse(model), 1, 10, 28, Normalisation.NONE, new Seeds(1), Device.CPU);
  }
}
