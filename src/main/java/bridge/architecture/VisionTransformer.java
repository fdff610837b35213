package bridge.architecture;

import bridge.Options;
import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.List;
import java.util.stream.Stream;

/**
 * The vision transformer (Dosovitskiy et al. 2021) with the names of jeonsworld's ViT-pytorch
 * ({@code modeling.py}), which chenyaofo's and MTARD's {@code vit.py} repeat: square patches, a
 * class token, learned positions, normalisation before attention and before the multilayer
 * perceptron, dropout 0.1 after the embedding and inside the latter, none in attention; the logits
 * are a linear function of the normalised class token. Weights start as there; the head as
 * PyTorch's default.
 *
 * <p>The options default to ViT-B/16. {@code image} is the side in pixels that the network works
 * at, which fixes its positions; images of another size are resized bilinearly before the patches
 * are cut. By default it is the data's, rounded up to whole patches. Shapes: N images, T tokens of
 * D = {@code width} numbers.
 */
final class VisionTransformer {
  private static final String NAME = "vit-b16";

  static final Family FAMILY =
      new Family(
          NAME,
          List.of(NAME),
          (init, data, _, options) -> build(init, data, Plan.of(options, data.imageSize())),
          VisionTransformer::guesses);

  private static final String TOKEN = "token";
  private static final double EPS = 1e-6;
  private static final double DROPOUT = 0.1;

  private VisionTransformer() {}

  private static Architecture build(Init init, Dimensions data, Plan plan) {
    Embeddings embeddings = new Embeddings(init, data.channels(), plan);
    Stream<Block> layers = Stream.generate(() -> new Block(init, plan)).limit(plan.depth);
    Sequential encoder =
        new Sequential()
            .add("layer", new Sequential(layers.toList()))
            .add("encoder_norm", new LayerNorm(init, plan.width, EPS));
    return new Chain()
        .then("resize", new Operation(x -> sized(x, plan.image)))
        .then("transformer", new Sequential().add("embeddings", embeddings).add("encoder", encoder))
        .then(TOKEN, new Operation(x -> x.select(1, 0)))
        .then("head", new Linear(init, plan.width, data.classes()))
        .penultimate(TOKEN);
  }

  private static Tensor sized(Tensor x, int image) {
    return x.size(2) == image && x.size(3) == image ? x : x.resize(image, image);
  }

  /**
   * @param image side in pixels, a multiple of {@code patch}
   * @param patch side of a patch in pixels
   * @param depth blocks
   * @param width of a token, a multiple of {@code heads}
   * @param mlp width inside the multilayer perceptron
   */
  private record Plan(int image, int patch, int depth, int width, int heads, int mlp) {
    static Plan of(Options options, int size) {
      int patch = options.integer("patch", 16, 1, 1024);
      int image = options.integer("image", (size + patch - 1) / patch * patch, 1, 4096);
      int width = options.integer("width", 768, 1, 8192);
      int heads = options.integer("heads", Math.max(1, width / 64), 1, 256);
      require(options, "image", image, "patch", patch);
      require(options, "width", width, "heads", heads);
      return new Plan(
          image,
          patch,
          options.integer("depth", 12, 1, 256),
          width,
          heads,
          options.integer("mlp", 4 * width, 1, 65_536));
    }

    private static void require(Options options, String key, int value, String part, int size) {
      if (value % size != 0) {
        throw new UsageException(
            "%s must be a multiple of %s, which is %d, found %d"
                .formatted(options.path(key), part, size, value));
      }
    }
  }

  /** The heads cannot be seen: they are 64 wide in all public networks but ViT-H, which has 16. */
  private static List<Family.Guess> guesses(Shapes shapes) {
    String positions = "transformer.embeddings.position_embeddings";
    int patch = shapes.size("transformer.embeddings.patch_embeddings.weight", 2);
    int side = (int) Math.sqrt(Math.max(0, shapes.size(positions, 1) - 1));
    int width = shapes.size(positions, 2);
    int mlp = shapes.out("transformer.encoder.layer.0.ffn.fc1.weight");
    Family.Guess guess =
        new Family.Guess(NAME + ":image=" + side * patch, side * patch)
            .option("patch", patch, 16)
            .option("depth", shapes.count("transformer.encoder.layer.%d.attn.query.weight"), 12)
            .option("width", width, 768)
            .option("mlp", mlp, 4 * width);
    return width == 1280 ? List.of(guess.option("heads", 16, 20), guess) : List.of(guess);
  }

  /** Images [N, C, H, W] to tokens [N, T, D], the class token first. */
  private static final class Embeddings extends Module {
    private final Tensor positions;
    private final Tensor cls;
    private final Conv2d patches;
    private final Dropout dropout;

    Embeddings(Init init, int channels, Plan plan) {
      int side = plan.image / plan.patch;
      positions =
          parameter("position_embeddings", init.constant(0, 1, 1 + side * side, plan.width));
      cls = parameter("cls_token", init.constant(0, 1, 1, plan.width));
      Tensor weight = init.convolution(plan.width, channels, plan.patch);
      Tensor bias = init.convolutionBias(plan.width, channels, plan.patch);
      patches = child("patch_embeddings", new Conv2d(weight, bias, plan.patch, 0, 1));
      dropout = child("dropout", new Dropout(DROPOUT));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor embedded = patches.apply(x).flatten(2).transpose(1, 2);
      Tensor tokens = Tensor.cat(List.of(cls.expand(x.size(0), -1, -1), embedded), 1);
      return dropout.apply(tokens.add_(positions));
    }
  }

  /** Attention, then the multilayer perceptron, each added to what it is given. */
  private static final class Block extends Module {
    private final LayerNorm attentionNorm;
    private final LayerNorm ffnNorm;
    private final Sequential ffn;
    private final Attention attention;

    Block(Init init, Plan plan) {
      attentionNorm = child("attention_norm", new LayerNorm(init, plan.width, EPS));
      ffnNorm = child("ffn_norm", new LayerNorm(init, plan.width, EPS));
      ffn = child("ffn", perceptron(init, plan));
      attention = child("attn", new Attention(init, plan));
    }

    private static Sequential perceptron(Init init, Plan plan) {
      return new Sequential()
          .add("fc1", layer(init, plan.width, plan.mlp))
          .add("act_fn", new Operation(Tensor::gelu))
          .add("dropout", new Dropout(DROPOUT))
          .add("fc2", layer(init, plan.mlp, plan.width))
          .add("dropout2", new Dropout(DROPOUT));
    }

    private static Linear layer(Init init, int in, int out) {
      return new Linear(init.glorot(out, in), init.normal(1e-6, out));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = attention.apply(attentionNorm.apply(x)).add_(x);
      return ffn.apply(ffnNorm.apply(y)).add_(y);
    }
  }

  /** Every token sees every other (Vaswani et al. 2017): [N, T, D] to [N, T, D]. */
  private static final class Attention extends Module {
    private final int heads;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear out;

    Attention(Init init, Plan plan) {
      heads = plan.heads;
      query = child("query", new Linear(init, plan.width, plan.width));
      key = child("key", new Linear(init, plan.width, plan.width));
      value = child("value", new Linear(init, plan.width, plan.width));
      out = child("out", new Linear(init, plan.width, plan.width));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor q = split(query.apply(x));
      Tensor k = split(key.apply(x));
      Tensor weights = q.matmul(k.transpose(2, 3)).div(Math.sqrt(q.size(3))).softmax(3);
      return out.apply(weights.matmul(split(value.apply(x))).transpose(1, 2).flatten(2));
    }

    /** [N, T, D] to [N, heads, T, D / heads]. */
    private Tensor split(Tensor x) {
      return x.reshape(x.size(0), x.size(1), heads, -1).transpose(1, 2);
    }
  }
}
