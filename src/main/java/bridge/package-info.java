/**
 * What every package may use: the exceptions whose message a user can act on, the strict reader of
 * settings, and the one way to write JSON and to name what is wrong with it.
 *
 * <p>Nothing here knows another package of the program, or any library but Gson. What only some
 * packages need belongs to one of them.
 */
package bridge;
