/**
 * What {@code java -jar bridge.jar} starts: finds a JDK that is new enough and CUDA's libraries,
 * and runs the program with them. Compiled for Java 17, so it uses nothing newer and nothing of the
 * program, whose classes an older Java cannot read.
 */
package bridge.launch;
