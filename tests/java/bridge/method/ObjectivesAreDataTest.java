package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.method.parts.Inputs;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.torch.Tensor;
import bridge.train.Recipes;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What an attack climbs can be replayed: nothing of a batch hides in an objective's form. */
class ObjectivesAreDataTest extends ToyTest {
  private static final List<String> ROLES = List.of("", "STANDARD", "CLEAN ADVERSARIAL", "PEER");

  static Stream<String> options() {
    Stream<String> more =
        Stream.of("CE", "KL_SELF", "KL_FUSED", "KL_TEACHERS")
            .map("{'name':'sa-mdrad','innerLoss':'%s','temperature':2}"::formatted);
    Stream<String> other =
        Stream.of("{'name':'vfd-adv','base':'TRADES'}", "{'name':'iad','version':'II'}");
    Stream<String> each = Methods.names().stream().map(ObjectivesAreDataTest::asInItsRecipe);
    return Stream.of(each, more, other).flatMap(s -> s);
  }

  /** The options that every method's recipe has, with a layer that the toy network has. */
  private static String asInItsRecipe(String name) {
    JsonObject options = Recipes.load(name + "-fashion-mnist").getAsJsonObject("method");
    if (options.has("featLayer")) {
      options.addProperty("featLayer", "map");
    }
    return options.toString();
  }

  @ParameterizedTest
  @MethodSource("options")
  void anObjectiveIsAFormAndTheConstantsOfItsBatch(String json) {
    Method method = methodOf(json);
    Inputs one = inputs(2);
    Tensor dark = one.images().mul(0.3);
    Tensor labels = Tensor.of(new long[] {3, 0, 0, 1, 2, 1}, BATCH);
    Inputs two = new Inputs(dark, labels, new int[6], 2, 2, 1);
    Optional<Objective> climbed = method.begin(one).objective();
    if (climbed.isEmpty()) {
      return;
    }
    Tensor x = moved(one.images());
    Objective first = climbed.get();
    double before = first.at(x).item();
    Objective second = method.begin(two).objective().orElseThrow();
    assertSame(first.form(), second.form(), "one form for all batches");
    assertEquals(before, first.at(x).item(), 0, "another batch's turn changed this one's value");
    Tensor[] values = second.constants().toArray(Tensor[]::new);
    double replayed = first.form().with(values).at(x).item();
    assertEquals(second.at(x).item(), replayed, 0);
    for (int i = 0; i < values.length; i++) {
      assertArrayEquals(first.constants().get(i).sizes(), values[i].sizes());
      assertEquals(first.constants().get(i).dtype(), values[i].dtype());
      assertFalse(values[i].requiresGrad());
    }
  }

  /** With the teachers that it takes. */
  private Method methodOf(String json) {
    for (String roles : ROLES) {
      List<Teacher.Role> wanted =
          Stream.of(roles.split(" ")).filter(r -> !r.isEmpty()).map(Teacher.Role::valueOf).toList();
      networks(wanted.size());
      List<Teacher> teachers = new ArrayList<>();
      for (int k = 0; k < wanted.size(); k++) {
        teachers.add(new Teacher("t" + k, wanted.get(k), this.teachers.get(k).network(), "map"));
      }
      MethodContext context = setting(student, teachers);
      try {
        return create(json, context);
      } catch (UsageException e) {
        if (!e.getMessage().contains(" takes ")) {
          throw e;
        }
      }
    }
    throw new AssertionError("no teachers fit " + json);
  }
}
