/**
 * The networks of the papers, defined once each with the state_dict names of the public code, and
 * the layers they are made of.
 *
 * <p>{@link bridge.architecture.Architectures} knows them by name and finds, by a state_dict's
 * shapes, the one it belongs to. Files are unknown here, and so is everything that is done with a
 * network.
 */
package bridge.architecture;
