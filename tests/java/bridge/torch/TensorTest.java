package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Operations against numbers worked out by hand: that each one is the one its name says. */
class TensorTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Tensor row(double... values) {
    return Tensor.of(values, values.length);
  }

  private static Tensor index(long... values) {
    return Tensor.of(values, values.length);
  }

  /** 2 × 3: (1, 2, 3), (4, 5, 6). */
  private static Tensor table() {
    return Tensor.of(new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
  }

  private static void assertValues(Tensor found, double... expected) {
    assertArrayEquals(expected, found.toDoubles(), 1e-12, found::toString);
  }

  private static void assertShape(Tensor found, long... expected) {
    assertArrayEquals(expected, found.sizes());
  }

  // ---- making and reading -------------------------------------------------------------------

  @Test
  void valuesComeBackInRowOrder() {
    assertArrayEquals(
        new float[] {1, 2, 3, 4}, Tensor.of(new float[] {1, 2, 3, 4}, 2, 2).toFloats());
    assertArrayEquals(new long[] {-1, 1L << 40}, index(-1, 1L << 40).toLongs());
    assertValues(table().transpose(0, 1), 1, 4, 2, 5, 3, 6);
    assertEquals("Tensor[2, 3] FLOAT64 on cpu", table().toString());
  }

  @Test
  void wrongNumbersOfValuesAreRefused() {
    var e = assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[3], 2, 2));
    assertEquals("3 values do not fill the shape [2, 2]", e.getMessage());
  }

  @Test
  void emptyTensorsAreTensors() {
    Tensor none = Tensor.of(new float[0], 0, 3);
    assertShape(none, 0, 3);
    assertEquals(0, none.toFloats().length);
    assertEquals(0, none.sum().item());
  }

  @Test
  void scalarsHaveNoDimension() {
    Tensor three = Tensor.of(new float[] {3});
    assertEquals(0, three.dim());
    assertEquals(3, three.item());
    assertEquals(3, three.itemLong());
    assertEquals(DType.FLOAT32, three.dtype());
  }

  @Test
  void float64KeepsItsDigits() {
    double third = 1.0 / 3;
    assertEquals(third, Tensor.full(third, DType.FLOAT64, Device.CPU).item());
    assertEquals((float) third, Tensor.full(third, DType.FLOAT32, Device.CPU).item());
    assertEquals(DType.FLOAT64, row(1).mul(third).dtype());
    assertEquals(third, row(1).mul(third).item());
    assertEquals(DType.FLOAT32, row(1).to(DType.FLOAT32).mul(third).dtype());
  }

  @Test
  void incrementKeepsWholeNumbersWhole() {
    Tensor count = index(1L << 53).increment_();
    assertEquals((1L << 53) + 1, count.itemLong());
    assertEquals(DType.INT64, count.dtype());
  }

  @Test
  void drawsAreThoseOfTheGenerator() {
    Generator g = Generator.on(Device.CPU, 5);
    float[] first = Tensor.randn(g, Device.CPU, 20).toFloats();
    float[] second = Tensor.randn(g, Device.CPU, 20).toFloats();
    assertArrayEquals(first, Tensor.randn(g.seed(5), Device.CPU, 20).toFloats());
    assertArrayEquals(second, Tensor.randn(g, Device.CPU, 20).toFloats());
    Tensor even = Tensor.uniform(2, 3, g, Device.CPU, 1000);
    assertTrue(even.min().item() >= 2 && even.max().item() < 3);
    assertEquals(2.5, even.mean().item(), 0.05);
  }

  // ---- arithmetic ---------------------------------------------------------------------------

  @Test
  void arithmeticWithATensorANumberAndAFactor() {
    Tensor a = row(1, -2, 4);
    Tensor b = row(2, 3, 5);
    assertValues(a.add(b), 3, 1, 9);
    assertValues(a.add(b, 0.5), 2, -0.5, 6.5);
    assertValues(a.add(1), 2, -1, 5);
    assertValues(a.sub(b), -1, -5, -1);
    assertValues(a.sub(1), 0, -3, 3);
    assertValues(a.mul(b), 2, -6, 20);
    assertValues(a.div(b), 0.5, -2.0 / 3, 0.8);
    assertValues(a.div(4), 0.25, -0.5, 1);
    assertValues(a.neg(), -1, 2, -4);
    assertValues(a.abs(), 1, 2, 4);
    assertValues(a.pow(2), 1, 4, 16);
    assertValues(row(4, 9).sqrt(), 2, 3);
    assertValues(row(0, 1).exp().log(), 0, 1);
    assertValues(row(-3, 0, 1e-300).sign(), -1, 0, 1);
  }

  @Test
  void inPlaceArithmeticChangesTheTensor() {
    Tensor a = row(1, 2);
    a.add_(row(1, 1)).add_(row(1, 1), 0.5).add_(1).mul_(2).mul_(row(1, 10));
    assertValues(a, 7, 90);
    assertValues(row(1, 2).lerp_(row(3, 6), 0.25), 1.5, 3);
    assertValues(row(1, 1).addcmul_(row(2, 3), row(4, 5), 0.1), 1.8, 2.5);
    assertValues(row(1, 1).addcdiv_(row(2, 3), row(4, 6), -1), 0.5, 0.5);
    assertValues(row(0, 0).copy_(row(3, 4)), 3, 4);
    assertValues(row(-1, 2).relu_(), 0, 2);
  }

  @Test
  void clampsBetweenNumbersAndBetweenTensors() {
    Tensor a = row(-1, 0.5, 3);
    assertValues(a.clamp(0, 1), 0, 0.5, 1);
    assertValues(a.clamp(row(-2, 1, 0), row(0, 2, 2)), -1, 1, 2);
    assertValues(a.clampMin(0), 0, 0.5, 3);
    assertValues(a.minimum(row(0, 0, 0)), -1, 0, 0);
    assertValues(a.maximum(row(0, 0, 0)), 0, 0.5, 3);
  }

  @Test
  void comparisonsAndChoices() {
    Tensor a = row(1, 2, 3);
    Tensor b = row(3, 2, 1);
    assertValues(a.eq(b), 0, 1, 0);
    assertValues(a.ne(b), 1, 0, 1);
    assertValues(a.gt(b), 0, 0, 1);
    assertValues(a.gt(1.5), 0, 1, 1);
    assertValues(a.lt(1.5), 1, 0, 0);
    assertValues(a.gt(b).logicalNot(), 1, 1, 0);
    assertValues(a.gt(1.5).logicalAnd(a.lt(2.5)), 0, 1, 0);
    assertValues(a.gt(1.5).where(b, a), 1, 2, 1);
    assertValues(a.maskedFill(a.gt(1.5), -9), 1, -9, -9);
    assertValues(row(1, Double.NaN, Double.POSITIVE_INFINITY).isFinite(), 1, 0, 0);
    assertEquals(DType.BOOL, a.eq(b).dtype());
  }

  // ---- reducing -----------------------------------------------------------------------------

  @Test
  void sumsMeansAndExtremes() {
    assertEquals(21, table().sum().item());
    assertEquals(3.5, table().mean().item());
    assertValues(table().sum(1), 6, 15);
    assertValues(table().mean(0), 2.5, 3.5, 4.5);
    assertShape(table().sumKeep(1), 2, 1);
    assertValues(table().sumKeep(1), 6, 15);
    assertShape(table().meanKeep(0, 1), 1, 1);
    assertValues(table().meanKeep(0, 1), 3.5);
    assertValues(table().amaxKeep(1), 3, 6);
    assertValues(table().aminKeep(0), 1, 2, 3);
    assertEquals(6, table().max().item());
    assertEquals(1, table().min().item());
  }

  @Test
  void theFirstOfEqualMaximaIsTaken() {
    Tensor ties = Tensor.of(new double[] {1, 7, 7, 0, 0, 0}, 2, 3);
    assertArrayEquals(new long[] {1, 0}, ties.argmax(1).toLongs());
  }

  @Test
  void varianceIsTheBiasedOne() {
    // deviations −1, 0, 1: 2/3, not 2/2
    assertShape(table().varianceKeep(1), 2, 1);
    assertValues(table().varianceKeep(1), 2.0 / 3, 2.0 / 3);
    assertValues(table().varianceKeep(0, 1), 35.0 / 12);
  }

  @Test
  void normIsTheEuclideanLength() {
    Tensor a = Tensor.of(new double[] {3, -4, 0, 5, 12, 0}, 2, 3);
    assertShape(a.norm2Keep(1), 2, 1);
    assertValues(a.norm2Keep(1), 5, 13);
  }

  // ---- shape --------------------------------------------------------------------------------

  @Test
  void shapesAndParts() {
    Tensor a = table();
    assertShape(a.view(3, 2), 3, 2);
    assertShape(a.reshape(6), 6);
    assertShape(a.unsqueeze(1), 2, 1, 3);
    assertShape(a.unsqueeze(1).squeeze(1), 2, 3);
    assertShape(a.view(1, 2, 3).flatten(1), 1, 6);
    assertEquals(3, a.size(-1));
    assertValues(a.narrow(1, 1, 2), 2, 3, 5, 6);
    assertValues(a.select(0, 1), 4, 5, 6);
    assertValues(row(7).expand(3), 7, 7, 7);
    assertValues(a.asStrided(new long[] {2}, new long[] {4}, 1), 2, 6);
    assertValues(Tensor.cat(List.of(row(1), row(2, 3)), 0), 1, 2, 3);
    assertShape(Tensor.stack(List.of(row(1, 2), row(3, 4), row(5, 6)), 1), 2, 3);
    assertValues(Tensor.stack(List.of(row(1, 2), row(3, 4)), 1), 1, 3, 2, 4);
    assertValues(Tensor.of(new double[] {5}, 1, 1, 1, 1).pad(1, 0, 0, 1), 0, 5, 0, 0);
  }

  @Test
  void gatherAndScatter() {
    Tensor a = table();
    Tensor places = Tensor.of(new long[] {2, 0, 0, 1}, 2, 2);
    assertValues(a.gather(1, places), 3, 1, 4, 5);
    assertValues(
        a.scatter(1, places, Tensor.of(new double[] {7, 8, 9, 10}, 2, 2)), 8, 2, 7, 9, 10, 6);
    assertValues(a.scatter(1, Tensor.of(new long[] {1, 2}, 2, 1), -1), 1, -1, 3, 4, 5, -1);
    assertValues(a, 1, 2, 3, 4, 5, 6);
    assertValues(a.indexSelect(1, index(2, 2, 0)), 3, 3, 1, 6, 6, 4);
    assertArrayEquals(new long[] {0, 0, 1, 1, 0, 0}, index(2, 0).oneHot(3).toLongs());
    assertArrayEquals(new long[] {0, 1, 2}, Tensor.arange(3, Device.CPU).toLongs());
  }

  // ---- network operations -------------------------------------------------------------------

  @Test
  void linearAlgebra() {
    Tensor a = table();
    assertValues(a.matmul(a.transpose(0, 1)), 14, 32, 32, 77);
    Tensor weight = Tensor.of(new double[] {1, 0, -1}, 1, 3);
    assertValues(a.linear(weight, null), -2, -2);
    assertValues(a.linear(weight, row(10)), 8, 8);
  }

  @Test
  void convolutionAndPooling() {
    Tensor image = Tensor.of(new double[] {1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3);
    Tensor ones = Tensor.full(1, DType.FLOAT64, Device.CPU, 1, 1, 2, 2);
    assertValues(image.conv2d(ones, null, 1, 0, 1), 12, 16, 24, 28);
    assertValues(image.conv2d(ones, row(0.5), 2, 1, 1), 1.5, 5.5, 11.5, 28.5);
    assertValues(image.avgPool2d(2, 1), 3, 4, 6, 7);
    assertValues(image.maxPool2d(2, 1, 0), 5, 6, 8, 9);
    assertValues(image.adaptiveAvgPool2d(1, 1), 5);
    assertValues(image.neg().add(5).relu(), 4, 3, 2, 1, 0, 0, 0, 0, 0);
  }

  @Test
  void batchNormNormalisesByTheBiasedAndStoresTheUnbiasedVariance() {
    Tensor x = Tensor.of(new double[] {1, 2, 3}, 3, 1, 1, 1);
    Tensor mean = row(0);
    Tensor variance = row(1);
    double s = Math.sqrt(3.0 / 2);
    assertValues(
        x.batchNorm(row(2), row(5), mean, variance, true, 0.1, 0), 5 - 2 * s, 5, 5 + 2 * s);
    assertValues(mean, 0.2);
    assertValues(variance, 0.9 + 0.1);
    Tensor running = x.batchNorm(row(2), row(5), row(1), row(4), false, 0.1, 0);
    assertValues(running, 5, 6, 7);
  }

  @Test
  void softmaxIsStable() {
    Tensor logits = row(1000, 1000 + Math.log(3), -1000);
    assertValues(logits.softmax(0), 0.25, 0.75, 0);
    assertValues(logits.logSoftmax(0), Math.log(0.25), Math.log(0.75), -2000 - Math.log(4));
  }

  @Test
  void klOfAnImpossibleTargetClassIsZero() {
    Tensor target = row(0.5, 0.5, 0);
    Tensor logs = row(0.25, 0.5, 0.25).log();
    assertValues(logs.klDiv(target), 0.5 * Math.log(2), 0, 0);
  }

  // ---- gradients ----------------------------------------------------------------------------

  @Test
  void gradientLeavesNoTrace() {
    Tensor x = row(1, 2, 3).requiresGrad_(true);
    Tensor y = row(4, 5, 6).requiresGrad_(true);
    assertValues(x.mul(y).sum().gradient(x), 4, 5, 6);
    assertNull(x.grad());
    assertNull(y.grad());
    List<Tensor> both = x.mul(y).sum().gradients(List.of(x, y));
    assertValues(both.get(0), 4, 5, 6);
    assertValues(both.get(1), 1, 2, 3);
  }

  @Test
  void backwardAddsUpUntilCleared() {
    Tensor x = row(1, 2).requiresGrad_(true);
    x.mul(x).sum().backward();
    x.mul(x).sum().backward();
    assertValues(x.grad(), 4, 8);
    x.clearGrad();
    assertNull(x.grad());
    x.detach().mul(3);
    assertNull(x.grad());
  }

  @Test
  void setDataIsSeenThroughTheOldTensor() {
    Tensor x = row(1, 2);
    x.setData(row(3, 4));
    assertValues(x, 3, 4);
  }

  @Test
  void channelsLastKeepsShapeAndValues() {
    Tensor x = Tensor.of(new double[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 2, 2);
    Tensor last = x.channelsLast();
    assertShape(last, 1, 2, 2, 2);
    assertValues(last, 1, 2, 3, 4, 5, 6, 7, 8);
    assertTrue(x.isContiguous() && !last.isContiguous());
    assertTrue(last.contiguous().isContiguous());
  }
}
