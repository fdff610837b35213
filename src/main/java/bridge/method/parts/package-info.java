/**
 * What methods are made of: a batch's inputs, turn and loss; teachers and what they are needed for;
 * taps into networks and heads on them; rectification, fusion, alignment, balance. No method is
 * known here by name.
 */
package bridge.method.parts;
