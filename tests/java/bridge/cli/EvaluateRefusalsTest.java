package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Attacks;
import bridge.attack.Norm;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code evaluate}: what it refuses, in one line. */
class EvaluateRefusalsTest extends EvaluateCommands {
  private static Stream<Arguments> wrong() {
    return Stream.of(
        Arguments.of("--restarts must be 1 or more, found 0", new String[] {"--restarts=0"}),
        Arguments.of(
            "attack transfer needs a surrogate", new String[] {"--attacks=clean,transfer"}),
        Arguments.of(
            "--surrogate belongs to the attack transfer; add transfer to --attacks",
            new String[] {"--surrogate=models/fmnist-vgg.pt"}),
        Arguments.of(
            "--surrogate resnet8 has no weights",
            new String[] {"--attacks=transfer", "--surrogate=resnet8"}),
        Arguments.of(
            "unknown attack autoatack; did you mean autoattack?",
            new String[] {"--attacks=autoatack"}),
        Arguments.of(
            "cw-l2 has no published form in LINF; choose norm l2, or for norm linf "
                + String.join(", ", Attacks.names(Norm.LINF)),
            new String[] {"--attacks=cw-l2"}),
        Arguments.of("fgsm has no published form in L1", new String[] {"--norm=l1"}),
        Arguments.of(
            "PGD-20, which has no form in L1",
            new String[] {"--norm=l1", "--attacks=square5", "--picture=x.png"}),
        Arguments.of(
            "fgsm has no random start to begin again from", new String[] {"--attacks=fgsm-r2"}),
        Arguments.of("must end in .safetensors", new String[] {"--save-images=x.pt"}),
        Arguments.of(
            "--outcomes /nowhere/x.csv cannot", new String[] {"--outcomes=/nowhere/x.csv"}),
        Arguments.of("--certify-draws belongs to", new String[] {"--certify-draws=5"}),
        Arguments.of("--certify-every belongs to", new String[] {"--certify-every=5"}),
        Arguments.of(
            "--certify-every must be 1 or more",
            new String[] {"--certify=0.1", "--certify-every=0"}),
        Arguments.of("smoothing needs a deviation above 0", new String[] {"--certify=0"}),
        Arguments.of("state folder /proc/x cannot be used", new String[] {"--state=/proc/x"}));
  }

  @ParameterizedTest
  @MethodSource("wrong")
  void wrongOptionsAreRefusedInOneLine(String message, String[] options) {
    Console.Ran ran = Console.run(evaluate(options));
    assertEquals(2, ran.status(), ran.err());
    assertEquals("", ran.out());
    assertEquals(1, ran.err().lines().count(), ran.err());
    assertTrue(ran.err().startsWith("bridge: "), ran.err());
    assertTrue(ran.err().contains(message), ran.err());
  }
}
