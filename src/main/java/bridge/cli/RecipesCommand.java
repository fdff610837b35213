package bridge.cli;

import bridge.train.Recipes;
import com.google.gson.JsonObject;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Lists the built-in recipes, or prints one. */
@Command(name = "recipes", description = "Lists the built-in recipes, or prints one.")
final class RecipesCommand implements Runnable {
  @Parameters(arity = "0..1", paramLabel = "NAME", description = "The recipe to print.")
  private String name;

  @Override
  public void run() {
    if (name != null) {
      System.out.print(Recipes.text(name));
      return;
    }
    for (String recipe : Recipes.names()) {
      JsonObject json = Recipes.load(recipe);
      System.out.println(recipe);
      System.out.println("    " + json.get("description").getAsString());
    }
  }
}
