package bridge.architecture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The residual, dense and small networks' options: defaults, what tells them apart, refusals. */
class ResidualOptionsTest extends SmallArchitecturesTest {
  @Test
  void membersOfTheSameTensorsAreAllNamedTheUsualOneFirst() {
    assertEquals(
        List.of(
            "preactresnet18:width=4,bn=true", "preactresnet18:width=4,bn=true,shortcut=activated"),
        fits("preactresnet18:width=4,bn=true", 3));
    assertEquals(
        List.of(
            "dm-wrn-10-2",
            "dm-wrn-10-2:activation=relu",
            "dm-wrn-10-2:normalise=cifar100",
            "dm-wrn-10-2:normalise=cifar100,activation=relu",
            "dm-wrn-10-2:normalise=none",
            "dm-wrn-10-2:normalise=none,activation=relu"),
        fits("dm-wrn-10-2", 3));
    assertEquals(
        List.of(
            "wrn-16-2:subblock=true,bias=false", "wrn-16-2:subblock=true,bias=false,cosine=true"),
        fits("wrn-16-2:subblock=true,bias=false", 3));
    assertEquals(List.of("densenet-cifar"), fits("densenet121:growth=12", 3));
    assertEquals(List.of("resnet34:width=4"), fits("resnet34:width=4", 3));
  }

  private static List<String> fits(String text, int channels) {
    Dimensions data = new Dimensions(channels, CLASSES, 32);
    return Architectures.fits(Architectures.shapes(text, data)).stream()
        .map(Architectures.Fit::text)
        .toList();
  }

  @Test
  void constantsOfANormalisationInAStateDictDoNotCount() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("mu", new long[] {1, 3, 1, 1});
    shapes.put("normalize.mean", new long[] {3});
    shapes.put("normalize.std", new long[] {3});
    shapes.putAll(Architectures.shapes("preactresnet18", new Dimensions(3, 10, 32)));
    shapes.put("sigma", new long[] {1, 3, 1, 1});
    assertTrue(Architectures.fits(shapes).getFirst().exact());
    shapes.put("running_mean", new long[] {3});
    assertFalse(Architectures.fits(shapes).getFirst().exact());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "dm-wrn-10-1 | activation=swish,normalise=cifar10 | 3",
        "dm-wrn-10-1 | activation=swish,normalise=mnist | 1",
        "dm-preactresnet18:width=4 | width=4,activation=swish,normalise=none | 2",
        "preactresnet18:width=4 | width=4,shortcut=raw,bn=false | 3",
        "preactresnet50:width=4 | width=4,shortcut=activated | 3",
        "wrn-10-1 | subblock=false,bias=true,cosine=false | 3"
      })
  void theDefaultsAreTheUsualOnes(String text, String options, int channels) {
    assertArrayEquals(
        logits(text.split(":")[0] + ":" + options, channels, 28), logits(text, channels, 28));
  }

  @ParameterizedTest
  @CsvSource({
    "dm-wrn-10-1, activation=relu",
    "dm-wrn-10-1, normalise=cifar100",
    "dm-wrn-10-1, normalise=none",
    "preactresnet18:width=4, shortcut=activated",
    "wrn-10-1:bias=false, cosine=true"
  })
  void anOptionThatNoTensorTellsChangesTheLogits(String text, String option) {
    float[] usual = logits(text, 3, 28);
    assertFalse(Arrays.equals(usual, logits(with(text, option), 3, 28)));
    assertEquals(fits(text, 3), fits(with(text, option), 3));
  }

  private static String with(String text, String option) {
    return text + (text.contains(":") ? "," : ":") + option;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "wrn-30-2 | the depth of a wide ResNet must be 6n + 4 such as 16, 28, 34 or 70, found 30",
        "dm-wrn-4-2 | the depth of a wide ResNet must be 6n + 4 such as 16, 28, 34 or 70, found 4",
        "wrn-28-0 | unknown architecture wrn-28-0; did you mean wrn-28-10?",
        "wrn-28-10:subblock=1 | model wrn-28-10.subblock must be true or false, found \"1\"",
        "wrn-28-10:cosine=true | model wrn-28-10.cosine=true is for a last layer without a bias;"
            + " add bias=false",
        "preactresnet18:shortcut=rav | must be one of RAW, ACTIVATED, found rav; did you mean RAW?",
        "dm-wrn-10-1:normalise=mnist | normalise=mnist is for images of 1 channels, but the data"
            + " has 3; use cifar10",
        "dm-wrn-10-1:activation=gelu | must be one of SWISH, RELU, found gelu",
        "preactresnet20 | unknown architecture preactresnet20",
        "densenet121:width=2 | unknown key model densenet121.width; known here: growth",
        "resnet50:width=0 | model resnet50.width must be a number from 1"
      })
  void whatCannotBeIsSaidInOneLine(String text, String message) {
    UsageException e = assertThrows(UsageException.class, () -> drawn(text, 3, 32));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }

  @Test
  void tooSmallImagesAreRefused() {
    UsageException e = assertThrows(UsageException.class, () -> drawn("smallcnn", 1, 15));
    assertEquals("smallcnn needs images of 16 pixels or more, found 15", e.getMessage());
    assertEquals(BATCH * CLASSES, logits("smallcnn", 1, 16).length);
  }

  @Test
  void theSmallNetworksImageSizeIsReadOffItsFirstLinearLayer() {
    for (int size : new int[] {28, 32, 64}) {
      Map<String, long[]> shapes =
          Architectures.shapes("smallcnn", new Dimensions(1, CLASSES, size));
      assertEquals(size, Architectures.fits(shapes).getFirst().data().imageSize());
    }
  }
}
