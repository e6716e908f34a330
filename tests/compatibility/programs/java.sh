# flags: --memory=256M
# The compiler with a heap that fits; the program with the defaults of the JVM.
cat >Hello.java <<'J'
import java.nio.file.*;
import java.util.stream.*;
public class Hello {
  public static void main(String[] args) throws Exception {
    int sum = IntStream.range(0, 1000).parallel().sum();
    Thread thread = new Thread(() -> {});
    thread.start();
    thread.join();
    Files.writeString(Path.of("file"), "x");
    Process child = new ProcessBuilder("/bin/echo", "child").start();
    if (child.waitFor() != 0 || sum != 499500) System.exit(1);
    System.out.println("Hello " + Files.readString(Path.of("file")));
  }
}
J
javac -J-Xmx96m Hello.java; [[ $(java Hello) == "Hello x" ]]
