package bridge.train;

import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.method.parts.Teacher;
import bridge.model.Network;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * What a benchmark puts between a recipe and the run made of it: images where the recipe's are not
 * at hand, and networks that look on.
 *
 * @param images of a split; whoever asks closes them
 * @param student around the recipe's
 * @param teacher around each of the recipe's
 */
record Fittings(
    Function<Split, ImageSet> images,
    UnaryOperator<Network> student,
    UnaryOperator<Network> teacher) {

  /** The recipe's images, and networks as they are. */
  static Fittings of(Recipe recipe) {
    DataSpec spec = DataSpec.parse(recipe.data);
    return new Fittings(spec::load, UnaryOperator.identity(), UnaryOperator.identity());
  }

  List<Teacher> teachers(List<Teacher> plain) {
    return plain.stream()
        .map(t -> new Teacher(t.name(), t.role(), teacher.apply(t.network()), t.feature()))
        .toList();
  }
}
