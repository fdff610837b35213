package bridge.torch;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/**
 * A tensor of libtorch, longer than other files because each operation this program uses is a
 * method of it. They are named and meant as in PyTorch and take plain Java arguments; names that
 * end in an underscore change the tensor and return it.
 *
 * <p>A tensor belongs to the {@link Scope} that was innermost when it was made. What libtorch
 * refuses arrives as a {@link NativeException} of one line.
 */
public final class Tensor {
  final org.bytedeco.pytorch.Tensor pointer;

  /** What must stay reachable as long as this tensor: the memory it borrows. */
  private final Object owner;

  private Tensor(org.bytedeco.pytorch.Tensor pointer, Object owner) {
    this.pointer = pointer;
    this.owner = owner;
  }

  static Tensor wrap(org.bytedeco.pytorch.Tensor pointer) {
    return new Tensor(pointer, null);
  }

  private static Tensor make(Supplier<org.bytedeco.pytorch.Tensor> op) {
    Scope.require();
    return new Tensor(call(op), null);
  }

  /** As {@link #make}, of what libtorch cannot do, or not differentiate, on the meta device. */
  private Tensor make(
      Supplier<org.bytedeco.pytorch.Tensor> op, Supplier<org.bytedeco.pytorch.Tensor> onMeta) {
    return make(pointer.is_meta() ? onMeta : op);
  }

  /** On the meta device, where libtorch does not look, refuses operands elsewhere. */
  private void beside(Tensor... operands) {
    beside(Arrays.asList(operands));
  }

  private void beside(List<Tensor> operands) {
    if (pointer.is_meta()) {
      operands.forEach(operand -> MetaShapes.require(operand.pointer));
    }
  }

  /** A result of this tensor's shape on the meta device. */
  private org.bytedeco.pytorch.Tensor alike(Tensor... others) {
    return meta(sizes(), others);
  }

  /** The same of one element. */
  private org.bytedeco.pytorch.Tensor meta0() {
    return meta(new long[0]);
  }

  /** A result of the shape that all these make together element by element. */
  private org.bytedeco.pytorch.Tensor blended(Tensor... others) {
    long[] shape = sizes();
    for (Tensor other : others) {
      shape = MetaShapes.broadcast(shape, other.sizes());
    }
    return meta(shape, others);
  }

  /** A result on the meta device of this shape, made of this tensor and others; null for none. */
  private org.bytedeco.pytorch.Tensor meta(long[] shape, Tensor... others) {
    var operands = new org.bytedeco.pytorch.Tensor[others.length + 1];
    operands[0] = pointer;
    for (int i = 0; i < others.length; i++) {
      operands[i + 1] = others[i] == null ? null : others[i].pointer;
    }
    return MetaShapes.of(shape, operands);
  }

  /** The same, of flags. */
  private org.bytedeco.pytorch.Tensor metaFlags(Tensor... others) {
    return blended(others).detach().eq(new Scalar(0));
  }

  private long[] shape(int... dims) {
    long[] shape = sizes();
    for (int dim : dims) {
      shape[Math.floorMod(dim, shape.length)] = 1;
    }
    return shape;
  }

  /** Runs it; what libtorch throws becomes one line. */
  static <T> T call(Supplier<T> op) {
    try {
      return op.get();
    } catch (RuntimeException e) {
      throw NativeException.of(e);
    }
  }

  private Tensor self(Supplier<org.bytedeco.pytorch.Tensor> op) {
    call(op);
    return this;
  }

  /** As {@link #self} of what libtorch cannot do, or not differentiate, on the meta device. */
  private Tensor inPlace(Supplier<org.bytedeco.pytorch.Tensor> op) {
    return self(pointer.is_meta() ? () -> pointer.mul_(new Scalar(1)) : op);
  }

  private static ScalarOptional some(double value) {
    return new ScalarOptional(new Scalar(value));
  }

  private static TensorOptional optional(Tensor t) {
    return t == null ? new TensorOptional() : new TensorOptional(t.pointer);
  }

  private static TensorVector vector(List<Tensor> tensors) {
    return new TensorVector(
        tensors.stream().map(t -> t.pointer).toArray(org.bytedeco.pytorch.Tensor[]::new));
  }

  private static TensorOptions options(DType type, Device device) {
    return new TensorOptions(type.scalar).device(new DeviceOptional(device.pointer()));
  }

  // ---- recording ---------------------------------------------------------------------------

  private static Tensor note(Tensor result, String operator, Object... arguments) {
    return Recording.note(result, operator, arguments);
  }

  private static long[] pair(long value) {
    return new long[] {value, value};
  }

  // ---- making ------------------------------------------------------------------------------

  /** A tensor whose storage is this memory, from {@code offset} bytes on; on the processor. */
  public static Tensor of(Memory memory, long offset, DType type, long... shape) {
    Scope.require();
    long bytes = Math.multiplyExact(numel(shape), type.bytes());
    if (offset < 0 || bytes > memory.size() - offset) {
      throw new IndexOutOfBoundsException(
          "a tensor of %d bytes at %d does not fit in %d".formatted(bytes, offset, memory.size()));
    }
    Pointer at = new Address(memory.address() + offset);
    var t = call(() -> torch.from_blob(at, shape, new TensorOptions(type.scalar)));
    return new Tensor(t, memory);
  }

  /** A bare address; libtorch borrows it, so nothing is ever freed through it. */
  private static final class Address extends Pointer {
    Address(long at) {
      super((Pointer) null);
      this.address = at;
    }
  }

  private static long numel(long... shape) {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  /** A float tensor with a copy of these values, on the processor. */
  public static Tensor of(float[] values, long... shape) {
    Tensor t = empty(DType.FLOAT32, Device.CPU, shape);
    if (values.length > 0) {
      t.checked(values.length).data_ptr_float().put(values);
    }
    return t;
  }

  /** A double tensor with a copy of these values, on the processor. */
  public static Tensor of(double[] values, long... shape) {
    Tensor t = empty(DType.FLOAT64, Device.CPU, shape);
    if (values.length > 0) {
      t.checked(values.length).data_ptr_double().put(values);
    }
    return t;
  }

  /** An int64 tensor with a copy of these values, on the processor. */
  public static Tensor of(long[] values, long... shape) {
    Tensor t = empty(DType.INT64, Device.CPU, shape);
    if (values.length > 0) {
      t.checked(values.length).data_ptr_long().put(values);
    }
    return t;
  }

  private org.bytedeco.pytorch.Tensor checked(int values) {
    if (values != numel()) {
      throw new IllegalArgumentException(
          "%d values do not fill the shape %s".formatted(values, Arrays.toString(sizes())));
    }
    return pointer;
  }

  public static Tensor zeros(DType type, Device device, long... shape) {
    return make(() -> torch.zeros(shape, options(type, device)));
  }

  public static Tensor full(double value, DType type, Device device, long... shape) {
    return make(() -> torch.full(shape, new Scalar(value), options(type, device)));
  }

  public static Tensor empty(DType type, Device device, long... shape) {
    return make(() -> torch.empty(shape, options(type, device), new MemoryFormatOptional()));
  }

  static org.bytedeco.pytorch.Tensor pinned(long bytes) {
    TensorOptions pinned =
        new TensorOptions(DType.UINT8.scalar).pinned_memory(new BoolOptional(true));
    return call(
        () -> torch.empty(new long[] {Math.max(bytes, 1)}, pinned, new MemoryFormatOptional()));
  }

  /** 0, 1, … as int64. */
  public static Tensor arange(long end, Device device) {
    return make(() -> torch.arange(new Scalar(end), options(DType.INT64, device)));
  }

  public Tensor zerosLike() {
    return make(() -> torch.zeros_like(pointer));
  }

  public Tensor emptyLike() {
    return make(() -> torch.empty_like(pointer));
  }

  /** A float tensor of draws from N(0, 1). */
  public static Tensor randn(Generator generator, Device device, long... shape) {
    return empty(DType.FLOAT32, device, shape).normal_(0, 1, generator);
  }

  /** A float tensor of draws from U(low, high). */
  public static Tensor uniform(
      double low, double high, Generator generator, Device device, long... shape) {
    return empty(DType.FLOAT32, device, shape).uniform_(low, high, generator);
  }

  public Tensor normal_(double mean, double std, Generator g) {
    return self(() -> pointer.normal_(mean, std, g.pointer));
  }

  public Tensor uniform_(double low, double high, Generator g) {
    return self(() -> pointer.uniform_(low, high, g.pointer));
  }

  // ---- what it is --------------------------------------------------------------------------

  public long[] sizes() {
    long[] sizes = new long[(int) pointer.dim()];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = pointer.size(i);
    }
    return sizes;
  }

  /** The length of this dimension; negative ones count from the end. */
  public long size(int dim) {
    return pointer.size(dim);
  }

  public int dim() {
    return (int) pointer.dim();
  }

  public long numel() {
    return pointer.numel();
  }

  public DType dtype() {
    return DType.of(pointer.scalar_type());
  }

  public Device device() {
    return pointer.is_cuda()
        ? new Device(pointer.device().index())
        : pointer.is_meta() ? Device.META : Device.CPU;
  }

  /** How often it was changed in place: who remembers it sees whether it is still the same. */
  public long version() {
    return pointer._version();
  }

  public boolean isContiguous() {
    return pointer.is_contiguous();
  }

  /** Where its first element lies in its device's memory; 0 where there is none. */
  public long address() {
    Pointer first = pointer.data_ptr();
    return first == null ? 0 : first.address();
  }

  // ---- moving and copying ------------------------------------------------------------------

  public Tensor to(DType type) {
    return type == dtype() ? this : make(() -> pointer.to(type.scalar));
  }

  public Tensor to(Device device) {
    return to(device, false);
  }

  /** The same values on that device; does not wait for a copy from pinned memory. */
  public Tensor to(Device device, boolean nonBlocking) {
    Device here = device();
    if (device.equals(here)) {
      return this;
    }
    DryRun.check(here, device);
    return make(
        () ->
            pointer.to(
                device.pointer(),
                pointer.scalar_type(),
                nonBlocking,
                false,
                new MemoryFormatOptional()));
  }

  public Tensor contiguous() {
    return make(pointer::contiguous);
  }

  /** Channels last in memory (NHWC), which convolutions like; the shape stays [N, C, H, W]. */
  public Tensor channelsLast() {
    return make(() -> pointer.contiguous(MemoryFormat.ChannelsLast));
  }

  /** Puts another tensor's storage in place of this one's; what refers to this one sees it. */
  public Tensor setData(Tensor from) {
    call(
        () -> {
          pointer.set_data(from.pointer);
          return null;
        });
    return this;
  }

  /** A copy of its own memory. */
  public Tensor copy() {
    return note(make(pointer::clone), "clone", this);
  }

  /** The same values, cut off from what made them. */
  public Tensor detach() {
    return make(pointer::detach);
  }

  public Tensor copy_(Tensor from) {
    beside(from);
    return self(() -> pointer.copy_(from.pointer, false));
  }

  // ---- arithmetic --------------------------------------------------------------------------

  public Tensor add(Tensor other) {
    return note(make(() -> pointer.add(other.pointer)), "add", this, other);
  }

  /** this + factor · other. */
  public Tensor add(Tensor other, double factor) {
    return make(() -> pointer.add(other.pointer, new Scalar(factor)));
  }

  public Tensor add(double value) {
    return make(() -> pointer.add(new Scalar(value)));
  }

  public Tensor sub(Tensor other) {
    return note(make(() -> pointer.sub(other.pointer)), "sub", this, other);
  }

  public Tensor sub(double value) {
    return note(make(() -> pointer.sub(new Scalar(value))), "sub", this, value);
  }

  public Tensor mul(Tensor other) {
    return note(make(() -> pointer.mul(other.pointer)), "mul", this, other);
  }

  public Tensor mul(double value) {
    return note(make(() -> pointer.mul(new Scalar(value))), "mul", this, value);
  }

  public Tensor div(Tensor other) {
    return note(make(() -> pointer.div(other.pointer)), "div", this, other);
  }

  public Tensor div(double value) {
    return note(make(() -> pointer.div(new Scalar(value))), "div", this, value);
  }

  public Tensor neg() {
    return make(pointer::neg);
  }

  public Tensor neg_() {
    return self(pointer::neg_);
  }

  public Tensor add_(Tensor other) {
    return note(self(() -> pointer.add_(other.pointer)), "add", this, other);
  }

  /** this ← this + factor · other. */
  public Tensor add_(Tensor other, double factor) {
    return self(() -> pointer.add_(other.pointer, new Scalar(factor)));
  }

  public Tensor add_(double value) {
    return self(() -> pointer.add_(new Scalar(value)));
  }

  /** this ← this + 1; whole numbers stay whole. */
  public Tensor increment_() {
    return self(() -> pointer.add_(new Scalar(1L)));
  }

  public Tensor mul_(Tensor other) {
    return self(() -> pointer.mul_(other.pointer));
  }

  public Tensor mul_(double value) {
    return self(() -> pointer.mul_(new Scalar(value)));
  }

  public Tensor zero_() {
    return self(pointer::zero_);
  }

  /** this ← this + weight · (end − this). */
  public Tensor lerp_(Tensor end, double weight) {
    return self(() -> pointer.lerp_(end.pointer, new Scalar(weight)));
  }

  /** this ← this + factor · a · b. */
  public Tensor addcmul_(Tensor a, Tensor b, double factor) {
    return self(() -> pointer.addcmul_(a.pointer, b.pointer, new Scalar(factor)));
  }

  /** this ← this + factor · a / b. */
  public Tensor addcdiv_(Tensor a, Tensor b, double factor) {
    return self(() -> pointer.addcdiv_(a.pointer, b.pointer, new Scalar(factor)));
  }

  public Tensor abs() {
    return make(pointer::abs, this::alike);
  }

  public Tensor exp() {
    return make(pointer::exp);
  }

  public Tensor log() {
    return make(pointer::log);
  }

  public Tensor sqrt() {
    return make(pointer::sqrt);
  }

  public Tensor tanh() {
    return make(pointer::tanh);
  }

  public Tensor atanh() {
    return make(pointer::atanh);
  }

  /** −1, 0 or 1; the sign of 0 is 0. */
  public Tensor sign() {
    return make(pointer::sign);
  }

  public Tensor pow(double exponent) {
    return make(() -> pointer.pow(new Scalar(exponent)));
  }

  public Tensor clamp(double low, double high) {
    return make(() -> pointer.clamp(some(low), some(high)), this::alike);
  }

  public Tensor clamp_(double low, double high) {
    return inPlace(() -> pointer.clamp_(some(low), some(high)));
  }

  /** Element by element between two tensors. */
  public Tensor clamp(Tensor low, Tensor high) {
    return make(() -> pointer.clamp(optional(low), optional(high)), () -> alike(low, high));
  }

  public Tensor clampMin(double low) {
    return make(() -> pointer.clamp(some(low), new ScalarOptional()), this::alike);
  }

  public Tensor clampMin_(double low) {
    return inPlace(() -> pointer.clamp_(some(low), new ScalarOptional()));
  }

  public Tensor minimum(Tensor other) {
    return make(() -> pointer.minimum(other.pointer), () -> blended(other));
  }

  public Tensor maximum(Tensor other) {
    return make(() -> pointer.maximum(other.pointer), () -> blended(other));
  }

  // ---- comparing ---------------------------------------------------------------------------

  public Tensor eq(Tensor other) {
    return make(() -> pointer.eq(other.pointer));
  }

  public Tensor eq(long value) {
    return make(() -> pointer.eq(new Scalar(value)));
  }

  public Tensor ne(Tensor other) {
    return make(() -> pointer.ne(other.pointer));
  }

  public Tensor gt(Tensor other) {
    return make(() -> pointer.gt(other.pointer));
  }

  public Tensor gt(double value) {
    return make(() -> pointer.gt(new Scalar(value)));
  }

  public Tensor lt(double value) {
    return make(() -> pointer.lt(new Scalar(value)));
  }

  public Tensor logicalNot() {
    return make(pointer::logical_not, this::metaFlags);
  }

  public Tensor logicalAnd(Tensor other) {
    return make(() -> pointer.logical_and(other.pointer), () -> metaFlags(other));
  }

  public Tensor logicalOr(Tensor other) {
    return make(() -> pointer.logical_or(other.pointer), () -> metaFlags(other));
  }

  public Tensor isFinite() {
    return make(pointer::isfinite, this::metaFlags);
  }

  /** Where this (bool) is true the element of {@code yes}, else of {@code no}. */
  public Tensor where(Tensor yes, Tensor no) {
    return make(() -> torch.where(pointer, yes.pointer, no.pointer), () -> yes.blended(no, this));
  }

  public Tensor maskedFill(Tensor mask, double value) {
    return make(() -> pointer.masked_fill(mask.pointer, new Scalar(value)));
  }

  // ---- reducing ----------------------------------------------------------------------------

  public Tensor sum() {
    return make(pointer::sum);
  }

  public Tensor mean() {
    return make(pointer::mean);
  }

  public Tensor sum(int... dims) {
    return make(() -> pointer.sum(longs(dims), false, new ScalarTypeOptional()));
  }

  public Tensor mean(int... dims) {
    return make(() -> pointer.mean(longs(dims), false, new ScalarTypeOptional()));
  }

  /** As {@link #sum(int...)}, the dimension kept with length 1. */
  public Tensor sumKeep(int... dims) {
    return make(() -> pointer.sum(longs(dims), true, new ScalarTypeOptional()));
  }

  /** As {@link #mean(int...)}, the dimension kept with length 1. */
  public Tensor meanKeep(int... dims) {
    return make(() -> pointer.mean(longs(dims), true, new ScalarTypeOptional()));
  }

  /** Each value with all that come before it along a dimension added. */
  public Tensor cumsum(int dim) {
    return make(() -> pointer.cumsum(dim));
  }

  /** Largest value along a dimension, kept with length 1. */
  public Tensor amaxKeep(int dim) {
    return make(() -> pointer.amax(new long[] {dim}, true));
  }

  /** Smallest value along a dimension, kept with length 1. */
  public Tensor aminKeep(int dim) {
    return make(() -> pointer.amin(new long[] {dim}, true));
  }

  /** The largest of all values. */
  public Tensor max() {
    return make(() -> pointer.max(), this::meta0);
  }

  public Tensor min() {
    return make(() -> pointer.min(), this::meta0);
  }

  /** Index of the (first) largest value along a dimension. */
  public Tensor argmax(int dim) {
    return make(() -> pointer.argmax(new LongOptional(dim), false));
  }

  /** The values along a dimension, the smallest first. */
  public Tensor sorted(int dim) {
    return make(() -> new org.bytedeco.pytorch.Tensor(pointer.sort(dim, false).get0()));
  }

  /** Where the k largest values along the last dimension are (int64), the largest first. */
  public Tensor topIndices(int k) {
    return make(() -> new org.bytedeco.pytorch.Tensor(pointer.topk(k).get1()));
  }

  /** Indices of what is not 0 or false: int64 [found, dimensions]; waits for the device. */
  public Tensor nonzero() {
    return make(pointer::nonzero);
  }

  /** Biased variance (divided by n) along dimensions, kept with length 1. */
  public Tensor varianceKeep(int... dims) {
    return make(() -> pointer.var(longs(dims), false, true), () -> meta(shape(dims)));
  }

  /** Euclidean length along dimensions, kept with length 1. */
  public Tensor norm2Keep(int... dims) {
    return make(
        () ->
            torch.linalg_vector_norm(
                pointer, new Scalar(2.0), longs(dims), true, new ScalarTypeOptional()));
  }

  private static long[] longs(int... dims) {
    return Arrays.stream(dims).asLongStream().toArray();
  }

  // ---- shape -------------------------------------------------------------------------------

  public Tensor view(long... shape) {
    return note(make(() -> pointer.view(shape)), "reshape", this, shape);
  }

  public Tensor reshape(long... shape) {
    return note(make(() -> pointer.reshape(shape)), "reshape", this, shape);
  }

  /** All dimensions from this one on in one. */
  public Tensor flatten(int start) {
    return note(make(() -> pointer.flatten(start, -1)), "flatten", this, start, -1L);
  }

  public Tensor transpose(int a, int b) {
    return note(make(() -> pointer.transpose(a, b)), "transpose", this, a, b);
  }

  public Tensor unsqueeze(int dim) {
    return make(() -> pointer.unsqueeze(dim));
  }

  public Tensor squeeze(int dim) {
    return make(() -> pointer.squeeze((long) dim));
  }

  public Tensor narrow(int dim, long start, long length) {
    return note(make(() -> pointer.narrow(dim, start, length)), "narrow", this, dim, start, length);
  }

  public Tensor select(int dim, long index) {
    return make(() -> pointer.select((long) dim, index));
  }

  public Tensor expand(long... shape) {
    return make(() -> pointer.expand(shape));
  }

  /** A view with these strides (in elements). */
  public Tensor asStrided(long[] sizes, long[] strides, long offset) {
    return make(() -> pointer.as_strided(sizes, strides, new LongOptional(offset)));
  }

  public static Tensor cat(List<Tensor> tensors, int dim) {
    tensors.getFirst().beside(tensors);
    return note(make(() -> torch.cat(vector(tensors), dim)), "cat", tensors, dim);
  }

  public static Tensor stack(List<Tensor> tensors, int dim) {
    tensors.getFirst().beside(tensors);
    return note(make(() -> torch.stack(vector(tensors), dim)), "stack", tensors, dim);
  }

  public Tensor indexSelect(int dim, Tensor index) {
    return make(
        () -> pointer.index_select((long) dim, index.pointer),
        () -> {
          long[] shape = sizes();
          shape[dim] = index.numel();
          return meta(shape, index);
        });
  }

  public Tensor gather(int dim, Tensor index) {
    beside(index);
    return make(() -> pointer.gather((long) dim, index.pointer));
  }

  /** A copy in which the places named by {@code index} hold {@code source}'s values. */
  public Tensor scatter(int dim, Tensor index, Tensor source) {
    beside(index, source);
    return make(() -> pointer.scatter((long) dim, index.pointer, source.pointer));
  }

  /** A copy in which the places named by {@code index} hold this value. */
  public Tensor scatter(int dim, Tensor index, double value) {
    beside(index);
    return make(() -> pointer.scatter((long) dim, index.pointer, new Scalar(value)));
  }

  /** Writes {@code source}'s rows over those that {@code index} names. */
  public Tensor indexCopy_(int dim, Tensor index, Tensor source) {
    beside(index, source);
    return self(() -> pointer.index_copy_((long) dim, index.pointer, source.pointer));
  }

  /** Labels as rows of 0 and 1 (int64). */
  public Tensor oneHot(long classes) {
    return make(() -> torch.one_hot(pointer, classes));
  }

  // ---- network operations ------------------------------------------------------------------

  public Tensor matmul(Tensor other) {
    beside(other);
    return make(() -> pointer.matmul(other.pointer));
  }

  /** x · weightᵀ + bias; {@code bias} may be null. */
  public Tensor linear(Tensor weight, Tensor bias) {
    beside(weight);
    return note(
        make(() -> torch.linear(pointer, weight.pointer, optional(bias))),
        "linear",
        this,
        weight,
        bias);
  }

  /** {@code bias} may be null. */
  public Tensor conv2d(Tensor weight, Tensor bias, int stride, int padding, int groups) {
    return note(
        make(
            () ->
                torch.conv2d(
                    pointer,
                    weight.pointer,
                    optional(bias),
                    new long[] {stride, stride},
                    new long[] {padding, padding},
                    new long[] {1, 1},
                    groups),
            () ->
                meta(
                    new long[] {
                      size(0),
                      weight.size(0),
                      MetaShapes.places(size(2), weight.size(2), stride, padding),
                      MetaShapes.places(size(3), weight.size(3), stride, padding)
                    },
                    weight,
                    bias)),
        "conv2d",
        this,
        weight,
        bias,
        pair(stride),
        pair(padding),
        pair(1),
        groups);
  }

  /** Transposed convolution, {@code weight} [in, out, k, k]; {@code bias} may be null. */
  public Tensor convTranspose2d(Tensor weight, Tensor bias, int stride, int padding) {
    return make(
        () ->
            torch.conv_transpose2d(
                pointer,
                weight.pointer,
                optional(bias),
                new long[] {stride, stride},
                new long[] {padding, padding},
                new long[] {0, 0},
                1,
                new long[] {1, 1}),
        () ->
            meta(
                new long[] {
                  size(0),
                  weight.size(1),
                  (size(2) - 1) * stride - 2L * padding + weight.size(2),
                  (size(3) - 1) * stride - 2L * padding + weight.size(3)
                },
                weight,
                bias));
  }

  /** Batch normalisation; when {@code training}, the running statistics are updated in place. */
  public Tensor batchNorm(
      Tensor weight,
      Tensor bias,
      Tensor runningMean,
      Tensor runningVar,
      boolean training,
      double momentum,
      double eps) {
    return note(
        make(
            () ->
                torch.batch_norm(
                    pointer,
                    optional(weight),
                    optional(bias),
                    optional(runningMean),
                    optional(runningVar),
                    training,
                    momentum,
                    eps,
                    true),
            () -> alike(weight, bias, runningMean, runningVar)),
        "batch_norm",
        this,
        weight,
        bias,
        runningMean,
        runningVar,
        training,
        momentum,
        eps,
        true);
  }

  public Tensor relu() {
    return note(make(pointer::relu, this::alike), "relu", this);
  }

  public Tensor relu_() {
    return note(inPlace(pointer::relu_), "relu", this);
  }

  /** Clamps to [0, 6]. */
  public Tensor relu6_() {
    return note(inPlace(() -> torch.relu6_(pointer)), "hardtanh", this, 0.0, 6.0);
  }

  /** x · sigmoid(x), also called Swish. */
  public Tensor silu() {
    return note(make(() -> torch.silu(pointer)), "silu", this);
  }

  /** x · Φ(x), with the normal distribution's exact function. */
  public Tensor gelu() {
    return note(make(() -> torch.gelu(pointer, "none")), "gelu", this);
  }

  /** Normalises over the last dimension. */
  public Tensor layerNorm(Tensor weight, Tensor bias, double eps) {
    return make(
        () ->
            torch.layer_norm(
                pointer, new long[] {size(-1)}, optional(weight), optional(bias), eps, true),
        () -> alike(weight, bias));
  }

  /** When {@code training}, zeroes each element with this probability and scales the others up. */
  public Tensor dropout(double probability, boolean training) {
    return note(
        make(() -> torch.dropout(pointer, probability, training)),
        "dropout",
        this,
        probability,
        training);
  }

  /** Images [N, C, H, W] of another size, bilinearly, corners not aligned. */
  public Tensor resize(int height, int width) {
    return make(
        () ->
            torch.upsample_bilinear2d(
                pointer,
                new long[] {height, width},
                false,
                new DoubleOptional(),
                new DoubleOptional()));
  }

  public Tensor avgPool2d(int kernel, int stride) {
    return note(
        make(
            () ->
                torch.avg_pool2d(
                    pointer,
                    new long[] {kernel, kernel},
                    new long[] {stride, stride},
                    new long[] {0, 0},
                    false,
                    true,
                    new LongOptional())),
        "avg_pool2d",
        this,
        pair(kernel),
        pair(stride),
        pair(0),
        false,
        true,
        null);
  }

  public Tensor adaptiveAvgPool2d(int height, int width) {
    return note(
        make(
            () -> torch.adaptive_avg_pool2d(pointer, height, width),
            () -> meta(new long[] {size(0), size(1), height, width})),
        "adaptive_avg_pool2d",
        this,
        new long[] {height, width});
  }

  public Tensor maxPool2d(int kernel, int stride, int padding) {
    return note(
        make(
            () ->
                torch.max_pool2d(
                    pointer,
                    new long[] {kernel, kernel},
                    new long[] {stride, stride},
                    new long[] {padding, padding},
                    new long[] {1, 1},
                    false)),
        "max_pool2d",
        this,
        pair(kernel),
        pair(stride),
        pair(padding),
        pair(1),
        false);
  }

  public Tensor softmax(int dim) {
    return make(() -> torch.softmax(pointer, (long) dim));
  }

  public Tensor logSoftmax(int dim) {
    return make(() -> torch.log_softmax(pointer, (long) dim));
  }

  /** target · (log target − this), this being log-probabilities; 0 where the target is 0. */
  public Tensor klDiv(Tensor target) {
    return make(() -> torch.kl_div(pointer, target.pointer, 0, false));
  }

  /** Zeros around: left, right, top, bottom. */
  public Tensor pad(long... padding) {
    return note(
        make(() -> torch.constant_pad_nd(pointer, padding)), "constant_pad_nd", this, padding);
  }

  // ---- gradients ---------------------------------------------------------------------------

  public Tensor requiresGrad_(boolean on) {
    call(() -> pointer.set_requires_grad(on));
    return this;
  }

  public boolean requiresGrad() {
    return pointer.requires_grad();
  }

  /** Adds d this / d leaf to every leaf's {@link #grad}. */
  public void backward() {
    call(
        () -> {
          pointer.backward();
          return null;
        });
  }

  /** The gradient gathered so far; null where there is none. */
  public Tensor grad() {
    Tensor g = make(pointer::grad);
    return g.pointer.defined() ? g : null;
  }

  /** Forgets the gradient and frees its memory. */
  public void clearGrad() {
    pointer.mutable_grad().reset();
  }

  /**
   * d this / d input, without touching any {@link #grad}; the graph is freed.
   *
   * @throws NativeException if this does not depend on the input
   */
  public Tensor gradient(Tensor input) {
    return gradients(List.of(input)).get(0);
  }

  /** As {@link #gradient(Tensor)}, the graph kept for further ones; it goes with its tensors. */
  public Tensor gradientKeepingGraph(Tensor input) {
    return gradients(List.of(input), true).get(0);
  }

  /** As {@link #gradient(Tensor)}, for several inputs at once. */
  public List<Tensor> gradients(List<Tensor> inputs) {
    return gradients(inputs, false);
  }

  private List<Tensor> gradients(List<Tensor> inputs, boolean keepGraph) {
    Scope.require();
    TensorVector grads =
        call(
            () ->
                torch.grad(
                    vector(List.of(this)),
                    vector(inputs),
                    new TensorVector(),
                    new BoolOptional(keepGraph),
                    false,
                    false));
    return java.util.stream.LongStream.range(0, grads.size())
        .mapToObj(i -> wrap(new org.bytedeco.pytorch.Tensor(grads.get(i))))
        .toList();
  }

  // ---- reading -----------------------------------------------------------------------------

  /** The value of a tensor of one element; waits for the device. */
  public double item() {
    return call(() -> pointer.item().toDouble());
  }

  /** As {@link #item()} for whole numbers. */
  public long itemLong() {
    return call(() -> pointer.item().toLong());
  }

  /** The elements in row-major order, converted to float. */
  public float[] toFloats() {
    try (Scope _ = Scope.open("read")) {
      Tensor t = dense(DType.FLOAT32);
      float[] values = new float[Math.toIntExact(numel())];
      if (values.length > 0) {
        t.pointer.data_ptr_float().get(values);
      }
      return values;
    }
  }

  /** The elements in row-major order, converted to double. */
  public double[] toDoubles() {
    try (Scope _ = Scope.open("read")) {
      Tensor t = dense(DType.FLOAT64);
      double[] values = new double[Math.toIntExact(numel())];
      if (values.length > 0) {
        t.pointer.data_ptr_double().get(values);
      }
      return values;
    }
  }

  /** The elements in row-major order, converted to long. */
  public long[] toLongs() {
    try (Scope _ = Scope.open("read")) {
      Tensor t = dense(DType.INT64);
      long[] values = new long[Math.toIntExact(numel())];
      if (values.length > 0) {
        t.pointer.data_ptr_long().get(values);
      }
      return values;
    }
  }

  private Tensor dense(DType type) {
    return detach().to(Device.CPU).to(type).contiguous();
  }

  /**
   * This tensor's own bytes, for a contiguous one on the processor; valid as long as the tensor is.
   */
  public Memory memory() {
    if (pointer.is_cuda() || !isContiguous()) {
      throw new IllegalStateException("only a contiguous tensor on the processor has plain bytes");
    }
    Pointer first = pointer.data_ptr();
    return Memory.borrow(first == null ? 0 : first.address(), pointer.nbytes()); // null: no element
  }

  /** libtorch's printed form; for messages and debugging. */
  @Override
  public String toString() {
    return "Tensor" + Arrays.toString(sizes()) + " " + dtype() + " on " + device();
  }
}
