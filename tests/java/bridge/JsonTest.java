package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonParser;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import java.io.StringReader;
import org.junit.jupiter.api.Test;

class JsonTest {
  private static String fault(String text) {
    JsonReader reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
    return Json.fault(
        assertThrows(
            RuntimeException.class, () -> JsonParser.parseReader(reader).getAsJsonObject()));
  }

  @Test
  void faultsAreNamedWithoutTheParser() {
    assertEquals("End of input at line 1 column 9 path $.a", fault("{\"a\": 1,"));
    assertEquals("malformed JSON at line 1 column 3 path $.", fault("{'a': 1}"));
    assertEquals("Unterminated object at line 1 column 10 path $.a", fault("{\"a\": 1 2}"));
    assertEquals("[1]", fault("[1]"));
  }
}
