package bridge.graph;

import java.util.List;
import java.util.stream.Stream;

/** What an operator is applied to. */
sealed interface Operand {

  /** The result of a node; 0 is the images. */
  record Value(int id) implements Operand {}

  /** One of the graph's weights. */
  record Weight(int index) implements Operand {}

  /** A number, list, boolean or None, in TorchScript's notation. */
  record Literal(String text) implements Operand {}

  /** A list of tensors. */
  record Items(List<Operand> operands) implements Operand {}

  /** The results in it. */
  default Stream<Integer> values() {
    return switch (this) {
      case Value value -> Stream.of(value.id);
      case Items items -> items.operands.stream().flatMap(Operand::values);
      case Weight _, Literal _ -> Stream.of();
    };
  }
}
