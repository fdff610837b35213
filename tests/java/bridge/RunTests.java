package bridge;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import bridge.torch.Device;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs tests without Maven, a line for each: {@code RunTests gpu} those tagged so, {@code RunTests
 * bridge.attack.GoldenAttacksTest …} those classes. {@code RunTests devices} prints how many CUDA
 * devices there are.
 *
 * <p>Exit status: 0 all passed, 1 some failed, 77 all were skipped, 2 there were none.
 */
public final class RunTests {
  private static final int SKIPPED = 77;

  private RunTests() {}

  public static void main(String[] args) {
    if (args.length == 1 && args[0].equals("devices")) {
      System.out.println(Device.cudaDevices());
      return;
    }
    Lines lines = new Lines();
    LauncherFactory.create().execute(request(args), lines);
    System.exit(lines.status());
  }

  private static LauncherDiscoveryRequest request(String... args) {
    List<DiscoverySelector> selected = new ArrayList<>();
    LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request();
    for (String arg : args) {
      if (arg.contains(".")) {
        selected.add(selectClass(arg));
      } else {
        selected.add(selectPackage("bridge"));
        request.filters(TagFilter.includeTags(arg));
      }
    }
    return request.selectors(selected).build();
  }

  private static String said(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
  }

  /** Tells of each test as it ends. */
  private static final class Lines implements TestExecutionListener {
    private TestPlan plan;
    private int passed;
    private int skipped;
    private int failed;

    @Override
    public void testPlanExecutionStarted(TestPlan started) {
      plan = started;
    }

    private String name(TestIdentifier test) {
      String parent = plan.getParent(test).map(TestIdentifier::getDisplayName).orElse("");
      return parent + " › " + test.getDisplayName();
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      skipped++;
      System.out.println("skipped " + name(test) + ": " + reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      String why = result.getThrowable().map(RunTests::said).orElse("");
      switch (result.getStatus()) {
        case SUCCESSFUL -> {
          if (test.isTest()) {
            passed++;
            System.out.println("ok      " + name(test));
          }
        }
        case ABORTED -> {
          skipped++;
          System.out.println("skipped " + name(test) + ": " + why);
        }
        case FAILED -> {
          failed++;
          System.out.println("FAILED  " + name(test) + ": " + why);
          result.getThrowable().ifPresent(e -> e.printStackTrace(System.out));
        }
      }
    }

    int status() {
      System.out.printf("%d passed, %d failed, %d skipped%n", passed, failed, skipped);
      if (passed + failed + skipped == 0) {
        return 2;
      }
      return failed > 0 ? 1 : passed > 0 ? 0 : SKIPPED;
    }
  }
}
