package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.attack.Perturbed;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.AttackNames;
import bridge.evaluate.Evaluation;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What others write against the library, with nothing but what is public. */
class LibraryTest {
  private static final String MODEL = "models/fmnist-vgg.pt";

  private static Network network() {
    return Models.build(
        ModelSpec.parse(MODEL), 1, 10, 28, Normalisation.NONE, new Seeds(1), Device.CPU);
  }

  @Test
  void anAttackTakesThreeLines() {
    try (Scope _ = Scope.open("attack");
        ImageSet set = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
        Batches batches = Batches.over(set, new int[] {0, 1, 2, 3}).build();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      Batch batch = epoch.next();

      Network network = network();
      Attack attack = AttackNames.named("pgd20", new Ball(Norm.LINF, 8.0 / 255));
      Tensor made =
          attack
              .perturb(network, batch.images(), batch.labels(), Generator.on(Device.CPU, 1))
              .images();

      assertEquals(8.0 / 255, made.sub(batch.images()).abs().max().item(), 1e-6);
    }
  }

  @Test
  void soDoesAnEvaluationWithAnAttackOfOnesOwn() {
    try (Scope _ = Scope.open("evaluation");
        ImageSet set = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
        Batches batches = Batches.over(set, new int[] {0, 1, 2, 3, 4, 5}).build()) {
      Ball ball = new Ball(Norm.LINF, 0.1);
      Attack brighter =
          new Attack() {
            @Override
            public String name() {
              return "brighter";
            }

            @Override
            public Perturbed perturb(Network network, Tensor x, Tensor labels, Generator noise) {
              return new Perturbed(x.add(ball.epsilon()).clamp_(0, 1));
            }
          };
      Evaluation evaluation = new Evaluation(network(), ball, new Seeds(1));
      Evaluation.Result result = evaluation.against(List.of(brighter), batches).get(0);
      assertEquals("brighter", result.attack());
      assertEquals(0.1, result.maxPerturbation(), 1e-6);
      assertTrue(result.correct() <= result.cleanCorrect());
    }
  }
}
