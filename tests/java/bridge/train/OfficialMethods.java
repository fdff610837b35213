package bridge.train;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/**
 * The recorded scripts by the beginning of a case's name: which method of ours each is, what its
 * constants are called here, and what our loss terms are in its figures.
 */
record OfficialMethods(
    String prefix,
    String method,
    Consumer<JsonObject> set,
    Map<String, ToDoubleFunction<OfficialMethods.Row>> terms) {

  /** One step's figures and the case's constants. */
  interface Row {
    double get(String name);
  }

  private static final Consumer<JsonObject> NONE = options -> {};

  private static final List<OfficialMethods> ALL =
      List.of(
          new OfficialMethods("trades", "trades", NONE, plain("loss_natural", "loss_robust")),
          new OfficialMethods(
              "mart",
              "mart",
              NONE,
              Map.of(
                  "ce + margin",
                  row -> row.get("loss_adv"),
                  "kl",
                  row -> row.get("beta") * row.get("loss_robust"))),
          new OfficialMethods(
              "ard",
              "ard",
              NONE,
              Map.of(
                  "kd",
                  row -> row.get("alpha") * square(row.get("temperature")) * row.get("kl_mean"),
                  "ce",
                  row -> (1 - row.get("alpha")) * row.get("ce_clean"))),
          new OfficialMethods("iad1", "iad", NONE, introspective()),
          new OfficialMethods("adaiad", "ada-iad", NONE, introspective()),
          new OfficialMethods(
              "rslad",
              "rslad",
              NONE,
              Map.of(
                  "adv",
                  row -> row.get("weight_adv") * row.get("kl_adv"),
                  "nat",
                  row -> row.get("weight_nat") * row.get("kl_nat"))),
          new OfficialMethods(
              "adaad",
              "ada-ad",
              NONE,
              Map.of(
                  "adv",
                  row -> row.get("alpha") * row.get("kl_adv"),
                  "nat",
                  row -> (1 - row.get("alpha")) * row.get("kl_nat"))),
          new OfficialMethods(
              "sat_adaad", "pgd-at", options -> options.addProperty("cleanPass", true), hard()),
          new OfficialMethods("sat_iad", "pgd-at", NONE, hard()),
          new OfficialMethods("mtard", "mtard", NONE, balanced()),
          new OfficialMethods("bmtard", "b-mtard", NONE, balanced()));

  /** Their constants and the options they are. */
  private static final Map<String, String> OPTIONS = new LinkedHashMap<>();

  static {
    for (String same : List.of("alpha", "beta", "temperature", "begin", "multiplier")) {
      OPTIONS.put(same, same);
    }
    OPTIONS.put("bert", "weightExponent");
    OPTIONS.put("weight_learn_rate", "weightLearnRate");
    OPTIONS.put("temp_learn_rate", "temperatureLearnRate");
    OPTIONS.put("temp_adv", "temperatureAdv");
    OPTIONS.put("temp_nat", "temperatureNat");
    OPTIONS.put("temp_min", "temperatureMin");
    OPTIONS.put("temp_max", "temperatureMax");
  }

  private static final Set<String> OTHERS = Set.of("batch", "classes", "steps", "weight_nat");

  /** Figures that methods tell and the recordings have, by our names. */
  static final Map<String, String> TOLD =
      Map.of(
          "weightAdv", "weight_adv",
          "weightNat", "weight_nat",
          "temperatureAdv", "temp_adv",
          "temperatureNat", "temp_nat");

  private static double square(double value) {
    return value * value;
  }

  private static Map<String, ToDoubleFunction<Row>> plain(String ce, String kl) {
    return Map.of("ce", row -> row.get(ce), "kl", row -> row.get("beta") * row.get(kl));
  }

  private static Map<String, ToDoubleFunction<Row>> hard() {
    return Map.of("ce", row -> row.get("loss"));
  }

  private static Map<String, ToDoubleFunction<Row>> balanced() {
    return Map.of(
        "adv",
        row -> row.get("weight_adv") * row.get("kl_adv"),
        "nat",
        row -> row.get("weight_nat") * row.get("kl_nat"));
  }

  private static Map<String, ToDoubleFunction<Row>> introspective() {
    return Map.of(
        "teacher",
        row -> row.get("alpha") * square(row.get("temperature")) * row.get("kl_teacher"),
        "self",
        row -> row.get("alpha") * row.get("kl_self_weighted"),
        "ce",
        row -> (1 - row.get("alpha")) * row.get("ce_clean"));
  }

  static OfficialMethods of(String name) {
    return ALL.stream()
        .filter(m -> name.startsWith(m.prefix))
        .max(java.util.Comparator.comparingInt(m -> m.prefix.length()))
        .orElseThrow(() -> new AssertionError("no method of ours is known for the case " + name));
  }

  /** The method of a recipe with a script's constants. */
  JsonObject options(JsonObject constants) {
    JsonObject options = new JsonObject();
    options.addProperty("name", method);
    constants.entrySet().forEach(e -> option(options, e.getKey(), e.getValue()));
    set.accept(options);
    return options;
  }

  private void option(JsonObject options, String constant, JsonElement value) {
    if (OPTIONS.containsKey(constant)) {
      options.add(OPTIONS.get(constant), value);
    } else if (constant.equals("initial_weight")) {
      options.add("weightNat", value.getAsJsonObject().get("nat_loss"));
    } else if (constant.equals("weight_adv")) {
      options.add("alpha", value);
    } else if (constant.equals("reduction")) {
      boolean mean = value.getAsString().startsWith("mean over batch*classes");
      options.addProperty("reduction", mean ? "MEAN" : "BATCHMEAN");
    } else if (!OTHERS.contains(constant)) {
      throw new AssertionError("the constant %s has no option".formatted(constant));
    }
  }
}
