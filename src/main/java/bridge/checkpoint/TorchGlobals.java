package bridge.checkpoint;

import bridge.pickle.Globals;
import bridge.pickle.PickleException;
import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Global;
import bridge.pickle.Pickled.Items;
import bridge.pickle.Pickled.Opaque;
import bridge.pickle.Pickled.Tuple;
import bridge.torch.DType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The few names in a pickle that mean something here: dicts, storages and what makes a tensor of
 * them. A call of any other name makes an {@link Opaque}.
 */
final class TorchGlobals implements Globals {
  private static final Map<String, DType> STORAGES =
      Map.of(
          "FloatStorage", DType.FLOAT32,
          "DoubleStorage", DType.FLOAT64,
          "HalfStorage", DType.FLOAT16,
          "BFloat16Storage", DType.BFLOAT16,
          "LongStorage", DType.INT64,
          "IntStorage", DType.INT32,
          "ShortStorage", DType.INT16,
          "CharStorage", DType.INT8,
          "ByteStorage", DType.UINT8,
          "BoolStorage", DType.BOOL);

  /** What one file's calls may copy in all; else calling one with the same list multiplies it. */
  private static final int MOST_PAIRS = 2 * MappedTensors.MOST_TENSORS;

  /** Modules whose functions act on the machine: a file that names one is an attack. */
  private static final Set<String> ACTING =
      Set.of(
          "os",
          "posix",
          "nt",
          "subprocess",
          "sys",
          "socket",
          "shutil",
          "pty",
          "importlib",
          "runpy",
          "ctypes",
          "webbrowser",
          "commands",
          "code",
          "timeit",
          "pickle",
          "marshal",
          "asyncio");

  /** Of Python's built-in names, those that only make values. */
  private static final Set<String> HARMLESS =
      Set.of(
          "set",
          "frozenset",
          "list",
          "dict",
          "tuple",
          "int",
          "long",
          "float",
          "bool",
          "str",
          "unicode",
          "bytes",
          "bytearray",
          "complex",
          "slice",
          "range",
          "xrange",
          "object",
          "type",
          "Ellipsis",
          "NotImplemented");

  private final Map<String, View> tensors;
  private final Map<String, Storage> storages = new HashMap<>();
  private int pairs;

  /**
   * @param tensors what a bare key refers to; empty in layouts that have none
   */
  TorchGlobals(Map<String, View> tensors) {
    this.tensors = tensors;
  }

  /** The type of a storage class's elements; null for one this program does not know. */
  static DType elements(String storageClass) {
    return STORAGES.get(storageClass);
  }

  /** Refuses what would act on the machine; any other name only makes an {@link Opaque}. */
  @Override
  public void check(Global global) {
    String outermost = global.module().split("\\.", 2)[0];
    boolean builtin = outermost.equals("__builtin__") || outermost.equals("builtins");
    if (ACTING.contains(outermost) || builtin && !HARMLESS.contains(global.name())) {
      throw PickleException.unsafe(
          "names %s, which would act on your machine if Python loaded it".formatted(global));
    }
  }

  @Override
  public Object call(Object callee, List<Object> arguments) {
    return switch (callee) {
      case Global g -> call(g, arguments);
      case Opaque o -> new Opaque(o.type());
      case null, default -> throw broken("calls what is no function");
    };
  }

  private Object call(Global callee, List<Object> arguments) {
    return switch (callee.module() + "." + callee.name()) {
      case "collections.OrderedDict", "builtins.dict", "__builtin__.dict" -> dict(arguments);
      case "collections.defaultdict" -> new Dict();
      case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2" ->
          view(arguments, null);
      case "torch._utils._rebuild_tensor_v3" ->
          view(arguments, argument(arguments, 6, Global.class).name());
      case "torch._utils._rebuild_parameter",
          "torch._utils._rebuild_parameter_with_state",
          "torch.nn.parameter.Parameter",
          "torch.nn.parameter.Buffer",
          "torch.Size" ->
          arguments.isEmpty() ? new Opaque(callee) : arguments.getFirst();
      case "torch._tensor._rebuild_from_type_v2" -> {
        // (function, type, arguments, state): a tensor with attributes of its own
        Global function = argument(arguments, 0, Global.class);
        Tuple inner = argument(arguments, 2, Tuple.class);
        yield function.equals(callee) ? new Opaque(callee) : call(function, inner.items());
      }
      default -> new Opaque(callee);
    };
  }

  /** Python 2 gives an OrderedDict's entries as a list of pairs; later they are set one by one. */
  private Dict dict(List<Object> arguments) {
    Dict dict = new Dict();
    if (!arguments.isEmpty() && arguments.getFirst() instanceof Items list) {
      pairs += list.items().size();
      if (pairs > MOST_PAIRS) {
        throw broken("makes dicts of more than %d entries".formatted(MOST_PAIRS));
      }
      for (Object pair : list.items()) {
        List<Object> two = items(pair);
        dict.entries().put(argument(two, 0), argument(two, 1));
      }
    }
    return dict;
  }

  private View view(List<Object> arguments, String typeName) {
    Storage s = argument(arguments, 0, Storage.class);
    long offset = argument(arguments, 1, Long.class);
    long[] shape = longs(argument(arguments, 2));
    long[] strides = longs(argument(arguments, 3));
    DType type = typeName == null ? s.type() : named(typeName);
    return new View(s, type, typeName == null ? s.typeName() : typeName, offset, shape, strides);
  }

  private static DType named(String torchName) {
    for (DType type : DType.values()) {
      if (type.name().equalsIgnoreCase(torchName)) {
        return type;
      }
    }
    return null;
  }

  /** A storage, as ('storage', class, key, location, elements[, view]). */
  @Override
  public Object persistent(Object id) {
    if (id instanceof String key) {
      if (!tensors.containsKey(key)) {
        throw broken("refers to a tensor that is not there");
      }
      return tensors.get(key);
    }
    List<Object> parts = items(id);
    if (!"storage".equals(argument(parts, 0))) {
      throw broken("refers to what is no storage");
    }
    Global type = argument(parts, 1, Global.class);
    String key = argument(parts, 2, String.class);
    long elements = argument(parts, 4, Long.class);
    long start = 0;
    if (parts.size() > 5 && parts.get(5) instanceof Tuple view) {
      key = argument(view.items(), 0, String.class);
      start = argument(view.items(), 1, Long.class);
      elements = argument(view.items(), 2, Long.class);
    }
    if (elements < 0 || start < 0) {
      throw broken("has a storage of %d elements at %d".formatted(elements, start));
    }
    var storage = new Storage(key, elements(type.name()), type.name(), elements, start);
    Storage other = storages.putIfAbsent(key, storage);
    if (other != null && !other.typeName().equals(storage.typeName())) {
      throw broken("has storage %s of two types".formatted(CheckpointException.printable(key)));
    }
    return storage;
  }

  /** A module of TorchScript keeps its attributes; the states of others are of no use here. */
  @Override
  public void build(Object object, Object state) {
    if (object instanceof Opaque module
        && module.type().module().startsWith("__torch__")
        && state instanceof Dict dict) {
      module.attributes(dict);
    }
  }

  /** The storages met so far, by key. */
  Map<String, Storage> storages() {
    return storages;
  }

  private Object argument(List<Object> arguments, int index) {
    if (index >= arguments.size()) {
      throw broken("calls a function with %d arguments only".formatted(arguments.size()));
    }
    return arguments.get(index);
  }

  private <T> T argument(List<Object> arguments, int index, Class<T> type) {
    Object value = argument(arguments, index);
    if (!type.isInstance(value)) {
      throw PickleException.mistyped(type);
    }
    return type.cast(value);
  }

  private List<Object> items(Object value) {
    return switch (value) {
      case Tuple t -> t.items();
      case Items l -> l.items();
      case null, default -> throw PickleException.mistyped(Tuple.class);
    };
  }

  private long[] longs(Object value) {
    List<Object> items = items(value);
    if (items.size() > MappedTensors.MOST_DIMENSIONS) {
      throw broken("has a tensor of %d dimensions".formatted(items.size()));
    }
    long[] values = new long[items.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = argument(items, i, Long.class);
    }
    return values;
  }

  private static PickleException broken(String what) {
    return new PickleException(what);
  }
}
