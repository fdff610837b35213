package bridge.graph;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One operator applied once.
 *
 * @param id of its result
 * @param operator PyTorch's name; never one in place
 * @param operands in PyTorch's order
 */
record Node(int id, String operator, List<Operand> operands) {

  /** The results that it needs, with repetitions. */
  Stream<Integer> inputs() {
    return operands.stream().flatMap(Operand::values);
  }

  /** The result that is its first operand. */
  int input() {
    if (operands.get(0) instanceof Operand.Value(int input)) {
      return input;
    }
    throw new Graph.Unsupported("it applies %s to a weight".formatted(operator));
  }

  boolean is(String name) {
    return operator.equals(name);
  }

  String literal(int index) {
    if (index < operands.size() && operands.get(index) instanceof Operand.Literal(String text)) {
      return text;
    }
    throw new Graph.Unsupported("an argument of %s is computed".formatted(operator));
  }

  /** A list of whole numbers such as strides; a single one stands for two. */
  long[] numbers(int index) {
    List<Long> numbers =
        Stream.of(literal(index).replaceAll("[\\[\\] ]", "").split(","))
            .filter(text -> !text.isEmpty())
            .map(Long::parseLong)
            .collect(Collectors.toList());
    return numbers.stream().mapToLong(Long::longValue).toArray();
  }

  long number(int index) {
    return Long.parseLong(literal(index));
  }

  boolean isNone(int index) {
    return index >= operands.size()
        || operands.get(index) instanceof Operand.Literal(String text) && text.equals("None");
  }
}
