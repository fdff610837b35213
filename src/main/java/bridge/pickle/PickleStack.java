package bridge.pickle;

import java.util.ArrayList;
import java.util.List;

/** The values that opcodes take and leave, with marks between; nothing is taken across a mark. */
final class PickleStack {
  private final List<Object> values = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();

  void push(Object value) {
    values.add(value);
  }

  Object top() {
    return values.get(need(1));
  }

  Object pop() {
    return values.remove(need(1));
  }

  <T> T pop(Class<T> type) {
    Object value = pop();
    if (!type.isInstance(value)) {
      throw PickleException.mistyped(type);
    }
    return type.cast(value);
  }

  /** Takes the last values, in order. */
  List<Object> popLast(int count) {
    return cut(need(count));
  }

  void mark() {
    marks.add(values.size());
  }

  /** Takes all since the last mark, in order, and the mark. */
  List<Object> popMark() {
    if (marks.isEmpty()) {
      throw new PickleException("goes back to a mark that is not there");
    }
    return cut(marks.removeLast());
  }

  /** The index {@code count} below the top. */
  private int need(int count) {
    int floor = marks.isEmpty() ? 0 : marks.getLast();
    if (values.size() - count < floor) {
      throw new PickleException("takes a value that is not there");
    }
    return values.size() - count;
  }

  private List<Object> cut(int from) {
    List<Object> tail = values.subList(from, values.size());
    List<Object> items = new ArrayList<>(tail);
    tail.clear();
    return items;
  }
}
