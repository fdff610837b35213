/**
 * The networks of the papers, defined once each with the state_dict names of the public code, and
 * the layers they are made of. {@link bridge.architecture.Architectures} knows them by name and
 * tells from a state_dict's shapes which one it belongs to. Arithmetic and names only: no file is
 * read here, and no loss or attack is known.
 */
package bridge.architecture;
