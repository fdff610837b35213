package bridge.pickle;

/** Pickle's opcodes of protocols 1 to 5 that data needs, named as in Python's pickletools. */
public enum Opcode {
  PROTO(0x80, Kind.MACHINE),
  FRAME(0x95, Kind.MACHINE),
  STOP('.', Kind.MACHINE),
  MARK('(', Kind.MACHINE),
  POP('0', Kind.MACHINE),
  POP_MARK('1', Kind.MACHINE),
  DUP('2', Kind.MACHINE),

  NONE('N', Kind.NUMBER),
  NEWTRUE(0x88, Kind.NUMBER),
  NEWFALSE(0x89, Kind.NUMBER),
  BININT('J', Kind.NUMBER),
  BININT1('K', Kind.NUMBER),
  BININT2('M', Kind.NUMBER),
  LONG1(0x8a, Kind.NUMBER),
  LONG4(0x8b, Kind.NUMBER),
  BINFLOAT('G', Kind.NUMBER),

  BINUNICODE('X', Kind.STRING),
  SHORT_BINUNICODE(0x8c, Kind.STRING),
  BINUNICODE8(0x8d, Kind.STRING),
  /** Python 2's str, see {@link PickleFormat.Encoding}. */
  BINSTRING('T', Kind.STRING),
  SHORT_BINSTRING('U', Kind.STRING),
  BINBYTES('B', Kind.STRING),
  SHORT_BINBYTES('C', Kind.STRING),
  BINBYTES8(0x8e, Kind.STRING),
  BYTEARRAY8(0x96, Kind.STRING),

  EMPTY_TUPLE(')', Kind.CONTAINER),
  TUPLE('t', Kind.CONTAINER),
  TUPLE1(0x85, Kind.CONTAINER),
  TUPLE2(0x86, Kind.CONTAINER),
  TUPLE3(0x87, Kind.CONTAINER),
  EMPTY_LIST(']', Kind.CONTAINER),
  LIST('l', Kind.CONTAINER),
  APPEND('a', Kind.CONTAINER),
  APPENDS('e', Kind.CONTAINER),
  EMPTY_DICT('}', Kind.CONTAINER),
  DICT('d', Kind.CONTAINER),
  SETITEM('s', Kind.CONTAINER),
  SETITEMS('u', Kind.CONTAINER),
  EMPTY_SET(0x8f, Kind.CONTAINER),
  ADDITEMS(0x90, Kind.CONTAINER),
  FROZENSET(0x91, Kind.CONTAINER),

  BINPUT('q', Kind.MEMO),
  LONG_BINPUT('r', Kind.MEMO),
  MEMOIZE(0x94, Kind.MEMO),
  BINGET('h', Kind.MEMO),
  LONG_BINGET('j', Kind.MEMO),

  GLOBAL('c', Kind.OBJECT),
  STACK_GLOBAL(0x93, Kind.OBJECT),
  REDUCE('R', Kind.OBJECT),
  NEWOBJ(0x81, Kind.OBJECT),
  NEWOBJ_EX(0x92, Kind.OBJECT),
  BUILD('b', Kind.OBJECT),
  BINPERSID('Q', Kind.OBJECT);

  /** What an opcode is about. */
  enum Kind {
    MACHINE,
    NUMBER,
    STRING,
    CONTAINER,
    MEMO,
    OBJECT
  }

  private static final Opcode[] BY_CODE = new Opcode[256];

  static {
    for (Opcode opcode : values()) {
      BY_CODE[opcode.code] = opcode;
    }
  }

  final int code;
  final Kind kind;

  Opcode(int code, Kind kind) {
    this.code = code;
    this.kind = kind;
  }

  /** Null for a byte that is none of these. */
  static Opcode of(int code) {
    return BY_CODE[code];
  }
}
