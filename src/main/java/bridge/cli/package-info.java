/**
 * The command line: a class for each command, its options, what it prints and the process's exit
 * status. Options become checked requests; rooms below do the work and answer in plain values,
 * which this room shows and hands to {@link bridge.report} to be drawn and written. Nothing here
 * computes with tensors, or decides what an experiment means.
 */
package bridge.cli;
