/**
 * What runs before the program: it finds a Java that is new enough and, for the CUDA build, CUDA's
 * libraries, and starts the program with them.
 *
 * <p>Compiled for Java 17, and on its own: it uses nothing but the JDK, since an older Java must be
 * able to load it. Only {@code bridge.cli} may use it, for what the doctor says.
 */
package bridge.launch;
