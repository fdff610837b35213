package bridge.attack;

import bridge.UsageException;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * The Square Attack (Andriushchenko et al. 2020; fra31/auto-attack, square.py): random search
 * without gradients. Each query changes the images within one square, the same place for the whole
 * batch, and keeps the change where the margin gets smaller. Squares shrink by a schedule. L1 is as
 * L2 but for lengths, and that it projects into the ball, in the public code one smaller by a
 * millionth, and [0, 1] (Croce and Hein 2021, "Mind the box").
 *
 * @param queries after the first one, per restart; 5000 in AutoAttack
 * @param restarts on the images still right
 * @param rescaled whether the schedule, made for 10,000 queries, is squeezed into those there are:
 *     torchattacks and the public class by default; AutoAttack does not
 */
public record Square(String name, Ball ball, int queries, int restarts, boolean rescaled)
    implements Attack {
  private static final int QUERIES = 5000;

  /** The share of the pixels that the first squares change. */
  private static final double FIRST_SHARE = 0.8;

  /** After these many queries of 10,000 squares get half the area. */
  private static final int[] HALVINGS = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};

  public Square {
    if (queries < 0 || restarts < 1) {
      throw new UsageException(
          "%s needs 0 queries and 1 restart or more, found %d and %d"
              .formatted(name, queries, restarts));
    }
  }

  /** {@code square} of AutoAttack: 5000 queries, plain schedule. */
  public static Square of(Ball ball) {
    return new Square("square", ball, QUERIES, 1, false);
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("square");
        Mode _ = Mode.eval(network);
        NoGrad _ = NoGrad.enter()) {
      Survivors survivors = new Survivors(network, images, labels);
      for (int i = 0; i < restarts && !survivors.none(); i++) {
        try (Scope _ = Scope.open("round")) {
          SquareSearch search = search(network, survivors.images(), survivors.labels(), noise);
          search.run();
          survivors.update(search.broken, search.found);
        }
      }
      return new Perturbed(attack.keep(survivors.found()));
    }
  }

  /** All of it is a search at random. */
  @Override
  public boolean randomStart() {
    return true;
  }

  @Override
  public Optional<Attack> withRestarts(int times) {
    return Optional.of(new Square(name, ball, queries, times, rescaled));
  }

  /** The side of the squares at this query, in pixels, before the norm's own rules. */
  int side(int query, long height, long width) {
    long place = rescaled ? (long) ((double) query / queries * 10_000) : query;
    double share = FIRST_SHARE;
    for (int halving : HALVINGS) {
      if (place > halving) {
        share /= 2;
      }
    }
    return (int) Math.rint(Math.sqrt(share * height * width));
  }

  private SquareSearch search(Network network, Tensor images, Tensor labels, Generator noise) {
    long count = (long) queries * drawsPerQuery(images);
    float[] draws = Tensor.uniform(0, 1, noise, images.device(), count).toFloats();
    boolean looks = images.device().equals(Device.CPU);
    return new SquareSearch(this, network, images, labels, noise, draws, looks);
  }

  /** How many random numbers a query is placed by. */
  int drawsPerQuery(Tensor images) {
    return ball.norm() == Norm.LINF ? 2 + (int) images.size(1) : 5;
  }
}
