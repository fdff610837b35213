package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.AutoAttack;
import bridge.model.Network;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;

/** Everything an attack was told, as JSON: attacks are records, so their components are it. */
public final class AttackSettings {
  private AttackSettings() {}

  /** The settings by name, with the attack's class under {@code kind}. */
  public static JsonObject of(Attack attack) {
    JsonObject json = attack instanceof Record record ? object(record) : kind(attack);
    if (attack instanceof AutoAttack all) {
      JsonArray components = new JsonArray();
      all.components().forEach(component -> components.add(of(component)));
      json.add("components", components);
    }
    return json;
  }

  private static JsonObject kind(Object of) {
    JsonObject json = new JsonObject();
    json.addProperty("kind", of.getClass().getSimpleName());
    return json;
  }

  private static JsonElement element(Object value) {
    return switch (value) {
      case Attack attack -> of(attack);
      case Network network -> new JsonPrimitive(network.name());
      case Record record -> object(record);
      case Number number -> new JsonPrimitive(number);
      case Boolean flag -> new JsonPrimitive(flag);
      case null, default -> new JsonPrimitive(String.valueOf(value));
    };
  }

  private static JsonObject object(Record record) {
    JsonObject json = record instanceof Attack ? kind(record) : new JsonObject();
    for (RecordComponent component : record.getClass().getRecordComponents()) {
      json.add(component.getName(), element(value(record, component)));
    }
    return json;
  }

  /** Of a record that others keep to themselves only that it is there. */
  private static Object value(Record record, RecordComponent component) {
    Method accessor = component.getAccessor();
    try {
      return accessor.trySetAccessible() ? accessor.invoke(record) : component.getType().getName();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("the record's accessor failed", e);
    }
  }
}
