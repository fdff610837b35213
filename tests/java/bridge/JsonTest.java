package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonParser;
import org.junit.jupiter.api.Test;

class JsonTest {
  private static String fault(String text) {
    return Json.fault(
        assertThrows(RuntimeException.class, () -> JsonParser.parseString(text).getAsJsonObject()));
  }

  @Test
  void faultsAreToldWithoutTheParsersNames() {
    assertEquals("End of input at line 1 column 9 path $.a", fault("{\"a\": 1,"));
    assertEquals("malformed JSON at line 1 column 10 path $.a", fault("{\"a\": 1 2}"));
    assertEquals("[1]", fault("[1]"));
  }
}
